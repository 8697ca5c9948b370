/* The list of modules. What a descriptor says is checked like any foreign input, though it runs in our process: most
 * wrong ones are mistakes, and a mistake deserves a sentence. */
#include "shard/modhost/loader.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shard/commands/components.h"
#include "shard/commands/registration.h"
#include "shard/commands/registry.h"
#include "shard/modhost/api.h"
#include "shard/modhost/object_file.h"
#include "shard/modhost/table.h"
#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/log/log.h"
#include "shared/phrases/phrases.h"
#include "shared/schedule/repeat.h"

#define ROWS_MAX      256
#define PHRASES_MAX   4096
#define LANE_FIRST    1
#define LANE_HASH_MOD (EFFECT_LANE_MAX - LANE_FIRST)

static struct loaded_module modules[BOARD_MODULES_MAX];
static size_t module_count;

/* --- intents -------------------------------------------------------------------------------------------------------
 */

/* Bits by name, as discord-facts section 5 has them. */
enum {
	GUILDS = 1 << 0,
	MEMBERS = 1 << 1,
	MODERATION = 1 << 2,
	EXPRESSIONS = 1 << 3,
	INTEGRATIONS = 1 << 4,
	WEBHOOKS = 1 << 5,
	INVITES = 1 << 6,
	VOICE = 1 << 7,
	PRESENCES = 1 << 8,
	MESSAGES = 1 << 9 | 1 << 12,
	REACTIONS = 1 << 10 | 1 << 13,
	TYPING = 1 << 11 | 1 << 14,
	SCHEDULED = 1 << 16,
	AUTOMOD_RULES = 1 << 20,
	AUTOMOD_ACTIONS = 1 << 21,
	POLLS = 1 << 24 | 1 << 25,
};

/* What stands in no row comes without an intent. */
static const struct {
	enum shoal_event_type first, last;
	uint32_t intents;
} event_intents[] = {
	{ SHOAL_EVENT_AUTO_MODERATION_RULE_CREATE, SHOAL_EVENT_AUTO_MODERATION_RULE_DELETE, AUTOMOD_RULES },
	{ SHOAL_EVENT_AUTO_MODERATION_ACTION_EXECUTION, SHOAL_EVENT_AUTO_MODERATION_ACTION_EXECUTION, AUTOMOD_ACTIONS },
	{ SHOAL_EVENT_CHANNEL_CREATE, SHOAL_EVENT_CHANNEL_DELETE, GUILDS },
	{ SHOAL_EVENT_CHANNEL_PINS_UPDATE, SHOAL_EVENT_CHANNEL_PINS_UPDATE, GUILDS | MESSAGES },
	{ SHOAL_EVENT_THREAD_CREATE, SHOAL_EVENT_THREAD_MEMBERS_UPDATE, GUILDS },
	{ SHOAL_EVENT_GUILD_CREATE, SHOAL_EVENT_GUILD_DELETE, GUILDS },
	{ SHOAL_EVENT_GUILD_AUDIT_LOG_ENTRY_CREATE, SHOAL_EVENT_GUILD_BAN_REMOVE, MODERATION },
	{ SHOAL_EVENT_GUILD_EMOJIS_UPDATE, SHOAL_EVENT_GUILD_STICKERS_UPDATE, EXPRESSIONS },
	{ SHOAL_EVENT_GUILD_INTEGRATIONS_UPDATE, SHOAL_EVENT_GUILD_INTEGRATIONS_UPDATE, INTEGRATIONS },
	{ SHOAL_EVENT_GUILD_MEMBER_ADD, SHOAL_EVENT_GUILD_MEMBER_UPDATE, MEMBERS },
	{ SHOAL_EVENT_GUILD_ROLE_CREATE, SHOAL_EVENT_GUILD_ROLE_DELETE, GUILDS },
	{ SHOAL_EVENT_GUILD_SCHEDULED_EVENT_CREATE, SHOAL_EVENT_GUILD_SCHEDULED_EVENT_USER_REMOVE, SCHEDULED },
	{ SHOAL_EVENT_GUILD_SOUNDBOARD_SOUND_CREATE, SHOAL_EVENT_GUILD_SOUNDBOARD_SOUNDS_UPDATE, EXPRESSIONS },
	{ SHOAL_EVENT_INTEGRATION_CREATE, SHOAL_EVENT_INTEGRATION_DELETE, INTEGRATIONS },
	{ SHOAL_EVENT_INVITE_CREATE, SHOAL_EVENT_INVITE_DELETE, INVITES },
	{ SHOAL_EVENT_MESSAGE_CREATE, SHOAL_EVENT_MESSAGE_DELETE_BULK, MESSAGES },
	{ SHOAL_EVENT_MESSAGE_REACTION_ADD, SHOAL_EVENT_MESSAGE_REACTION_REMOVE_EMOJI, REACTIONS },
	{ SHOAL_EVENT_MESSAGE_POLL_VOTE_ADD, SHOAL_EVENT_MESSAGE_POLL_VOTE_REMOVE, POLLS },
	{ SHOAL_EVENT_PRESENCE_UPDATE, SHOAL_EVENT_PRESENCE_UPDATE, PRESENCES },
	{ SHOAL_EVENT_TYPING_START, SHOAL_EVENT_TYPING_START, TYPING },
	{ SHOAL_EVENT_STAGE_INSTANCE_CREATE, SHOAL_EVENT_STAGE_INSTANCE_DELETE, GUILDS },
	{ SHOAL_EVENT_VOICE_CHANNEL_EFFECT_SEND, SHOAL_EVENT_VOICE_CHANNEL_EFFECT_SEND, VOICE },
	{ SHOAL_EVENT_VOICE_CHANNEL_START_TIME_UPDATE, SHOAL_EVENT_VOICE_CHANNEL_STATUS_UPDATE, GUILDS },
	{ SHOAL_EVENT_VOICE_STATE_UPDATE, SHOAL_EVENT_VOICE_STATE_UPDATE, VOICE },
	{ SHOAL_EVENT_WEBHOOKS_UPDATE, SHOAL_EVENT_WEBHOOKS_UPDATE, WEBHOOKS },
};

