/* One write of the outbox: in memory, and as the bytes that lie in its file. Any thread; whoever holds an entry alone.
 */
#ifndef SHOAL_SHARED_DB_OUTBOX_ENTRY_H
#define SHOAL_SHARED_DB_OUTBOX_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/db/outbox.h"

/* What a source is: decides how long the database remembers its cursor. Stored, and in shoal.outbox_cursor. */
enum outbox_kind {
	OUTBOX_KIND_FILE = 0, /* a file's own numbers: for ever */
	OUTBOX_KIND_LANE,     /* writes that went straight: OUTBOX_IDENTITY_DAYS */
	OUTBOX_KIND_TOKEN,    /* a number that belongs to one write: likewise */
};
#define OUTBOX_IDENTITY_DAYS 30

enum outbox_entry_flags {
	OUTBOX_ENTRY_IMPORTED = 1 << 0, /* of the file of another shard count: newer writes may have overtaken it */
	OUTBOX_ENTRY_SALVAGED = 1 << 1, /* read out of a damaged file */
};

struct outbox_entry {
	struct outbox_entry *prev, *next; /* its owner's list */

	uint64_t seq;            /* its place in the file; 0: not there yet */
	uint64_t source, number; /* its identity; source 0: the file gives it one of its own */
	uint8_t kind;            /* enum outbox_kind */
	uint8_t flags;
	uint64_t epoch;
	uint64_t user_id;
	int64_t created_ms;
	struct outbox_key key;
	const char *owner, *statement;
	const char *value; /* NULL: none any more */
	size_t value_len;
	struct db_param params[STATEMENT_PARAMS_MAX];
	size_t param_count;

	bool unsure; /* it may be in the database already: its source's cursor must be asked first. Not stored */

	/* of one that was tried, or is dead (died_ms set) */
	int error;
	uint32_t tries;
	int64_t died_ms;
	char reason[OUTBOX_REASON_SIZE];

	size_t bytes;              /* that its record takes, at most */
	char *text;                /* what the members above point into, */
	struct db_param *elements; /* and their arrays */
};

/* Copies @write, whose statement has the parameters that @params says. -EINVAL: a name too long, a type that is not
 * the statement's, a NUL in a text; -EMSGSIZE; -ENOMEM. */
int outbox_entry_new(const struct outbox_write *write, const struct statement *statement,
		     struct outbox_entry **ret_entry);
struct outbox_entry *outbox_entry_free(struct outbox_entry *entry); /* returns NULL */
void outbox_entry_freep(struct outbox_entry **entry);

/* Its record into @bytes (@entry->bytes of them are enough); returns the length. seq, source and number are set. */
size_t outbox_entry_encode(const struct outbox_entry *entry, void *bytes);
/* Reads a record, checking everything. -SHOAL_EDAMAGED, -ENOMEM. */
int outbox_entry_decode(const void *bytes, size_t len, struct outbox_entry **ret_entry);
/* The length of the record that begins at @bytes, by its own account and not beyond @len; 0: none begins there. What
 * is found this way still goes through outbox_entry_decode(). */
size_t outbox_entry_sniff(const void *bytes, size_t len);

/* As operators see it; borrows @entry's texts. */
void outbox_entry_show(const struct outbox_entry *entry, struct outbox_item *ret_item);

bool outbox_key_equal(struct outbox_key a, struct outbox_key b);

#endif
