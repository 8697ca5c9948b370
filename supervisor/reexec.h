/* The supervisor becomes another image of itself in place: same pid, same lock, same workers; new configuration, or a
 * new binary. What it would become is asked first (`shoald --check-json`, the worker's --manifest): bad ones are
 * refused and nothing changes. Loop thread only. */
#ifndef SHOAL_SUPERVISOR_REEXEC_H
#define SHOAL_SUPERVISOR_REEXEC_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "supervisor/manifest.h"
#include "supervisor/program.h"

#define REEXEC_KEPT_MAX   (1024 * 1024)
#define REEXEC_ENV        "SHOALD_REEXEC"
#define REEXEC_PATH_SIZE  4096
#define REEXEC_TEXT_SIZE  640
#define REEXEC_CHECK_MS   20000
#define REEXEC_OUTPUT_MAX (64 * 1024)

struct supervisor;

/* What the image before left for this one. */
struct reexec_legacy {
	int lock_fd;     /* -1: started anew */
	uint32_t serial; /* how many images this process had before */
	bool upgrading;  /* an upgrade goes on: shards of another build are to be restarted */
	json_t *kept;    /* what it told its successor of itself (supervisor_kept()); NULL: nothing */
};

/* What was asked: what it will be, or why not. */
struct reexec_answer {
	int error; /* 0, else negative errno; @text says it */
	char text[REEXEC_TEXT_SIZE];
	char path[REEXEC_PATH_SIZE];   /* of the shoald */
	char worker[REEXEC_PATH_SIZE]; /* of the shoal-shard that it would start */
	char build_id[32], worker_build_id[32];
	uint32_t intents;     /* of the worker's manifest */
	bool intents_auto;    /* discord.intents = auto */
	uint32_t shard_count; /* discord.shard_count; 0: auto */
};

typedef void (*reexec_fn)(void *arg, const struct reexec_answer *answer);

struct reexec {
	struct supervisor *supervisor;
	char *const *argv; /* as this process was started */
	char **env; /* the same: the configuration takes secrets out of the environment; a place is left at its end */
	size_t env_count;
	char own_path[REEXEC_PATH_SIZE];
	uint32_t serial;
	struct program_run *check;
	struct manifest_run *manifest;
	struct reexec_answer answer;
	reexec_fn fn;
	void *arg;
	char target[REEXEC_PATH_SIZE]; /* what is to be executed */
	uint32_t passes;               /* of the loop until the exec; 0: none is due */
	bool upgrading;
	void (*failed)(void *arg, int error);
	void *failed_arg;
};

/* At the very beginning of main(): remembers how we were started, takes what was left out of the environment. -ENOMEM.
 */
int reexec_remember(struct reexec *reexec, char *const *argv, struct reexec_legacy *ret_legacy);

/* Asks what @path ("" or NULL: our own program, as it lies there now) would be. -EBUSY: one is being asked; -errno. */
int reexec_ask(struct reexec *reexec, const char *path, reexec_fn fn, void *arg);
/* Becomes @path within two passes of the loop. @failed only when that did not work: nothing has changed then. */
void reexec_begin(struct reexec *reexec, const char *path, bool upgrading, void (*failed)(void *arg, int error),
		  void *arg);
/* Frees what was remembered. */
void reexec_finish(struct reexec *reexec);
/* At each pass's end. */
void reexec_pass(struct reexec *reexec);
void reexec_close(struct reexec *reexec);

/* SIGHUP, TERM and INT wait from the exec until the new image can take them. */
void reexec_unblock_signals(void);

#endif
