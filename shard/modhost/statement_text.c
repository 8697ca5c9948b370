/* A scanner of words: strings are passed over, and what could hide something from it (quoted names, comments, dollar
 * quotes) is refused, since no statement needs it. */
#include "shard/modhost/statement_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "shared/base/cleanup.h"

#define WORD_SIZE 64

/* Functions of the schema that are everybody's. */
static const char *const shared_functions[] = { "name_members" };
static const char *const verbs[] = { "select", "insert", "update", "delete", "with" };
static const char *const changing[] = { "insert", "update", "delete" };

struct scan {
	const char *at;
	const char *module;
	char word[WORD_SIZE]; /* lower case, cut */
	bool has_guild, has_first, changes;
	size_t words;
	char *error;
	size_t size;
};

static int refuse(struct scan *scan, const char *what, const char *word)
{
	snprintf(scan->error, scan->size, "%s%s%s%s", what, *word ? " (" : "", word, *word ? ")" : "");
	return -EINVAL;
}

static bool is_in(const char *word, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}

static bool begins_word(char c)
{
	return isalpha((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* Moves behind the word at hand; its beginning stands in scan->word. */
static void take_word(struct scan *scan)
{
	size_t len = 0;

	for (; begins_word(*scan->at) || isdigit((unsigned char)*scan->at); scan->at++)
		if (len < sizeof(scan->word) - 1)
			scan->word[len++] = (char)tolower((unsigned char)*scan->at);
	scan->word[len] = '\0';
}

static void skip_blanks(struct scan *scan)
{
	while (isspace((unsigned char)*scan->at))
		scan->at++;
}

/* The dot behind a name; true: what follows it stands in scan->word. */
static bool take_dotted(struct scan *scan)
{
	const char *before = scan->at;

	skip_blanks(scan);
	if (*scan->at != '.') {
		scan->at = before;
		return false;
	}
	scan->at++;
	skip_blanks(scan);
	take_word(scan);
	return true;
}

static int check_own(struct scan *scan)
{
	size_t len = strlen(scan->module);

	if (is_in(scan->word, shared_functions, ARRAY_SIZE(shared_functions)))
		return 0;
	if (strncmp(scan->word, scan->module, len) == 0 &&
	    strncmp(scan->word + len, STATEMENT_TEXT_MARK, strlen(STATEMENT_TEXT_MARK)) == 0)
		return 0;
	snprintf(scan->error, scan->size,
		 "it names shoal.%s: a module's own tables are shoal.%s" STATEMENT_TEXT_MARK "…", scan->word,
		 scan->module);
	return -EINVAL;
}

static int check_word(struct scan *scan)
{
	static const char *const others[] = { "shoal_part", "public", "pg_catalog", "information_schema" };

	take_word(scan);
	if (scan->words++ == 0 && !is_in(scan->word, verbs, ARRAY_SIZE(verbs)))
		return refuse(scan, "it begins with none of SELECT, INSERT, UPDATE, DELETE, WITH", scan->word);
	if (*scan->at == '\'' && (scan->word[0] == 'e' || scan->word[0] == 'u') && !scan->word[1])
		return refuse(scan, "a string with escapes", "E'…'");
	if (strncmp(scan->word, "pg_", 3) == 0 || is_in(scan->word, others, ARRAY_SIZE(others)))
		return refuse(scan, "it names what is no table of the module", scan->word);
	scan->changes = scan->changes || is_in(scan->word, changing, ARRAY_SIZE(changing));
	scan->has_guild = scan->has_guild || strcmp(scan->word, "guild_id") == 0;
	if (strcmp(scan->word, "shoal") == 0 && take_dotted(scan))
		return check_own(scan);
	return 0;
}

static int skip_string(struct scan *scan)
{
	for (scan->at++; *scan->at; scan->at++) {
		if (*scan->at == '\\')
			return refuse(scan, "a backslash in a string", "");
		if (*scan->at != '\'')
			continue;
		scan->at++;
		if (*scan->at != '\'')
			return 0;
	}
	return refuse(scan, "a string that does not end", "");
}

static int check_parameter(struct scan *scan)
{
	scan->at++;
	if (!isdigit((unsigned char)*scan->at))
		return refuse(scan, "dollar quotes", "$");
	if (*scan->at == '1' && !isdigit((unsigned char)scan->at[1]))
		scan->has_first = true;
	while (isdigit((unsigned char)*scan->at))
		scan->at++;
	return 0;
}

static int step(struct scan *scan)
{
	char c = *scan->at;

	if (begins_word(c))
		return check_word(scan);
	if (c == '\'')
		return skip_string(scan);
	if (c == '$')
		return check_parameter(scan);
	if (c == '"')
		return refuse(scan, "quoted names", "\"");
	if (c == ';')
		return refuse(scan, "more than one statement", ";");
	if (strncmp(scan->at, "--", 2) == 0 || strncmp(scan->at, "/*", 2) == 0)
		return refuse(scan, "comments", "--");
	if (isdigit((unsigned char)c)) { /* 1e6, 0x10: no names */
		take_word(scan);
		return 0;
	}
	scan->at++;
	return 0;
}

int statement_text_check(const char *sql, const char *module, bool by_guild, bool reads, char *error, size_t size)
{
	struct scan scan = { .at = sql, .module = module, .error = error, .size = size };
	int r = 0;

	while (r == 0 && *scan.at)
		r = step(&scan);
	if (r < 0)
		return r;
	if (by_guild && (!scan.has_guild || !scan.has_first))
		return refuse(&scan,
			      "guild_id and $1, the guild, do not both stand in it; if it is of no guild, say why in "
			      "not_by_guild",
			      "");
	if (reads && scan.changes)
		return refuse(&scan, "it changes something, and is SHOAL_SQL_READS", "");
	return 0;
}
