/* /module: which modules run in a server, why, and an admin's switch. */
#ifndef SHOAL_SHARD_MODHOST_BUILTIN_MODULE_H
#define SHOAL_SHARD_MODHOST_BUILTIN_MODULE_H

#include <shoal/command.h>

extern const struct shoal_command command_module;

#endif
