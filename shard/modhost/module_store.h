/* The functions of <shoal/store.h>: a module's named statements over the worker's database and outbox. Loop thread
 * only. */
#ifndef SHOAL_SHARD_MODHOST_MODULE_STORE_H
#define SHOAL_SHARD_MODHOST_MODULE_STORE_H

#include <shoal/store.h>

#include "shared/db/db.h"

int module_store_query(struct shoal_scope *scope, const struct shoal_query *query, shoal_rows_fn fn, void *arg);
int module_store_write(struct shoal_scope *scope, const struct shoal_write *write, shoal_written_fn fn, void *arg);
bool module_store_pending(struct shoal_scope *scope, uint64_t guild_id, const char *key, uint64_t asked_ns,
			  const char **ret_value, size_t *ret_len);

size_t module_store_rows_count(const struct shoal_rows *rows);
uint64_t module_store_rows_affected(const struct shoal_rows *rows);
bool module_store_rows_is_null(const struct shoal_rows *rows, size_t row, size_t column);
int64_t module_store_rows_int8(const struct shoal_rows *rows, size_t row, size_t column);
bool module_store_rows_bool(const struct shoal_rows *rows, size_t row, size_t column);
double module_store_rows_double(const struct shoal_rows *rows, size_t row, size_t column);
int64_t module_store_rows_time(const struct shoal_rows *rows, size_t row, size_t column);
const char *module_store_rows_text(const struct shoal_rows *rows, size_t row, size_t column, size_t *ret_len);
const void *module_store_rows_bytes(const struct shoal_rows *rows, size_t row, size_t column, size_t *ret_len);

#endif