uint32_t loader_event_intents(enum shoal_event_type type)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(event_intents); i++) {
		if (type >= event_intents[i].first && type <= event_intents[i].last)
			return event_intents[i].intents;
	}
	return 0;
}

uint32_t loader_module_intents(const struct loaded_module *module)
{
	const struct shoal_module *rows = &module->rows;
	uint32_t intents = rows->intents;
	size_t i;

	for (i = 0; i < rows->event_count; i++)
		intents |= loader_event_intents(rows->events[i].type);
	return intents;
}

uint32_t loader_intents(void)
{
	uint32_t intents = 0;
	size_t i;

	for (i = 0; i < module_count; i++)
		intents |= loader_module_intents(&modules[i]);
	return intents;
}

/* --- checks --------------------------------------------------------------------------------------------------------
 */

static int PRINTF_LIKE(3, 4) refuse(char *error, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, LOADER_ERROR_SIZE, format, args);
	va_end(args);
	return code;
}

/* The head of every descriptor of every version: the rest is not looked at before it fits. */
static int check_abi(const struct shoal_module *descriptor, char *error)
{
	uint32_t major = descriptor->abi >> 16, minor = descriptor->abi & 0xffff;

	if (major != SHOAL_ABI >> 16 || minor > (SHOAL_ABI & 0xffff))
		return refuse(error, -SHOAL_EVERSION,
			      "it was built for module ABI %u.%u, this worker has %u.%u: build it anew with this "
			      "version's headers (include/shoal)",
			      major, minor, (uint32_t)SHOAL_ABI >> 16, (uint32_t)SHOAL_ABI & 0xffff);
	if (descriptor->size < offsetof(struct shoal_module, intents) || descriptor->size > 65536)
		return refuse(error, -SHOAL_EVERSION, "its descriptor says that it has %u bytes: it is none",
			      descriptor->size);
	return 0;
}

