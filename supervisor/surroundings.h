/* What shoald sets up around itself before it starts: directories, limits, the workers' environment and program. Each
 * returns 0 or -errno, and then @error says in words what is wrong with which key. */
#ifndef SHOAL_SUPERVISOR_SURROUNDINGS_H
#define SHOAL_SUPERVISOR_SURROUNDINGS_H

#include <stddef.h>
#include <stdint.h>

#include "shared/config/config.h"

#define SURROUNDINGS_ERROR_SIZE 512
#define SURROUNDINGS_PATH_SIZE  4096

/* No core dumps and no debugger of the same user (both would show the token), private files, and as many descriptors as
 * we may have. */
void surroundings_harden(void);

/* What no single option's check can see: the token is there, the HTTP address and the conninfos have a form, the
 * socket's path fits, intents and cluster have good names, certificates and worker program are there. -EINVAL. */
int surroundings_check(const struct config *config, const char *worker_path, char error[SURROUNDINGS_ERROR_SIZE]);

/* Makes the runtime and state directory (mode 0700) where missing; refuses one that others can write to or that belongs
 * to another user. */
int surroundings_make_dirs(const struct config *config, char error[SURROUNDINGS_ERROR_SIZE]);

/* Is there room in the runtime directory for @shards to start? Their caches are mapped files: a full disk would be a
 * signal there, not an error. -ENOSPC, -errno. */
int surroundings_check_room(const struct config *config, uint32_t shards, char error[SURROUNDINGS_ERROR_SIZE]);

/* supervisor.worker, or shoal-shard beside the running program. -ENAMETOOLONG, -errno. */
int surroundings_worker_path(const struct config *config, char path[SURROUNDINGS_PATH_SIZE]);

/* supervisor.host_id, or the host's name. */
void surroundings_host(const struct config *config, char *host, size_t size);

/* Who listens on the control socket in @runtime_dir, by the kernel's word; 0: nobody. */
int surroundings_owner_pid(const char *runtime_dir);

/* The environment of workers: what spares memory, and of ours what is listed, nothing secret. NULL: no memory. */
char **surroundings_worker_env(void);
void surroundings_free_env(char **env);

#endif
