/* Command registration. Run by the supervisor, beside the start of the shards and never in its way: a bot whose
 * commands are registered already serves at once. A refusal is the operator's to read; it must not be repeated. */
#include "supervisor/commandsync.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/base/random.h"
#include "shared/log/log.h"

#define TYPE_SLASH       1
#define TYPE_ENTRY_POINT 4
#define BACKOFF_FLOOR_MS 2000
#define BACKOFF_CAP_MS   300000
#define NAMES_MAX        1024
#define DEPTH_MAX        8

static const char *const state_names[COMMANDSYNC_STATE_COUNT] = {
	[COMMANDSYNC_OFF] = "off",         [COMMANDSYNC_ASKING] = "asking",
	[COMMANDSYNC_WRITING] = "writing", [COMMANDSYNC_UNCHANGED] = "unchanged",
	[COMMANDSYNC_WRITTEN] = "written", [COMMANDSYNC_REFUSED] = "refused",
};

const char *commandsync_state_name(enum commandsync_state state)
{
	return (unsigned)state < COMMANDSYNC_STATE_COUNT ? state_names[state] : "unknown";
}

/* --- normal form ------------------------------------------------------------------------------------------------- */

enum field_kind {
	FIELD_PLAIN,   /* as it is; null means absent */
	FIELD_FALSE,   /* false means absent */
	FIELD_EMPTY,   /* "", {} and [] mean absent */
	FIELD_SET,     /* an array whose order means nothing */
	FIELD_OPTIONS, /* an array of options or choices, each normalised */
	FIELD_TYPE,    /* absent means 1 */
	FIELD_NUMBER,  /* 1.0 is 1 */
};

static const struct field_row {
	const char *name;
	enum field_kind kind;
} fields[] = {
	{ "type", FIELD_TYPE },
	{ "name", FIELD_PLAIN },
	{ "name_localizations", FIELD_EMPTY },
	{ "description", FIELD_EMPTY },
	{ "description_localizations", FIELD_EMPTY },
	{ "options", FIELD_OPTIONS },
	{ "choices", FIELD_OPTIONS },
	{ "value", FIELD_NUMBER },
	{ "default_member_permissions", FIELD_PLAIN },
	{ "nsfw", FIELD_FALSE },
	{ "contexts", FIELD_SET },
	{ "integration_types", FIELD_SET },
	{ "required", FIELD_FALSE },
	{ "autocomplete", FIELD_FALSE },
	{ "channel_types", FIELD_SET },
	{ "file_types", FIELD_SET },
	{ "min_value", FIELD_NUMBER },
	{ "max_value", FIELD_NUMBER },
	{ "min_length", FIELD_PLAIN },
	{ "max_length", FIELD_PLAIN },
};

static json_t *normalise(const json_t *object, int depth);

static json_t *normalise_list(const json_t *list, int depth)
{
	json_t *out = json_array(), *item;
	size_t i;

	json_array_foreach(list, i, item) json_array_append_new(out, normalise(item, depth + 1));
	return out;
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* As one text, its members sorted. */
static json_t *normalise_set(const json_t *list)
{
	size_t count = json_array_size(list);
	char **texts = calloc(count + 1, sizeof(*texts));
	json_t *out = json_array();

	if (!texts)
		return out;
	for (size_t i = 0; i < count; i++)
		texts[i] = json_dumps(json_array_get(list, i), JSON_ENCODE_ANY | JSON_COMPACT);
	for (size_t i = 0; i < count; i++)
		if (!texts[i])
			texts[i] = strdup("");
	qsort(texts, count, sizeof(*texts), compare_text);
	for (size_t i = 0; i < count; i++) {
		json_array_append_new(out, json_string(texts[i]));
		free(texts[i]);
	}
	free(texts);
	return out;
}

static json_t *normalise_number(const json_t *value)
{
	double number;

	if (!json_is_real(value))
		return json_deep_copy(value);
	number = json_real_value(value);
	if (floor(number) == number && fabs(number) < 9007199254740992.0)
		return json_integer((json_int_t)number);
	return json_real(number);
}

static bool is_empty(const json_t *value)
{
	return (json_is_string(value) && json_string_length(value) == 0) ||
	       (json_is_object(value) && json_object_size(value) == 0) ||
	       (json_is_array(value) && json_array_size(value) == 0);
}

/* NULL: to be left out. */
static json_t *normalise_field(const struct field_row *row, const json_t *value, int depth)
{
	if (row->kind == FIELD_TYPE)
		return json_is_integer(value) ? json_deep_copy(value) : json_integer(TYPE_SLASH);
	if (!value || json_is_null(value))
		return NULL;
	switch (row->kind) {
	case FIELD_FALSE:
		return json_is_false(value) ? NULL : json_deep_copy(value);
	case FIELD_EMPTY:
		return is_empty(value) ? NULL : json_deep_copy(value);
	case FIELD_SET:
		return is_empty(value) ? NULL : normalise_set(value);
	case FIELD_OPTIONS:
		return is_empty(value) || depth >= DEPTH_MAX ? NULL : normalise_list(value, depth);
	case FIELD_NUMBER:
		return normalise_number(value);
	default:
		return json_deep_copy(value);
	}
}

static json_t *normalise(const json_t *object, int depth)
{
	json_t *out = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		json_t *value = normalise_field(&fields[i], json_object_get(object, fields[i].name), depth);

		if (value)
			json_object_set_new(out, fields[i].name, value);
	}
	return out;
}