static bool is_name(const char *name)
{
	size_t len = name ? strlen(name) : 0;

	return len > 0 && len <= SHOAL_MODULE_NAME_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

static int check_job(const struct shoal_module *rows, size_t at, char *error)
{
	const struct shoal_job *job = &rows->jobs[at];
	char problem[REPEAT_ERROR_SIZE];
	struct repeat repeat;
	size_t i;

	if (!job->name || !is_name(job->name) || !job->handle)
		return refuse(error, -EINVAL,
			      "job row %zu: a handler is needed, and a name of 1 to %d of a-z, 0-9 and '_'", at,
			      SHOAL_JOB_NAME_MAX);
	for (i = 0; i < at; i++) {
		if (strcmp(rows->jobs[i].name, job->name) == 0)
			return refuse(error, -EEXIST, "it has two jobs %s", job->name);
	}
	if ((uint32_t)job->late > SHOAL_JOB_LATE_TELL)
		return refuse(error, -EINVAL, "job %s: there is no such policy for late runs", job->name);
	if (job->repeat && repeat_parse(job->repeat, &repeat, problem) < 0)
		return refuse(error, -EINVAL, "job %s: %s can't be read: %s", job->name, job->repeat, problem);
	return 0;
}

static int check_phrases(const struct shoal_module *rows, char *error)
{
	char why[PHRASES_ERROR_SIZE];

	if (rows->phrase_count > PHRASES_MAX || (rows->phrase_count && !rows->phrases))
		return refuse(error, -EINVAL, "it has more than %d phrases, or none where it says that there are some",
			      PHRASES_MAX);
	for (size_t i = 0; i < rows->phrase_count; i++)
		if (phrases_check(&rows->phrases[i], why) < 0)
			return refuse(error, -EINVAL, "%s", why);
	return 0;
}

static int check_rows(const struct shoal_module *rows, char *error)
{
	size_t i;
	int r = check_phrases(rows, error);

	if (rows->command_count > ROWS_MAX || rows->event_count > ROWS_MAX || rows->component_count > ROWS_MAX ||
	    rows->setting_count > ROWS_MAX || rows->statement_count > ROWS_MAX || rows->job_count > ROWS_MAX)
		return refuse(error, -EINVAL, "it has more than %d rows of a kind", ROWS_MAX);
	for (i = 0; r == 0 && i < rows->command_count; i++)
		r = registration_check(rows->commands[i], error);
	for (i = 0; r == 0 && i < rows->event_count; i++) {
		if (rows->events[i].type <= SHOAL_EVENT_UNKNOWN || rows->events[i].type >= SHOAL_EVENT_COUNT ||
		    !rows->events[i].handle)
			r = refuse(error, -EINVAL, "event row %zu has no event or no handler", i);
	}
	for (i = 0; r == 0 && i < rows->job_count; i++)
		r = check_job(rows, i, error);
	return r;
}

/* --- taking up -----------------------------------------------------------------------------------------------------
 */

static bool lane_is_taken(uint32_t lane)
{
	size_t i;

	for (i = 0; i < module_count; i++) {
		if (modules[i].lane == lane)
			return true;
	}
	return false;
}

/* By the name, so that a worker with other modules beside it (an upgrade) finds the same effects. */
static uint32_t lane_of(const char *name)
{
	uint32_t hash = 2166136261u, lane;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	lane = LANE_FIRST + hash % LANE_HASH_MOD;
	while (lane_is_taken(lane))
		lane = lane == EFFECT_LANE_MAX ? LANE_FIRST : lane + 1;
	return lane;
}

/* Whether everything can be registered, so that nothing is half there afterwards. */
static int check_conflicts(const struct loaded_module *module, char *error)
{
	const struct shoal_module *rows = &module->rows;
	enum shoal_command_kind kind;
	size_t i, skip;

	for (i = 0; i < module_count; i++) {
		if (strcmp(modules[i].name, module->name) == 0)
			return refuse(error, -EEXIST, "a module of that name is loaded already");
	}
	for (kind = SHOAL_COMMAND_SLASH; kind <= SHOAL_COMMAND_MESSAGE; kind++) {
		size_t most = kind == SHOAL_COMMAND_SLASH ? REGISTRY_SLASH_MAX : REGISTRY_MENU_MAX;
		size_t count = registry_count_kind(kind);

		for (i = 0; i < rows->command_count; i++)
			count += rows->commands[i]->kind == kind;
		if (count > most)
			return refuse(error, -ENOBUFS,
				      "Discord takes %zu commands of a kind a bot, with this module there would be %zu",
				      most, count);
	}
	for (i = 0; i < rows->command_count; i++) {
		const char *name = rows->commands[i]->name;

		if (registry_find_kind((uint32_t)rows->commands[i]->kind + 1,
				       (struct shoal_str){ name, (uint32_t)strlen(name) }))
			return refuse(error, -EEXIST, "another module has a command /%s", name);
	}
	for (i = 0; i < rows->component_count; i++) {
		const char *prefix = rows->components[i].prefix ? rows->components[i].prefix : "";
		struct module_entry *owner;

		if (components_find((struct shoal_str){ prefix, (uint32_t)strlen(prefix) }, &skip, &owner))
			return refuse(error, -EEXIST, "another module has the custom ids of %s", prefix);
	}
	return 0;
}

static int register_rows(struct loaded_module *module, char *error)
{
	const struct shoal_module *rows = &module->rows;
	size_t i;
	int r;

	/* The components first: theirs is the check that is not made before. */
	for (i = 0; i < rows->component_count; i++) {
		r = components_add(&rows->components[i], module->name, &module->entry);
		if (r < 0) {
			components_remove(&module->entry);
			return refuse(error, r,
				      "component row %zu: a handler is needed, and a prefix that is \"%s\" or begins "
				      "with \"%s.\", without ':'",
				      i, module->name, module->name);
		}
	}
	for (i = 0; i < rows->command_count; i++) {
		r = registry_add(rows->commands[i], &module->entry);
		if (r < 0) { /* twice the same name within the module */
			registry_remove(&module->entry);
			components_remove(&module->entry);
			return refuse(error, r, "it has two commands /%s", rows->commands[i]->name);
		}
	}
	return 0;
}

int loader_add(const struct shoal_module *descriptor, const char *file, char error[LOADER_ERROR_SIZE])
{
	struct loaded_module *module = &modules[module_count];
	int r;

	r = check_abi(descriptor, error);
	if (r < 0)
		return r;
	if (module_count == BOARD_MODULES_MAX)
		return refuse(error, -ENOBUFS, "there are %d modules already, which is all that fit",
			      BOARD_MODULES_MAX);
	memset(module, 0, sizeof(*module));
	memcpy(&module->rows, descriptor,
	       descriptor->size < sizeof(module->rows) ? descriptor->size : sizeof(module->rows));
	if (!is_name(module->rows.name) || !module->rows.api)
		return refuse(error, -EINVAL, "its name must be 1 to %d of a-z, 0-9 and '_'", SHOAL_MODULE_NAME_MAX);
	strcpy(module->name, module->rows.name);
	snprintf(module->file, sizeof(module->file), "%s", file ? file : "");
	module->entry.name = module->name;
	r = check_rows(&module->rows, error);
	if (r == 0)
		r = check_conflicts(module, error);
	if (r == 0)
		r = declared_take(&module->rows, module->name, &module->declared, error);
	if (r == 0)
		r = register_rows(module, error);
	if (r < 0) {
		declared_finish(&module->declared);
		return r;
	}
	module->lane = lane_of(module->name);
	*module->rows.api = &api_table;
	module_count++;
	return 0;
}

void loader_add_linked(void)
{
	const struct shoal_module *descriptor;
	char error[LOADER_ERROR_SIZE];
	size_t i;
	int r;

	for (i = 0; (descriptor = table_module(i)); i++) {
		r = loader_add(descriptor, NULL, error);
		if (r < 0)
			log_error(NULL, "modules.refused", KV_MSG("a module that is linked in was left out"),
				  KV_STR("module", descriptor->name), KV_STR("reason", error), KV_ERR(r));
	}
}

/* --- shared objects ------------------------------------------------------------------------------------------------
 */

static json_t *refused; /* [{module, file, reason}], for the manifest */

static json_t *text_or_null(const char *text)
{
	json_t *json = text && *text ? json_string(text) : NULL;

	return json ? json : json_null();
}

static bool tells = true;

void loader_tell(bool tell)
{
	tells = tell;
}

static const json_t *told; /* borrowed: [{name, reason}] that another has said */

void loader_told(const json_t *by_others)
{
	told = by_others;
}

static bool is_told(const char *name, const char *reason)
{
	const json_t *one;
	size_t i;

	json_array_foreach(told, i, one)
	{
		const char *other = json_string_value(json_object_get(one, "name"));
		const char *why = json_string_value(json_object_get(one, "reason"));

		if (other && why && strcmp(other, name) == 0 && strcmp(why, reason) == 0)
			return true;
	}
	return false;
}

/* The sentence is the message, so that it is read wherever messages are. */
static void tell_refusal(const char *name, const char *file, const char *reason)
{
	enum log_level level = is_told(name, reason) ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR;
	char text[SHOAL_MODULE_NAME_MAX * 2 + LOADER_ERROR_SIZE + 64];

	if (level < log_get_level())
		return;
	snprintf(text, sizeof(text), "module %s is left out: %s", name, reason);

	const struct log_field fields[] = { KV_MSG(text), KV_STR("module_name", name), KV_STR("file", file) };

	log_write(level, NULL, "modules.refused", fields, ARRAY_SIZE(fields));
}

static void note_refusal(const char *name, const char *file, const char *reason)
{
	if (tells)
		tell_refusal(name, file, reason);
	if (!refused)
		refused = json_array();
	json_array_append_new(refused,
			      json_pack("{s:s, s:s, s:o}", "name", name, "file", file, "reason", text_or_null(reason)));
}

json_t *loader_refused(void)
{
	return refused ? json_incref(refused) : json_array();
}

/* Its constructors run with dlopen(), so what others may write is not opened. */
static int check_file(const char *path, char *error)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return refuse(error, -errno, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return refuse(error, -EINVAL, "it is no file");
	if (st.st_mode & S_IWOTH)
		return refuse(error, -EPERM, "anybody may write to it: chmod o-w");
	return object_file_check(path, error, LOADER_ERROR_SIZE);
}

static const struct loader_guard *guard;

void loader_set_guard(const struct loader_guard *new_guard)
{
	guard = new_guard;
}

/* Never closed: what it has registered somewhere would be left hanging. */
static int load(const char *name, const char *path, char *error)
{
	const struct shoal_module *descriptor;
	char symbol[96];
	void *object;
	int r;

	object = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!object)
		return refuse(error, -ENOEXEC, "it can't be loaded: %s", dlerror());
	snprintf(symbol, sizeof(symbol), "shoal_module_%s", name);
	descriptor = dlsym(object, symbol);
	if (!descriptor)
		return refuse(error, -ENOEXEC,
			      "it is no module of that name: it has no %s; it ends with SHOAL_MODULE(%s, …)", symbol,
			      name);
	r = loader_add(descriptor, path, error);
	if (r == 0 && strcmp(modules[module_count - 1].name, name) != 0)
		log_warn(NULL, "modules.name_differs", KV_STR("module_name", modules[module_count - 1].name),
			 KV_STR("file", path));
	return r;
}

