/* The modules that are linked into the worker: those of table.c, and shoal_extra_modules[] of a build that adds its
 * own. */
#ifndef SHOAL_SHARD_MODHOST_TABLE_H
#define SHOAL_SHARD_MODHOST_TABLE_H

#include <shoal/module.h>

extern const struct shoal_module shoal_module_core; /* core.c */
/* shard/modules/, those that the Makefile links in (LINKED) */
extern const struct shoal_module shoal_module_admin, shoal_module_remind, shoal_module_utility;

/* The number @i of them, from 0 on; NULL: there are no more. Any thread. */
const struct shoal_module *table_module(size_t i);

#endif
