/* The switches' schema and their cache of bits. What says whether it is still right is the settings' generation. */
#include "shard/modhost/switches.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard/modhost/loader.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/phrases/phrases.h"

#define SLOTS    4096 /* a power of two */
#define TRUST_NS NS_PER_S

_Static_assert(BOARD_MODULES_MAX <= 32, "a bit each");

/* Of the schema; static storage as it must be. */
static struct shoal_setting rows[BOARD_MODULES_MAX];
static char descriptions[BOARD_MODULES_MAX][SHOAL_LANGUAGE_COUNT][128];
static struct shoal_phrase local_descriptions[BOARD_MODULES_MAX];
static struct shoal_settings_schema schema = { .owner = SWITCHES_OWNER, .version = 1, .rows = rows };

struct slot {
	uint64_t guild_id, generation, until_ns;
	uint32_t on;
	bool taken;
};

struct switches {
	struct settings *settings;
	struct slot slots[SLOTS];
};

/* --- the schema ----------------------------------------------------------------------------------------------------
 */

static bool is_core(const char *name)
{
	return strcmp(name, "core") == 0;
}

/* Whether @name is among the words of @defaults; the last word that speaks of it counts. */
static bool is_default(const char *defaults, const char *name)
{
	bool on = false;
	size_t len, size = strlen(name);

	for (; *defaults; defaults += len) {
		bool off;

		defaults += strspn(defaults, ", \t");
		off = *defaults == '-';
		defaults += off;
		len = strcspn(defaults, ", \t");
		if ((len == 1 && *defaults == '*') || (len == size && strncmp(defaults, name, len) == 0))
			on = !off;
	}
	return on;
}

static int check_defaults(const char *defaults, char error[VALUE_ERROR_SIZE])
{
	size_t len;

	for (; *defaults; defaults += len) {
		defaults += strspn(defaults, ", \t");
		defaults += *defaults == '-';
		len = strcspn(defaults, ", \t");
		if ((len == 1 && *defaults == '*') || strspn(defaults, "abcdefghijklmnopqrstuvwxyz0123456789_") >= len)
			continue;
		snprintf(error, VALUE_ERROR_SIZE,
			 "modules.default: \"%.*s\" is no module's name: names joined by commas, \"-\" before those "
			 "that are off, \"*\" for all",
			 (int)(len < 40 ? len : 40), defaults);
		return -EINVAL;
	}
	return 0;
}

static void describe(size_t at, const char *module)
{
	for (int i = 0; i < SHOAL_LANGUAGE_COUNT; i++)
		local_descriptions[at].text[i] = phrases_print_text(&phrase_MODULE_SWITCH, (enum shoal_language)i,
								    &(struct shoal_word){ "module", module }, 1,
								    descriptions[at][i], sizeof(descriptions[at][i]));
}

int switches_register(struct schemas *schemas, const char *defaults, char error[VALUE_ERROR_SIZE])
{
	int r = check_defaults(defaults, error);

	if (r < 0)
		return r;
	schema.count = 0;
	for (size_t i = 0; i < loader_count(); i++) {
		const struct loaded_module *module = loader_get(i);

		if (is_core(module->name))
			continue;
		describe(schema.count, module->name);
		rows[schema.count] = (struct shoal_setting){
			.name = module->name,
			.type = SHOAL_SETTING_BOOL,
			.layers = SHOAL_LAYER_GLOBAL | SHOAL_LAYER_GUILD,
			.fallback = is_default(defaults, module->name) ? "on" : "off",
			.description = descriptions[schema.count][SHOAL_ENGLISH],
			.descriptions = &local_descriptions[schema.count],
		};
		schema.count++;
	}
	return schemas_add(schemas, &schema, error);
}

const struct shoal_settings_schema *switches_schema(void)
{
	return &schema;
}

bool switches_setting(const char *module, char name[SWITCHES_NAME_SIZE])
{
	for (size_t i = 0; i < schema.count; i++) {
		if (strcmp(rows[i].name, module) != 0)
			continue;
		snprintf(name, SWITCHES_NAME_SIZE, SWITCHES_OWNER ".%s", module);
		return true;
	}
	return false;
}

/* --- asking --------------------------------------------------------------------------------------------------------
 */

int switches_new(struct settings *settings, struct switches **ret_switches)
{
	struct switches *switches = calloc(1, sizeof(*switches));

	if (!switches)
		return -ENOMEM;
	switches->settings = settings;
	*ret_switches = switches;
	return 0;
}

struct switches *switches_free(struct switches *switches)
{
	free(switches);
	return NULL;
}

static bool is_on(struct switches *switches, const char *module, uint64_t guild_id)
{
	const struct settings_place place = { .guild_id = guild_id };
	struct setting_answer answer;
	char name[SWITCHES_NAME_SIZE];
	int r;

	if (!switches_setting(module, name))
		return true;
	r = settings_peek(switches->settings, &place, name, &answer);
	if (r == -EAGAIN)
		r = settings_known(switches->settings, &place, name, &answer);
	return r < 0 || answer.value->boolean;
}

static uint32_t bits_of(struct switches *switches, uint64_t guild_id)
{
	uint32_t on = 0;

	for (size_t i = 0; i < loader_count(); i++)
		on |= (uint32_t)is_on(switches, loader_get(i)->name, guild_id) << i;
	return on;
}

static size_t index_of(const struct module_entry *module)
{
	size_t i = 0;

	while (i < loader_count() && &loader_get(i)->entry != module)
		i++;
	return i;
}

bool switches_allow(struct switches *switches, const struct module_entry *module, uint64_t guild_id)
{
	uint64_t now_ns = clock_monotonic_ns(), generation;
	size_t at = index_of(module);
	struct slot *slot;

	if (!switches->settings || schema.count == 0 || at == loader_count())
		return true;
	generation = settings_generation(switches->settings);
	slot = &switches->slots[(guild_id >> 22 ^ guild_id) & (SLOTS - 1)];
	if (!slot->taken || slot->guild_id != guild_id || slot->generation != generation || now_ns >= slot->until_ns)
		*slot = (struct slot){ .guild_id = guild_id,
				       .generation = generation,
				       .until_ns = now_ns + TRUST_NS,
				       .on = bits_of(switches, guild_id),
				       .taken = true };
	return slot->on >> at & 1;
}
