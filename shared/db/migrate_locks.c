/* Reads SQL as far as is needed to know which tables each of its commands locks: words, names, and where a command
 * ends. Run by command-line tools. Must not be trusted with more than telling people what to expect. */
#include "shared/db/migrate_locks.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "shared/base/cleanup.h"

#define WORDS_MAX 24
#define WORD_SIZE MIGRATE_TABLE_SIZE

/* One command, its first words. */
struct command {
	char words[WORDS_MAX][WORD_SIZE];
	size_t count;
};

enum where { AFTER_WORDS, AFTER_ON };

static const struct rule {
	const char *words; /* upper case */
	enum where where;  /* its table's name stands */
	const char *lock, *means;
	unsigned int strength;
} rules[] = {
	{ "ALTER TABLE", AFTER_WORDS, "ACCESS EXCLUSIVE", "reads and writes of it wait", 8 },
	{ "DROP TABLE", AFTER_WORDS, "ACCESS EXCLUSIVE", "reads and writes of it wait", 8 },
	{ "TRUNCATE TABLE", AFTER_WORDS, "ACCESS EXCLUSIVE", "reads and writes of it wait", 8 },
	{ "TRUNCATE", AFTER_WORDS, "ACCESS EXCLUSIVE", "reads and writes of it wait", 8 },
	{ "LOCK TABLE", AFTER_WORDS, "ACCESS EXCLUSIVE", "reads and writes of it wait", 8 },
	{ "DROP TRIGGER", AFTER_ON, "ACCESS EXCLUSIVE", "reads and writes of it wait", 8 },
	{ "CREATE TRIGGER", AFTER_ON, "SHARE ROW EXCLUSIVE", "writes to it wait", 6 },
	{ "CREATE INDEX", AFTER_ON, "SHARE", "writes to it wait, the longer the larger it is", 5 },
	{ "CREATE UNIQUE INDEX", AFTER_ON, "SHARE", "writes to it wait, the longer the larger it is", 5 },
	{ "UPDATE", AFTER_WORDS, "ROW EXCLUSIVE", "its rows are rewritten", 3 },
	{ "DELETE FROM", AFTER_WORDS, "ROW EXCLUSIVE", "its rows are gone through", 3 },
	{ "INSERT INTO", AFTER_WORDS, "ROW EXCLUSIVE", "rows are added", 3 },
};

/* --- words -------------------------------------------------------------------------------------------------------- */

struct reader {
	const char *at, *end;
};

/* Behind the first @what from here on, or the end. */
static void skip_past(struct reader *reader, const char *what, size_t len)
{
	const char *found = memmem(reader->at, (size_t)(reader->end - reader->at), what, len);

	reader->at = found ? found + len : reader->end;
}

static void skip_comment(struct reader *reader)
{
	unsigned int depth = 1; /* they nest */

	reader->at += 2;
	while (depth > 0 && reader->end - reader->at >= 2) {
		if (memcmp(reader->at, "*/", 2) == 0 || memcmp(reader->at, "/*", 2) == 0) {
			depth = *reader->at == '*' ? depth - 1 : depth + 1;
			reader->at += 2;
		} else {
			reader->at++;
		}
	}
	if (depth > 0)
		reader->at = reader->end;
}

/* The end of "$tag$" at the reader's place; 0 when it is none. */
static size_t dollar_len(const struct reader *reader)
{
	const char *at = reader->at + 1;

	while (at < reader->end && (isalnum((unsigned char)*at) || *at == '_'))
		at++;
	return at < reader->end && *at == '$' && !isdigit((unsigned char)reader->at[1]) ? (size_t)(at + 1 - reader->at)
											: 0;
}

/* A text in quotes: its contents go into @word (shortened), the reader behind it. */
static void read_quoted(struct reader *reader, char quote, bool backslashes, char word[WORD_SIZE])
{
	size_t len = 0;

	for (reader->at++; reader->at < reader->end; reader->at++) {
		if (backslashes && *reader->at == '\\' && reader->at + 1 < reader->end) {
			reader->at++;
		} else if (*reader->at == quote) {
			if (reader->at + 1 == reader->end || reader->at[1] != quote)
				break;
			reader->at++;
		}
		if (len < WORD_SIZE - 1)
			word[len++] = *reader->at;
	}
	reader->at += reader->at < reader->end;
	word[len] = '\0';
}

static bool in_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* A name with its schema, quotes taken off. */
static void read_name(struct reader *reader, char word[WORD_SIZE])
{
	size_t len = 0;

	while (reader->at < reader->end && len < WORD_SIZE - 1) {
		if (*reader->at == '"') {
			char quoted[WORD_SIZE];

			read_quoted(reader, '"', false, quoted);
			len += (size_t)snprintf(word + len, WORD_SIZE - len, "%s", quoted);
			len = len < WORD_SIZE ? len : WORD_SIZE - 1;
		} else if (in_name(*reader->at) || *reader->at == '.') {
			word[len++] = *reader->at++;
		} else {
			break;
		}
	}
	word[len] = '\0';
	while (reader->at < reader->end && in_name(*reader->at))
		reader->at++; /* of one that is too long */
}

