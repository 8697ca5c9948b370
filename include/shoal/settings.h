/* SPDX-License-Identifier: MIT */
/* The module's own settings: its rows stand in its descriptor (SHOAL_SETTINGS(), <shoal/config.h>), and people change
 * the values by /settings, operators by shoalctl config. Here they are read, and changed where a command of the module
 * does it for somebody. Names are those of the rows, without the module's before them.
 *
 * A value is cached on the shard and dropped when somebody changes it anywhere; nothing that is older than a minute is
 * taken as true while the database can be asked. */
#ifndef SHOAL_SETTINGS_H
#define SHOAL_SETTINGS_H

#include <shoal/api.h>
#include <shoal/config.h>
#include <shoal/phrase.h>

/* Where a value is asked for. 0: there is none of that kind, and the layer is not looked at. */
struct shoal_place {
	uint64_t guild_id, channel_id, user_id;
};

enum shoal_setting_from {
	SHOAL_FROM_DEFAULT,
	SHOAL_FROM_GLOBAL,
	SHOAL_FROM_GUILD,
	SHOAL_FROM_CHANNEL,
	SHOAL_FROM_USER,
};

/* Borrowed until your function returns, with all that it points to. */
struct shoal_setting_answer {
	int error; /* 0; -ECANCELED: the scope ended, and @value is NULL */
	const struct shoal_setting_value *value;
	enum shoal_setting_from from;
	/* False: the database could not be asked; it is the last known value, or the default. */
	bool sure;
	/* 0. -EINVAL: what is stored nearer by fits its row no more and was passed over. -SHOAL_ENOKEY, -EBADMSG,
	 * -EPROTO: a sensitive value that can't be opened; @value is the default, and not what was set. */
	int problem;
};
/* Exactly once, on the loop; may come before shoal_setting_get() returns. */
typedef void (*shoal_setting_fn)(void *arg, const struct shoal_setting_answer *answer);

/* The value that counts at @place. -ENOENT: the module has no such row; -ECANCELED, -ENOBUFS, -ENOMEM: @fn is not
 * called. */
static inline int shoal_setting_get(struct shoal_scope *scope, const struct shoal_place *place, const char *name,
				    shoal_setting_fn fn, void *arg)
{
	return shoal_api_table->setting_get(scope, place, name, fn, arg);
}

/* The same at once where it is cached: 0, and @ret_answer. -EAGAIN: it must be loaded, by shoal_setting_get(). */
static inline int shoal_setting_peek(struct shoal_scope *scope, const struct shoal_place *place, const char *name,
				     struct shoal_setting_answer *ret_answer)
{
	return shoal_api_table->setting_peek(scope, place, name, ret_answer);
}

struct shoal_setting_change {
	enum shoal_setting_layers layer; /* one of them */
	struct shoal_place place;
	const char *name;
	const char *text; /* as people write it; NULL: back to what the layers behind it say */
	uint64_t by;      /* the member who asked for it; 0: the module */
	const char *note; /* beside it in the history; or NULL */
};

struct shoal_setting_outcome {
	int error;       /* 0; -EINVAL: the value may not be, or the row not be set there; -ENOENT: nothing was set
			  * there; -SHOAL_EOFFLINE, -ECANCELED (it may have been written), … */
	bool kept;       /* the database is away: it waits on this machine's disk, and counts already */
	int64_t version; /* that it made; 0: kept */
	/* For shoal_refuse(), when @error is set: why not. NULL: nobody foresaw it, which is for
	 * shoal_reply_incident(). */
	const struct shoal_phrase *phrase;
	const struct shoal_word *words;
	size_t word_count;
};
typedef void (*shoal_setting_done_fn)(void *arg, const struct shoal_setting_outcome *outcome);

/* Changes a value; done once, also when the event is begun again. @fn exactly once, maybe before this returns.
 * -ECANCELED, -ENOBUFS, -ENOMEM: it is not called. Who may change it is for the caller to check. */
static inline int shoal_setting_set(struct shoal_scope *scope, const struct shoal_setting_change *change,
				    shoal_setting_done_fn fn, void *arg)
{
	return shoal_api_table->setting_set(scope, change, fn, arg);
}

#endif
