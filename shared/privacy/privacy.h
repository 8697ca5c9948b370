/* What is kept of a member: told to them, or erased. Over the declared tables (tables.h) and the index of guilds that
 * name them; nothing is searched. Asynchronous, a few rows at a time. Loop thread only. */
#ifndef SHOAL_SHARED_PRIVACY_PRIVACY_H
#define SHOAL_SHARED_PRIVACY_PRIVACY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/db/db.h"

#define PRIVACY_EXPORT_MAX (256 * 1024)
#define PRIVACY_ROUNDS_MAX 10000 /* questions of one run */

/* Exactly once. @json: an object {"user", "tables": {name: [rows]}}, borrowed, NULL on an error (as db_result_fn).
 * @cut: it would have been longer than PRIVACY_EXPORT_MAX. */
typedef void (*privacy_export_fn)(void *arg, int error, const char *json, size_t len, bool cut);
/* -SHOAL_EOFFLINE, -ENOMEM, …: @fn is not called. */
int privacy_export(struct db *db, uint64_t user_id, privacy_export_fn fn, void *arg);

/* Exactly once. @error 0: @rows in the database are gone or name nobody any more, and every worker is told to empty its
 * own files. Else what was done stays done, and asking again goes on. */
typedef void (*privacy_erase_fn)(void *arg, int error, uint64_t rows);
int privacy_erase(struct db *db, uint64_t user_id, privacy_erase_fn fn, void *arg);

#endif
