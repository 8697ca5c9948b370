/* What a migration will lock of the tables that are there already: read from its text, for `shoalctl migrate plan`.
 * Pure; any thread. */
#ifndef SHOAL_SHARED_DB_MIGRATE_LOCKS_H
#define SHOAL_SHARED_DB_MIGRATE_LOCKS_H

#include <stddef.h>

#define MIGRATE_LOCKS_MAX  64
#define MIGRATE_TABLE_SIZE 72

struct migrate_lock {
	char table[MIGRATE_TABLE_SIZE]; /* as written, without quotes: "shoal.guild_setting" */
	const char *lock;               /* PostgreSQL's name of it: "ACCESS EXCLUSIVE" */
	const char *by;                 /* "ALTER TABLE" */
	const char *means;              /* "reads and writes of it wait" */
	unsigned int strength;
};

struct migrate_locks {
	struct migrate_lock rows[MIGRATE_LOCKS_MAX]; /* the strongest of each table, in order of appearance */
	size_t count;
	size_t statements;
};

/* Tables that the text makes itself are left out, and so is what functions do that it calls: it is a reading, not a
 * trial. More than MIGRATE_LOCKS_MAX tables: those beyond are left out. */
void migrate_locks_read(const char *text, size_t len, struct migrate_locks *ret_locks);

#endif