json_t *commandsync_normalise(const json_t *command)
{
	return json_is_string(json_object_get(command, "name")) ? normalise(command, 0) : NULL;
}

/* --- comparison -------------------------------------------------------------------------------------------------- */

static json_int_t type_of(const json_t *command)
{
	const json_t *type = json_object_get(command, "type");

	return json_is_integer(type) ? json_integer_value(type) : TYPE_SLASH;
}

static const char *name_of(const json_t *command)
{
	const char *name = json_string_value(json_object_get(command, "name"));

	return name ? name : "";
}

static const json_t *find(const json_t *list, const json_t *like)
{
	size_t i;
	const json_t *item;

	json_array_foreach(list, i, item) if (type_of(item) == type_of(like) &&
					      strcmp(name_of(item), name_of(like)) == 0) return item;
	return NULL;
}

/* Where ours says nothing Discord fills in the application's own defaults: no difference. */
static bool same(const json_t *ours, const json_t *theirs)
{
	static const char *const filled_in[] = { "contexts", "integration_types" };
	json_t *a = commandsync_normalise(ours), *b = commandsync_normalise(theirs);
	bool equal;

	for (size_t i = 0; i < ARRAY_SIZE(filled_in); i++)
		if (!json_object_get(a, filled_in[i]))
			json_object_del(b, filled_in[i]);
	equal = a && b && json_equal(a, b);
	json_decref(a);
	json_decref(b);
	return equal;
}

static void note(struct commandsync_difference *difference, char sign, const json_t *command)
{
	/* Full is full: the counts tell the rest. */
	if (difference->names.len + strlen(name_of(command)) + 2 < NAMES_MAX)
		buf_printf(&difference->names, "%s%c%s", difference->names.len > 0 ? " " : "", sign, name_of(command));
}

int commandsync_compare(const json_t *ours, const json_t *theirs, struct commandsync_difference *ret_difference)
{
	struct commandsync_difference difference = { 0 };
	size_t i;
	const json_t *command;

	if (!json_is_array(theirs) || !json_is_array(ours))
		return -EBADMSG;
	json_array_foreach(theirs, i, command) if (!json_is_string(json_object_get(command, "name"))) return -EBADMSG;
	buf_init(&difference.names, NAMES_MAX);
	json_array_foreach(ours, i, command)
	{
		const json_t *other = find(theirs, command);

		if (!other) {
			difference.added++;
			note(&difference, '+', command);
		} else if (!same(command, other)) {
			difference.changed++;
			note(&difference, '~', command);
		}
	}
	json_array_foreach(theirs, i, command) if (type_of(command) != TYPE_ENTRY_POINT && !find(ours, command))
	{
		difference.removed++;
		note(&difference, '-', command);
	}
	*ret_difference = difference;
	return 0;
}

json_t *commandsync_body(const json_t *ours, const json_t *theirs)
{
	static const char *const server_made[] = { "id", "application_id", "version", "guild_id" };
	json_t *body = json_deep_copy(ours), *command;
	size_t i;

	json_array_foreach(theirs, i, command)
	{
		json_t *kept;

		if (type_of(command) != TYPE_ENTRY_POINT || find(ours, command))
			continue;
		kept = json_deep_copy(command);
		for (size_t key = 0; key < ARRAY_SIZE(server_made); key++)
			json_object_del(kept, server_made[key]);
		json_array_append_new(body, kept);
	}
	return body;
}

