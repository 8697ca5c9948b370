/* Which modules this process has: the linked ones, and shared objects. A descriptor is checked in full before anything
 * of it is taken up; what is refused is refused with a sentence, and the rest goes on. One list a process; at start, by
 * the main thread. */
#ifndef SHOAL_SHARD_MODHOST_LOADER_H
#define SHOAL_SHARD_MODHOST_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <shoal/module.h>

#include "shard/events/culprit.h"
#include "shard/events/scope.h"
#include "shard/modhost/declared.h"
#include "shared/db/db.h"
#include "shared/settings/schema.h"

#define LOADER_ERROR_SIZE 512
#define LOADER_PATH_SIZE  4096

enum loaded_state {
	LOADED_NEW,
	LOADED_UP,     /* its setup went well: it gets events */
	LOADED_FAILED, /* its setup refused */
};

struct loaded_module {
	struct shoal_module rows; /* a copy; what an older descriptor lacks is zero */
	char name[SHOAL_MODULE_NAME_MAX + 1];
	char file[256];           /* "": linked in */
	struct declared declared; /* settings and statements, in the core's terms */
	struct module_entry entry;
	uint32_t lane; /* of its events' effects */
	enum loaded_state state;
	struct shoal_scope scope; /* its own, from setup to cleanup */
	uint32_t scope_refs;
};

/* The sentence of a refusal in @error. -SHOAL_EVERSION: built for another ABI; -EINVAL: its rows are wrong; -EEXIST: a
 * module, command or component of that name is there; -ENOBUFS: too many. Keeps @descriptor. */
int loader_add(const struct shoal_module *descriptor, const char *file, char error[LOADER_ERROR_SIZE]);
/* All linked modules; a refusal is logged. */
void loader_add_linked(void);
/* Shared objects NAME.so of @dir (NULL or "": loader_default_dir()): @names joined by commas, "*" is all that lie
 * there, in the order of their names. What is refused is logged, noted for the manifest, and left out. */
void loader_add_files(const char *dir, const char *names);
/* Whether refusals are logged too (default), or only noted. */
void loader_tell(bool tell);
/* Refusals that somebody else has logged already, [{name, reason}]: one for the very same reason is not logged again
 * but for debugging. NULL: none. Borrows @by_others until the next call. */
void loader_told(const json_t *by_others);
/* Asked around each loading of a shared object, which runs code of its own before anything of it is known. */
struct loader_guard {
	/* Negative: it is left out, @error (LOADER_ERROR_SIZE) says why. */
	int (*before)(void *arg, const char *name, const char *path, char *error);
	/* Not called after a refusal. @loaded: it was taken up. */
	void (*after)(void *arg, const char *name, bool loaded);
	void *arg;
};
/* NULL: nobody (default). Keeps @guard. */
void loader_set_guard(const struct loader_guard *guard);
/* "modules" beside this program, or ../lib/shoal/modules where there is none. */
void loader_default_dir(char dir[LOADER_PATH_SIZE]);
/* [{name, file, reason}]. New reference. */
json_t *loader_refused(void);
/* Forgets all (tests). */
void loader_clear(void);

/* Registers what the loaded modules declare: their settings; their statements (@db may be NULL). A module whose rows
 * are refused here had been checked before, so that is an error of ours: -errno. */
int loader_register(struct schemas *schemas, struct db *db);

size_t loader_count(void);
struct loaded_module *loader_get(size_t i);

/* Intents of one event type (discord-facts section 5). */
uint32_t loader_event_intents(enum shoal_event_type type);
uint32_t loader_module_intents(const struct loaded_module *module);
/* All that the modules need. */
uint32_t loader_intents(void);
/* [{owner, version, rows}] of the modules that have settings; and one of them. New references. */
json_t *loader_settings_to_json(void);
json_t *loader_schema_to_json(const struct shoal_settings_schema *schema);
/* [{name, version, description, file, intents, without_intents, events, commands, components}]. New reference. */
json_t *loader_to_json(void);

#endif
