/* inih between two adapters of ours. Start-up and reload only; the file is hostile until read.
 * The packaged inih cuts lines at 200 bytes without a word and tells its handler no line number. It reads through a
 * function of ours, though: that one counts lines, takes indentation away (inih would take it for a continuation), and
 * keeps a value that does not fit aside, leaving a mark that our handler replaces. */
#include "shared/config/config_file.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

/* What inih is given in place of a long value. */
#define MARK "@"

struct reading {
	FILE *file;
	config_file_fn fn;
	void *arg;
	char *line; /* getline's */
	size_t line_size, total;
	int number;       /* of the line that inih has got last */
	char *long_value; /* within line; NULL: the value that inih tells is the whole one */
	int result;
	int error_line;
	char *error;
};

static int fail(struct reading *reading, int result, const char *why)
{
	if (reading->result == 0) {
		reading->result = result;
		reading->error_line = reading->number;
		if (why)
			snprintf(reading->error, CONFIG_FILE_ERROR_SIZE, "%s", why);
	}
	return 0;
}

static char *skip_spaces(char *text)
{
	while (isspace((unsigned char)*text))
		text++;
	return text;
}

static void strip_end(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
}

/* As inih does: a semicolon after white space begins a comment. */
static void strip_comment(char *text)
{
	for (char *c = text; *c; c++) {
		if (*c == ';' && c > text && isspace((unsigned char)c[-1])) {
			*c = '\0';
			break;
		}
	}
	strip_end(text);
}

/* Puts a line that is longer than @size into @to with its value set aside. */
static void shorten(struct reading *reading, char *line, char *to, size_t size)
{
	size_t key_len = strcspn(line, "=:");

	/* No value, or a key that no option has: inih's own verdict on the beginning is the right one. */
	if (!line[key_len] || key_len + sizeof(" = " MARK) >= size || *line == '[' || *line == '#' || *line == ';') {
		snprintf(to, size, "%.*s", (int)size - 1, line);
		return;
	}
	reading->long_value = skip_spaces(line + key_len + 1);
	strip_comment(reading->long_value);
	snprintf(to, size, "%.*s= " MARK, (int)key_len, line);
}

/* inih's fgets. */
static char *next_line(char *to, int size, void *stream)
{
	struct reading *reading = stream;
	ssize_t len;
	char *line;

	if (reading->result < 0)
		return NULL;
	reading->long_value = NULL;
	len = getline(&reading->line, &reading->line_size, reading->file);
	reading->number++;
	if (len < 0) {
		if (ferror(reading->file))
			fail(reading, -EIO, "the file can't be read to its end");
		return NULL;
	}
	reading->total += (size_t)len;
	if (len > CONFIG_LINE_MAX || reading->total > CONFIG_FILE_MAX) {
		fail(reading, -EINVAL, len > CONFIG_LINE_MAX ? "the line is too long" : "the file is too large");
		return NULL;
	}
	if (memchr(reading->line, '\0', (size_t)len)) {
		fail(reading, -EINVAL, "the line holds a zero byte: this is no text file");
		return NULL;
	}
	line = reading->line;
	if (reading->number == 1 && strncmp(line, "\xEF\xBB\xBF", 3) == 0)
		line += 3;
	line = skip_spaces(line);
	strip_end(line);
	if (*line == '[' && !strchr(line, ']')) {
		/* What stands behind it can't be judged: it would be taken for the section before. */
		fail(reading, -EINVAL, "the [section] has no closing bracket");
		return NULL;
	}
	if (strlen(line) < (size_t)size)
		snprintf(to, (size_t)size, "%s", line);
	else
		shorten(reading, line, to, (size_t)size);
	return to;
}

/* inih's handler: 0 is an error there. */
static int on_pair(void *arg, const char *section, const char *key, const char *value)
{
	struct reading *reading = arg;
	int r;

	if (reading->result < 0)
		return 0;
	if (reading->long_value)
		value = reading->long_value;
	r = reading->fn(reading->arg, section, key, value, reading->number, reading->error);
	return r < 0 ? fail(reading, r, NULL) : 1;
}

int config_file_read(FILE *file, config_file_fn fn, void *arg, int *ret_line, char error[CONFIG_FILE_ERROR_SIZE])
{
	struct reading reading = { .file = file, .fn = fn, .arg = arg, .error = error };
	int first_bad;

	error[0] = '\0';
	first_bad = ini_parse_stream(next_line, &reading, on_pair, &reading);
	/* Its text may hold the token. */
	if (reading.line)
		explicit_bzero(reading.line, reading.line_size);
	free(reading.line);
	/* inih goes on after a line that it can't read, and tells the first one at the end. */
	if (first_bad > 0 && (reading.result == 0 || first_bad < reading.error_line)) {
		*ret_line = first_bad;
		snprintf(error, CONFIG_FILE_ERROR_SIZE,
			 "this is neither a [section], nor key = value, nor a # comment");
		return -EINVAL;
	}
	if (first_bad < 0 && reading.result == 0) {
		*ret_line = 0;
		snprintf(error, CONFIG_FILE_ERROR_SIZE, "the file can't be read");
		return -EIO;
	}
	*ret_line = reading.error_line;
	return reading.result;
}