/* Reads one word, or skips something that is none. False at the end of the command or of all. */
static bool next(struct reader *reader, struct command *command, char word[WORD_SIZE])
{
	char c = *reader->at;
	size_t dollar;

	word[0] = '\0';
	if (c == ';') {
		reader->at++;
		return false;
	}
	if (reader->end - reader->at >= 2 && memcmp(reader->at, "--", 2) == 0) {
		skip_past(reader, "\n", 1);
	} else if (reader->end - reader->at >= 2 && memcmp(reader->at, "/*", 2) == 0) {
		skip_comment(reader);
	} else if (c == '$' && (dollar = dollar_len(reader)) > 0) {
		const char *tag = reader->at;

		reader->at += dollar;
		skip_past(reader, tag, dollar);
	} else if (c == '\'') {
		bool escape = command->count > 0 && strcasecmp(command->words[command->count - 1], "E") == 0;

		read_quoted(reader, '\'', escape, word);
	} else if (c == '"' || in_name(c)) {
		read_name(reader, word);
	} else {
		reader->at++;
	}
	return true;
}

/* False when there is none left. */
static bool read_command(struct reader *reader, struct command *command)
{
	char word[WORD_SIZE];

	command->count = 0;
	while (reader->at < reader->end) {
		if (!next(reader, command, word)) {
			if (command->count > 0)
				return true;
			continue;
		}
		if (word[0] && command->count < WORDS_MAX)
			memcpy(command->words[command->count++], word, WORD_SIZE);
	}
	return command->count > 0;
}

/* --- locks -------------------------------------------------------------------------------------------------------- */

/* How many words of @command the rule takes; 0 when it is another's. */
static size_t matches(const struct command *command, const char *words)
{
	size_t count = 0;

	while (*words) {
		size_t len = strcspn(words, " ");

		if (count == command->count || strlen(command->words[count]) != len ||
		    strncasecmp(command->words[count], words, len) != 0)
			return 0;
		count++;
		words += len + (words[len] == ' ');
	}
	return count;
}

static bool is_filler(const char *word)
{
	static const char *const fillers[] = { "IF", "EXISTS", "NOT", "ONLY", "CONCURRENTLY" };

	for (size_t i = 0; i < ARRAY_SIZE(fillers); i++)
		if (strcasecmp(word, fillers[i]) == 0)
			return true;
	return false;
}

static const char *table_of(const struct command *command, const struct rule *rule, size_t at)
{
	if (rule->where == AFTER_ON) {
		while (at < command->count && strcasecmp(command->words[at], "ON") != 0)
			at++;
		at++;
	}
	while (at < command->count && is_filler(command->words[at]))
		at++;
	return at < command->count ? command->words[at] : NULL;
}

static struct migrate_lock *find(struct migrate_locks *locks, const char *table)
{
	for (size_t i = 0; i < locks->count; i++)
		if (strcmp(locks->rows[i].table, table) == 0)
			return &locks->rows[i];
	if (locks->count == MIGRATE_LOCKS_MAX)
		return NULL;
	locks->rows[locks->count] = (struct migrate_lock){ .lock = "" };
	snprintf(locks->rows[locks->count].table, MIGRATE_TABLE_SIZE, "%s", table);
	return &locks->rows[locks->count++];
}

/* The table that @command makes, in @name; its lock is nobody's business. */
static bool makes_table(const struct command *command, char name[WORD_SIZE])
{
	static const struct rule create = { "CREATE TABLE", AFTER_WORDS, "", "", 0 };
	size_t words = matches(command, create.words);
	const char *table;

	if (words > 0) {
		table = table_of(command, &create, words);
		snprintf(name, WORD_SIZE, "%s", table ? table : "");
		return true;
	}
	if (command->count < 3 || strcasecmp(command->words[0], "SELECT") != 0 ||
	    strcmp(command->words[1], "shoal.create_keyed_table") != 0)
		return false;
	snprintf(name, WORD_SIZE, "shoal.%.*s", WORD_SIZE - 7, command->words[2]);
	return true;
}

static void take_command(struct migrate_locks *locks, const struct command *command)
{
	char made[WORD_SIZE];
	struct migrate_lock *row;
	const char *table;

	locks->statements++;
	if (makes_table(command, made)) {
		row = find(locks, made);
		if (row && row->strength == 0)
			row->strength = 100; /* beyond every lock: left out at the end */
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		size_t words = matches(command, rules[i].words);

		table = words > 0 ? table_of(command, &rules[i], words) : NULL;
		row = table ? find(locks, table) : NULL;
		if (row && row->strength < rules[i].strength)
			*row = (struct migrate_lock){ .lock = rules[i].lock,
						      .by = rules[i].words,
						      .means = rules[i].means,
						      .strength = rules[i].strength };
		if (row && !row->table[0])
			snprintf(row->table, sizeof(row->table), "%s", table);
		if (words > 0)
			return;
	}
}

void migrate_locks_read(const char *text, size_t len, struct migrate_locks *ret_locks)
{
	struct reader reader = { text, text + len };
	struct command command;
	size_t kept = 0;

	*ret_locks = (struct migrate_locks){ .count = 0 };
	while (read_command(&reader, &command))
		take_command(ret_locks, &command);
	for (size_t i = 0; i < ret_locks->count; i++)
		if (ret_locks->rows[i].strength < 100)
			ret_locks->rows[kept++] = ret_locks->rows[i];
	ret_locks->count = kept;
}
