/* SPDX-License-Identifier: MIT */
/* A module: one descriptor of rows, and functions that shoal calls. The whole of one that answers a command:
 *
 *	#include <shoal/module.h>
 *
 *	static void hello(struct shoal_invocation *inv)
 *	{
 *		shoal_reply_text(inv, "Hello!");
 *	}
 *
 *	static const struct shoal_command command = {
 *		.name = "hello", .description = "Says hello", .handle = hello,
 *	};
 *	static const struct shoal_command *const commands[] = { &command };
 *
 *	SHOAL_MODULE(hello, .version = "1.0", .description = "Says hello", SHOAL_COMMANDS(commands));
 *
 * The same source is a .so (build/modules/hello.so) or is linked into the worker: shard/modhost/table.c lists those
 * that every worker has, and a build may add its own by defining shoal_extra_modules[] (below).
 *
 * Everything runs on the worker's one loop thread and must not block. What a module does wrong can crash the worker:
 * that is recovery's business (the event is begun again by the next worker, the module is switched off on that shard
 * when it does it often), not a security boundary. */
#ifndef SHOAL_MODULE_H
#define SHOAL_MODULE_H

#include <shoal/bus.h>
#include <shoal/command.h>
#include <shoal/component.h>
#include <shoal/config.h>
#include <shoal/effects.h>
#include <shoal/error.h>
#include <shoal/event.h>
#include <shoal/http.h>
#include <shoal/hierarchy.h>
#include <shoal/level.h>
#include <shoal/fetch.h>
#include <shoal/job.h>
#include <shoal/permissions.h>
#include <shoal/say.h>
#include <shoal/scope.h>
#include <shoal/settings.h>
#include <shoal/snowflake.h>
#include <shoal/store.h>
#include <shoal/status.h>
#include <shoal/view.h>

#define SHOAL_MODULE_NAME_MAX 31

/* An event that the module wants. Several modules may want the same one: they are called in the order in which they
 * were loaded, each with a scope of its own. The intents that the event needs follow from its type. */
struct shoal_event_row {
	enum shoal_event_type type;
	/* @event lives until the function returns. What it goes on to do belongs to @scope. */
	void (*handle)(struct shoal_scope *scope, const struct shoal_event *event);
};

/* Static storage, as is everything that it points to. Filled by SHOAL_MODULE(). */
struct shoal_module {
	uint32_t abi;  /* SHOAL_ABI of the headers it was built with */
	uint32_t size; /* of this struct, there */
	const struct shoal_api **api;
	const char *name; /* a-z, 0-9, '_'; at most SHOAL_MODULE_NAME_MAX */
	const char *version;
	const char *description;
	/* Intents beyond those that follow from the events; Discord's bits (MESSAGE_CONTENT is 1 << 15). */
	uint32_t intents;
	/* What does not work when Discord did not grant a privileged one, for the operator; or NULL. */
	const char *without_intents;

	const struct shoal_command *const *commands;
	size_t command_count;
	const struct shoal_event_row *events;
	size_t event_count;
	const struct shoal_component_row *components;
	size_t component_count;

	/* What servers, channels and members may change: <shoal/config.h>, read by <shoal/settings.h>. */
	uint32_t settings_version; /* of the rows, from 1 on (0 is 1); raised when stored values must change */
	const struct shoal_setting *settings;
	size_t setting_count;
	const struct shoal_job *jobs;
	size_t job_count;
	const struct shoal_statement *statements; /* <shoal/store.h> */
	size_t statement_count;

	/* Before the first event, and again when the module is tried again after it was switched off. Negative errno:
	 * the module is left out, and the log says so. @module is its own scope. Either may be NULL. */
	int (*setup)(struct shoal_scope *module);
	/* In the reverse order of setup, after the calls of all its scopes have ended. */
	void (*cleanup)(struct shoal_scope *module);

	/* As struct shoal_settings_schema's; NULL when stored values never had to change. Pure. */
	int (*settings_migrate)(uint32_t from, const char *name, const char *json, char *out, size_t size);

	const struct shoal_phrase *descriptions; /* @description in other languages: SHOAL_LOCAL(…); or NULL */
	const struct shoal_phrase *phrases;      /* all that it says (<shoal/phrase.h>): SHOAL_PHRASES(…) */
	size_t phrase_count;
};

/* clang-format off */
/* The descriptor of the module @id (its name, without quotes), and the members that differ from nothing. */
#define SHOAL_MODULE(id, ...)                                                                      \
	__attribute__((weak, visibility("hidden"))) const struct shoal_api *shoal_api_table;       \
	extern const struct shoal_module shoal_module_##id;                                        \
	__attribute__((visibility("default"))) const struct shoal_module shoal_module_##id = {     \
		.abi = SHOAL_ABI, .size = sizeof(struct shoal_module), .api = &shoal_api_table,    \
		.name = #id, __VA_ARGS__                                                           \
	}

/* ".commands = commands, .command_count = …" for an array of that name; likewise the others. */
#define SHOAL_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SHOAL_COMMANDS(array)      .commands = (array), .command_count = SHOAL_COUNT(array)
#define SHOAL_EVENT_ROWS(array) .events = (array), .event_count = SHOAL_COUNT(array)
#define SHOAL_COMPONENTS(array)    .components = (array), .component_count = SHOAL_COUNT(array)
#define SHOAL_SETTINGS(version, array) \
	.settings_version = (version), .settings = (array), .setting_count = SHOAL_COUNT(array)
#define SHOAL_STATEMENTS(array) .statements = (array), .statement_count = SHOAL_COUNT(array)
#define SHOAL_JOBS(array)       .jobs = (array), .job_count = SHOAL_COUNT(array)
/* Of SHOAL_PHRASES_DECLARE(catalogue, …). */
#define SHOAL_PHRASES(catalogue)                                 \
	.phrases = (const struct shoal_phrase *)&(catalogue),    \
	.phrase_count = sizeof(catalogue) / sizeof(struct shoal_phrase)
/* clang-format on */

/* Modules that a build links in beside its own: a NULL-terminated list. Weak: a build without one has none. */
extern const struct shoal_module *const shoal_extra_modules[] __attribute__((weak));

/* --- helpers that are functions of the worker, here through its table --- */

#define shoal_snowflake_parse(text, len, ret_id) (shoal_api_table->snowflake_parse((text), (len), (ret_id)))
#define shoal_snowflake_print(id, text)          (shoal_api_table->snowflake_print((id), (text)))
#define shoal_permissions_in_guild(guild, member, now_ms) \
	(shoal_api_table->permissions_in_guild((guild), (member), (now_ms)))
#define shoal_permissions_in_channel(guild, member, channel_id, now_ms, ret_bits) \
	(shoal_api_table->permissions_in_channel((guild), (member), (channel_id), (now_ms), (ret_bits)))
#define shoal_permissions_of_bot(guild, user_id, channel_id, now_ms, ret_bits) \
	(shoal_api_table->permissions_of_bot((guild), (user_id), (channel_id), (now_ms), (ret_bits)))
#define shoal_permissions_outrank(guild, member, other) \
	(shoal_api_table->permissions_outrank((guild), (member), (other)))
#define shoal_permissions_above_role(guild, member, role_id) \
	(shoal_api_table->permissions_above_role((guild), (member), (role_id)))
#define shoal_permission_words(bits, language) (shoal_api_table->permission_words((bits), (language)))
#define shoal_event_name(type)                 (shoal_api_table->event_name((int)(type)))

/* A sentence for a negative error number: English, for the log. Members get phrases. */
static inline const char *shoal_error_text(int error)
{
	return shoal_api_table->error_text(error);
}

#endif
