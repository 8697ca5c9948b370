/* Turns one log record into text: JSON, human, or journal fields. Pure functions over a caller's buffer; escapes
 * whatever could break a line, a parser or a terminal, and masks secrets before escaping, so that no form of them gets
 * through. */
#ifndef SHOAL_SHARED_LOG_LOG_FORMAT_H
#define SHOAL_SHARED_LOG_LOG_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "shared/log/log.h"

#define LOG_RECORD_MAX 8192
/* A single value's longest text; the rest is cut and the cut told. */
#define LOG_VALUE_MAX          4096
#define LOG_SECRETS_MAX        32
#define LOG_SECRET_MIN         6
#define LOG_JOURNAL_FIELDS_MAX 48

struct log_secrets {
	char *text[LOG_SECRETS_MAX];
	size_t len[LOG_SECRETS_MAX];
	size_t count;
};

/* All borrowed. @ctx is never NULL here. */
struct log_record {
	enum log_level level;
	const struct log_ctx *ctx;
	const char *event;
	const struct log_field *fields;
	size_t field_count;
	const char *program;
	int64_t wall_ms;
	const struct log_secrets *secrets;
};

/* @text with every secret masked, cut to @size. */
void log_format_masked(const struct log_secrets *secrets, const char *text, char *out, size_t size);
/* Each writes at most LOG_RECORD_MAX bytes to @out, the line feed included, and returns how many. */
size_t log_format_json(const struct log_record *record, char out[LOG_RECORD_MAX]);
size_t log_format_human(const struct log_record *record, bool colour, char out[LOG_RECORD_MAX]);
/* Fields for sd_journal_sendv, pointing into @out. Returns how many of @iov are filled. */
int log_format_journal(const struct log_record *record, char out[2 * LOG_RECORD_MAX],
		       struct iovec iov[LOG_JOURNAL_FIELDS_MAX]);

#endif