static int add_file(const char *name, const char *path, char *error)
{
	int r;

	if (!is_name(name))
		return refuse(error, -EINVAL, "a module's name is 1 to %d of a-z, 0-9 and '_'", SHOAL_MODULE_NAME_MAX);
	r = check_file(path, error);
	if (r == 0 && guard)
		r = guard->before(guard->arg, name, path, error);
	if (r < 0)
		return r;
	r = load(name, path, error);
	if (guard)
		guard->after(guard->arg, name, r >= 0);
	return r;
}

void loader_default_dir(char dir[LOADER_PATH_SIZE])
{
	char self[LOADER_PATH_SIZE - 64];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[len > 0 ? len : 0] = '\0';
	slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	snprintf(dir, LOADER_PATH_SIZE, "%s/modules", self);
	if (access(dir, F_OK) < 0)
		snprintf(dir, LOADER_PATH_SIZE, "%s/../lib/shoal/modules", self);
}

static void add_named(const char *dir, const char *name, size_t len)
{
	char text[SHOAL_MODULE_NAME_MAX * 2], path[LOADER_PATH_SIZE + 96], error[LOADER_ERROR_SIZE] = "";
	int r;

	snprintf(text, sizeof(text), "%.*s", (int)len, name);
	snprintf(path, sizeof(path), "%s/%s.so", dir, text);
	r = add_file(text, path, error);
	if (r < 0)
		note_refusal(text, path, error);
	else
		log_debug(NULL, "modules.loaded", KV_STR("module_name", text), KV_STR("file", path));
}

