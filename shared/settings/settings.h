/* Settings in layers: the value that counts at a place is the first that is set of user, channel, guild, global, else
 * the default. Values are checked against their owner's schema when they are read and when they are written.
 *
 * Reading goes through a bounded cache by guild and by member, filled asynchronously. A change anywhere is told by NATS
 * (config.<guild>) and drops the cached copy; besides, what is in use is compared with the database every
 * SETTINGS_CHECK_S, and nothing older than SETTINGS_TRUST_S is taken as true while the database can be asked. While it
 * cannot, the last known values (or defaults) stand in, and say so. Loop thread only; nothing here blocks. */
#ifndef SHOAL_SHARED_SETTINGS_SETTINGS_H
#define SHOAL_SHARED_SETTINGS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/bus/bus.h"
#include "shared/db/db.h"
#include "shared/db/outbox.h"
#include "shared/loop/loop.h"
#include "shared/secrets/keyring.h"
#include "shared/settings/schema.h"

#define SETTINGS_CHECK_S    20
#define SETTINGS_TRUST_S    60
#define SETTINGS_RETRY_S    5
#define SETTINGS_SCOPES_MAX 16384              /* guilds and members cached */
#define SETTINGS_BYTES_MAX  (32 * 1024 * 1024) /* of their values */
#define SETTINGS_NOTE_MAX   200

enum settings_layer {
	SETTINGS_DEFAULT,
	SETTINGS_GLOBAL,
	SETTINGS_GUILD,
	SETTINGS_CHANNEL,
	SETTINGS_USER,
	SETTINGS_LAYER_COUNT,
};

/* Zero where there is none: direct messages, an operator. */
struct settings_place {
	uint64_t guild_id, channel_id, user_id;
};

/* How writes go through an outbox, and what waits there is seen; without one they go straight to the database. */
struct settings_outbox {
	int (*write)(void *arg, const struct outbox_write *write, outbox_fn fn, void *fn_arg);
	bool (*pending)(void *arg, struct outbox_key key, uint64_t asked_ns, const char **ret_value, size_t *ret_len);
	bool (*idle)(void *arg); /* nothing waits there: pending() need not be asked; NULL: ask it */
	void *arg;
};

struct settings_options {
	struct loop *loop;
	struct db *db;   /* NULL or off: defaults only */
	struct bus *bus; /* NULL: changes elsewhere are seen within SETTINGS_TRUST_S */
	const struct schemas *schemas;
	struct settings_outbox outbox; /* write NULL: none */
	uint32_t check_s, trust_s;     /* 0: SETTINGS_CHECK_S, SETTINGS_TRUST_S */
};

struct settings;

/* Keeps what @options point to. The bus' `up` and the database's are to be passed on (below). */
int settings_new(const struct settings_options *options, struct settings **ret_settings);
/* Before db_close() and bus_close(): who waits is told what is known. */
void settings_closing(struct settings *settings);
/* After db_close(), so that no answer is still to come. NULL in, NULL out. */
struct settings *settings_free(struct settings *settings);

/* Takes @ring (may be NULL: sensitive values are refused), the old one is wiped. */
void settings_set_keys(struct settings *settings, struct keyring *ring);
const struct keyring *settings_keys(const struct settings *settings);
const struct schemas *settings_schemas(const struct settings *settings);
bool settings_is_on(const struct settings *settings); /* a database is configured */

/* The bus (re)connected: what it told meanwhile is lost, so everything is asked for again when it is wanted. */
void settings_bus_up(struct settings *settings);
/* The database came up. */
void settings_db_up(struct settings *settings);

struct setting_answer {
	const struct schema_row *row;
	const struct shoal_setting_value *value; /* never NULL; borrowed until the loop turns */
	enum settings_layer from;
	int64_t version; /* of that layer's value; 0: the default, or one that waits in the outbox */
	uint64_t changed_by;
	int64_t changed_ms;
	bool sure;    /* false: the database could not be asked; this is the last known value, or the default */
	bool pending; /* it waits in the outbox */
	/* 0. -EINVAL: a value nearer by is stored but no longer fits its schema, and was passed over. -SHOAL_ENOKEY,
	 * -EBADMSG, -EPROTO: the value is encrypted and can't be opened; @value is the default and must not be taken
	 * for what was set. */
	int problem;
};

/* What is known at once: 0; -EAGAIN: it must be loaded first; -ENOENT: there is no such setting. */
int settings_peek(struct settings *settings, const struct settings_place *place, const char *name,
		  struct setting_answer *ret_answer);

/* What is known, however old: the last known value, or the default. -ENOENT. */
int settings_known(struct settings *settings, const struct settings_place *place, const char *name,
		   struct setting_answer *ret_answer);
/* Another number whenever something of what is known became another thing, or may have. */
uint64_t settings_generation(const struct settings *settings);
/* The same for the guild alone, with what is global: who makes something of several values by settings_known() keeps it
 * as long as this is the same. *ret_sure: what is known is what the database says. */
uint64_t settings_stamp(struct settings *settings, uint64_t guild_id, bool *ret_sure);

/* @answer is borrowed. Exactly once, on the loop, maybe from within. */
typedef void (*settings_fn)(void *arg, const struct setting_answer *answer);
/* -ENOENT: there is no such setting; -ENOMEM: @fn is not called. */
int settings_get(struct settings *settings, const struct settings_place *place, const char *name, settings_fn fn,
		 void *arg);

/* What each layer says by itself: those that hold nothing have @value NULL. After settings_peek() gave 0 in the same
 * turn. @ret is indexed by layer. */
struct setting_layer {
	bool allowed; /* the setting may be set there */
	const struct shoal_setting_value *value;
	int64_t version;
	uint64_t changed_by;
	int64_t changed_ms;
	bool pending;
	int problem;
};
int settings_layers(struct settings *settings, const struct settings_place *place, const char *name,
		    struct setting_layer ret[SETTINGS_LAYER_COUNT]);

const char *settings_layer_name(enum settings_layer layer); /* "default", "global", "guild", "channel", "user" */

struct settings_stats {
	size_t scopes, bytes;
	uint64_t loads, load_failures, hits, checks, stale, told, evicted;
};
void settings_stats(const struct settings *settings, struct settings_stats *ret_stats);

/* --- for settings_write.c ----------------------------------------------------------------------------------------- */

const struct settings_options *settings_parts(const struct settings *settings);
/* Something changed at @place (user_id not 0: the member's own): our copy is dropped, and the others are told. */
void settings_tell(struct settings *settings, enum settings_layer layer, const struct settings_place *place);
/* The name of a value in the outbox. */
void settings_outbox_name(enum settings_layer layer, const struct settings_place *place, const char *name,
			  char out[OUTBOX_NAME_MAX]);
/* Where a sealed value of that layer belongs. */
struct seal_place settings_seal_place(enum settings_layer layer, const struct settings_place *place, const char *name);

#endif
