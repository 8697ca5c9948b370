/* The worker's side of <shoal/api.h>: one table for all modules. */
#ifndef SHOAL_SHARD_MODHOST_API_H
#define SHOAL_SHARD_MODHOST_API_H

#include <shoal/api.h>

extern const struct shoal_api api_table;

#endif