static int is_object(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 3 && strcmp(entry->d_name + len - 3, ".so") == 0;
}

static void add_all(const char *dir)
{
	struct dirent **entries = NULL;
	int i, count = scandir(dir, &entries, is_object, alphasort);

	if (count < 0 && errno != ENOENT)
		log_error(NULL, "modules.no_dir", KV_MSG("the folder of modules can't be read (modules.dir)"),
			  KV_STR("folder", dir), KV_ERR(-errno));
	for (i = 0; i < count; i++) {
		add_named(dir, entries[i]->d_name, strlen(entries[i]->d_name) - 3);
		free(entries[i]);
	}
	free(entries);
}

void loader_add_files(const char *given_dir, const char *names)
{
	char dir[LOADER_PATH_SIZE];

	if (given_dir && *given_dir)
		snprintf(dir, sizeof(dir), "%s", given_dir);
	else
		loader_default_dir(dir);
	while (*names) {
		size_t len;

		names += strspn(names, ", \t");
		len = strcspn(names, ", \t");
		if (len == 1 && *names == '*')
			add_all(dir);
		else if (len > 0)
			add_named(dir, names, len);
		names += len;
	}
}

int loader_register(struct schemas *schemas, struct db *db)
{
	char error[VALUE_ERROR_SIZE] = "";
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < module_count; i++) {
		const struct declared *declared = &modules[i].declared;

		if (declared->schema.count)
			r = schemas_add(schemas, &declared->schema, error);
		if (r == 0 && declared->statements.count && db)
			r = db_add_set(db, &declared->statements);
		if (r < 0)
			log_error(NULL, "modules.not_registered", KV_STR("module_name", modules[i].name),
				  KV_STR("reason", error), KV_ERR(r));
	}
	return r;
}

