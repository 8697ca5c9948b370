/* A server's settings are loaded before its events are begun, so that whoever handles them can look at once: which
 * modules are on there, the prefix, who may do what. Waits for the database for a moment only: what is slow to come is
 * gone on without, with what is known or the defaults. Loop thread only. */
#ifndef SHOAL_SHARD_PRELOAD_H
#define SHOAL_SHARD_PRELOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/loop/loop.h"
#include "shared/settings/settings.h"

#define PRELOAD_WAIT_MS 1000

struct preload;

/* @woken: the events of a server that was asked for may begin. Keeps what it is given. -ENOMEM. */
int preload_new(struct loop *loop, struct settings *settings, void (*woken)(void *arg, uint64_t guild_id), void *arg,
		struct preload **ret_preload);
/* @woken is not called any more. */
void preload_closing(struct preload *preload);
/* After the settings' answers have all come. NULL in, NULL out. */
struct preload *preload_free(struct preload *preload);

/* Whether they are there. False: they are being loaded, and @woken comes. */
bool preload_ready(struct preload *preload, uint64_t guild_id);

#endif