/* --- the exchange ------------------------------------------------------------------------------------------------ */

struct commandsync {
	struct rest *rest;
	uint64_t application_id;
	struct commandsync_scope *scopes;
	size_t scope_count, at; /* at: the one at work */
	commandsync_fn fn;
	void *arg;
	enum commandsync_state worst; /* of those that are through */
	json_t *body;
	struct commandsync_difference difference;
	enum commandsync_state state;
	struct timer timer;
	uint64_t handle;
	uint32_t failures;
	bool closing;
};

static void ask(struct commandsync *sync);

static void try_later(struct commandsync *sync, const char *what, const char *text)
{
	uint32_t steps = sync->failures < 16 ? sync->failures : 16;
	uint64_t wait_ms = (uint64_t)BACKOFF_FLOOR_MS << steps;

	if (wait_ms > BACKOFF_CAP_MS)
		wait_ms = BACKOFF_CAP_MS;
	wait_ms -= random_below(wait_ms / 4);
	sync->failures++;
	timer_start(&sync->timer, wait_ms);
	log_warn(NULL, "commands.sync_waits", KV_STR("during", what), KV_STR("why", text), KV_MS("wait", wait_ms),
		 KV_MSG("the application's commands could not be compared with Discord's; tried again. Commands that "
			"are registered already work meanwhile"));
}

static const struct commandsync_scope *scope_of(const struct commandsync *sync)
{
	return &sync->scopes[sync->at];
}

static struct log_ctx context_of(const struct commandsync *sync)
{
	return (struct log_ctx){ .shard = -1, .guild_id = scope_of(sync)->guild_id };
}

static void finish(struct commandsync *sync, enum commandsync_state state)
{
	json_decref(sync->body);
	sync->body = NULL;
	sync->failures = 0;
	if (sync->at == 0 || state > sync->worst)
		sync->worst = state;
	if (sync->fn)
		sync->fn(sync->arg, scope_of(sync)->guild_id, state);
	if (++sync->at < sync->scope_count) {
		sync->state = COMMANDSYNC_ASKING;
		timer_start(&sync->timer, 0);
	} else {
		sync->state = sync->worst;
	}
}

/* A refusal of the request itself (a 4xx that is no rate limit): the same request would be refused again. */
static bool is_refusal(const struct rest_result *result)
{
	return result->http_status >= 400 && result->http_status < 500 && result->http_status != 429;
}

static void refused(struct commandsync *sync, const char *what, const struct rest_result *result)
{
	struct log_ctx ctx = context_of(sync);

	log_error(&ctx, "commands.refused", KV_STR("during", what), KV_INT("http_status", result->http_status),
		  KV_INT("discord_code", result->discord_code), KV_STR("why", result->message),
		  KV_MSG("Discord refused the application's commands; it keeps those it had. Mend the command named "
			 "here and restart"));
	finish(sync, COMMANDSYNC_REFUSED);
}

static void put_answered(void *arg, const struct rest_result *result)
{
	struct commandsync *sync = arg;
	struct log_ctx ctx = context_of(sync);

	sync->handle = 0;
	if (sync->closing || result->error == -ECANCELED)
		return;
	if (result->error == 0) {
		log_info(&ctx, "commands.registered", KV_INT("added", sync->difference.added),
			 KV_INT("changed", sync->difference.changed), KV_INT("removed", sync->difference.removed),
			 KV_STR("commands", buf_cstr(&sync->difference.names)));
		finish(sync, COMMANDSYNC_WRITTEN);
	} else if (is_refusal(result))
		refused(sync, "PUT commands", result);
	else
		try_later(sync, "PUT commands", result->message[0] ? result->message : error_text(result->error));
}

static void put(struct commandsync *sync)
{
	struct rest_request request = {
		.route = scope_of(sync)->guild_id ? ROUTE_PUT_GUILD_COMMANDS : ROUTE_PUT_COMMANDS,
		.args.ids = { [ROUTE_ID_APPLICATION] = sync->application_id,
			      [ROUTE_ID_GUILD] = scope_of(sync)->guild_id },
		.json = json_incref(sync->body),
		.deadline_ms = 60000,
	};
	int r = rest_send(sync->rest, &request, put_answered, sync, &sync->handle);

	if (r < 0)
		try_later(sync, "PUT commands", error_text(r));
}