void loader_clear(void)
{
	size_t i;

	for (i = 0; i < module_count; i++)
		declared_finish(&modules[i].declared);
	module_count = 0;
	json_decref(refused);
	refused = NULL;
	registry_clear();
	components_clear();
}

size_t loader_count(void)
{
	return module_count;
}

struct loaded_module *loader_get(size_t i)
{
	return &modules[i];
}

/* --- the manifest --------------------------------------------------------------------------------------------------
 */

static json_t *module_to_json(const struct loaded_module *module)
{
	const struct shoal_module *rows = &module->rows;
	json_t *events = json_array(), *commands = json_array(), *components = json_array();
	size_t i;

	for (i = 0; i < rows->event_count; i++)
		json_array_append_new(events, json_string(shoal_event_name(rows->events[i].type)));
	for (i = 0; i < rows->command_count; i++)
		json_array_append_new(commands, json_string(rows->commands[i]->name));
	for (i = 0; i < rows->component_count; i++)
		json_array_append_new(components, json_string(rows->components[i].prefix));
	return json_pack("{s:s, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o}", "name", module->name, "version",
			 text_or_null(rows->version), "description", text_or_null(rows->description), "file",
			 text_or_null(module->file), "intents", (json_int_t)loader_module_intents(module),
			 "without_intents", text_or_null(rows->without_intents), "events", events, "commands", commands,
			 "components", components);
}

/* What shoalctl makes a row of again; a check is code and stays here. */
static json_t *setting_to_json(const struct shoal_setting *row)
{
	return json_pack("{s:s, s:i, s:I, s:I, s:I, s:I, s:f, s:f, s:o, s:o, s:s, s:o, s:b}", "name", row->name, "type",
			 (int)row->type, "layers", (json_int_t)row->layers, "flags", (json_int_t)row->flags, "min",
			 (json_int_t)row->min, "max", (json_int_t)row->max, "number_min", row->number_min, "number_max",
			 row->number_max, "choices", text_or_null(row->choices), "fallback",
			 row->fallback ? json_string(row->fallback) : json_null(), "description", row->description,
			 "formerly", text_or_null(row->formerly), "checked", row->check != NULL);
}

json_t *loader_schema_to_json(const struct shoal_settings_schema *schema)
{
	json_t *rows = json_array();
	size_t i;

	for (i = 0; i < schema->count; i++)
		json_array_append_new(rows, setting_to_json(&schema->rows[i]));
	return json_pack("{s:s, s:I, s:o}", "owner", schema->owner, "version", (json_int_t)schema->version, "rows",
			 rows);
}

json_t *loader_settings_to_json(void)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < module_count; i++) {
		if (modules[i].declared.schema.count)
			json_array_append_new(list, loader_schema_to_json(&modules[i].declared.schema));
	}
	return list;
}

json_t *loader_to_json(void)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < module_count; i++)
		json_array_append_new(list, module_to_json(&modules[i]));
	return list;
}