static void get_answered(void *arg, const struct rest_result *result)
{
	struct commandsync *sync = arg;
	struct log_ctx ctx = context_of(sync);
	int r;

	sync->handle = 0;
	if (sync->closing || result->error == -ECANCELED)
		return;
	if (result->error < 0 && is_refusal(result)) {
		refused(sync, "GET commands", result);
		return;
	}
	if (result->error < 0) {
		try_later(sync, "GET commands", result->message[0] ? result->message : error_text(result->error));
		return;
	}
	buf_finish(&sync->difference.names);
	r = commandsync_compare(scope_of(sync)->commands, result->body, &sync->difference);
	if (r < 0) {
		try_later(sync, "GET commands", "the answer is not a list of commands");
		return;
	}
	if (sync->difference.added + sync->difference.changed + sync->difference.removed == 0) {
		log_info(&ctx, "commands.unchanged",
			 KV_INT("commands", (int64_t)json_array_size(scope_of(sync)->commands)));
		finish(sync, COMMANDSYNC_UNCHANGED);
		return;
	}
	json_decref(sync->body);
	sync->body = commandsync_body(scope_of(sync)->commands, result->body);
	sync->state = COMMANDSYNC_WRITING;
	put(sync);
}

static void ask(struct commandsync *sync)
{
	struct rest_request request = {
		.route = scope_of(sync)->guild_id ? ROUTE_GET_GUILD_COMMANDS : ROUTE_GET_COMMANDS,
		.args.ids = { [ROUTE_ID_APPLICATION] = sync->application_id,
			      [ROUTE_ID_GUILD] = scope_of(sync)->guild_id },
		.query = "with_localizations=true",
		.deadline_ms = 60000,
	};
	int r = rest_send(sync->rest, &request, get_answered, sync, &sync->handle);

	if (r < 0)
		try_later(sync, "GET commands", error_text(r));
}

static void timer_passed(void *arg)
{
	struct commandsync *sync = arg;

	/* A PUT that failed is compared anew: it may have happened. */
	sync->state = COMMANDSYNC_ASKING;
	ask(sync);
}

/* A server's own commands work there and nowhere else: Discord knows neither contexts nor installs of them. */
static json_t *commands_of(const struct commandsync_scope *scope)
{
	json_t *list, *command;
	size_t i;

	if (!scope->guild_id)
		return json_incref(scope->commands);
	list = json_deep_copy(scope->commands);
	json_array_foreach(list, i, command)
	{
		json_object_del(command, "contexts");
		json_object_del(command, "integration_types");
	}
	return list;
}

static void sync_free(struct commandsync *sync)
{
	for (size_t i = 0; sync->scopes && i < sync->scope_count; i++)
		json_decref(sync->scopes[i].commands);
	free(sync->scopes);
	json_decref(sync->body);
	buf_finish(&sync->difference.names);
	free(sync);
}

int commandsync_new(struct loop *loop, struct rest *rest, uint64_t application_id,
		    const struct commandsync_scope *scopes, size_t scope_count, commandsync_fn fn, void *arg,
		    struct commandsync **ret_sync)
{
	struct commandsync *sync;
	int r;

	if (scope_count == 0)
		return -EINVAL;
	sync = calloc(1, sizeof(*sync));
	if (!sync)
		return -ENOMEM;
	sync->rest = rest;
	sync->application_id = application_id;
	sync->state = COMMANDSYNC_ASKING;
	sync->fn = fn;
	sync->arg = arg;
	sync->scopes = calloc(scope_count, sizeof(*sync->scopes));
	sync->scope_count = scope_count;
	r = sync->scopes ? timer_init(&sync->timer, loop, timer_passed, sync) : -ENOMEM;
	if (r < 0) {
		sync_free(sync);
		return r;
	}
	for (size_t i = 0; i < scope_count; i++) {
		sync->scopes[i].guild_id = scopes[i].guild_id;
		sync->scopes[i].commands = commands_of(&scopes[i]);
	}
	timer_start(&sync->timer, 0);
	*ret_sync = sync;
	return 0;
}

enum commandsync_state commandsync_state(const struct commandsync *sync)
{
	return sync ? sync->state : COMMANDSYNC_OFF;
}

static void timer_closed(void *arg)
{
	sync_free(arg);
}

void commandsync_close(struct commandsync *sync)
{
	if (!sync || sync->closing)
		return;
	sync->closing = true;
	if (sync->handle != 0)
		rest_cancel(sync->rest, sync->handle);
	timer_close(&sync->timer, timer_closed);
}
