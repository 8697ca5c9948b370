/* The rules of guilds, kept parsed. A small table of places by the guild's id; its rows are checked by the settings'
 * stamp, so that the way of every command costs one look. */
#include "shard/commands/access.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/log/log.h"
#include "shared/phrases/phrases.h"
#include "shared/settings/schema_core.h"

struct row {
	uint64_t guild_id, stamp;
	bool used, fits; /* fits: all that is stored can be read */
	struct access_known known;
};

struct access {
	struct settings *settings;
	struct row rows[ACCESS_GUILDS_MAX];
};

const struct access_known access_unknown = { .sure = false, .from_permissions = true, .language = -1 };

int access_new(struct settings *settings, struct access **ret_access)
{
	struct access *access = calloc(1, sizeof(*access));

	if (!access)
		return -ENOMEM;
	access->settings = settings;
	*ret_access = access;
	return 0;
}

static void forget(struct row *row)
{
	access_rules_finish(&row->known.bots);
	access_rules_finish(&row->known.guild);
	*row = (struct row){ 0 };
}

struct access *access_free(struct access *access)
{
	if (!access)
		return NULL;
	for (size_t i = 0; i < ACCESS_GUILDS_MAX; i++)
		forget(&access->rows[i]);
	free(access);
	return NULL;
}

/* Low bits of a snowflake are a worker's and a counter's, often zero; the time's are spread well. */
static size_t place_of(uint64_t guild_id)
{
	return (size_t)((guild_id * UINT64_C(0x9E3779B97F4A7C15)) >> 54) % ACCESS_GUILDS_MAX;
}

/* False: there is a text that can't be read; the rest counts. */
static bool read_rules(uint64_t guild_id, const struct setting_layer *layer, struct access_rules *rules)
{
	struct log_ctx ctx = { .shard = -1, .guild_id = guild_id, .module = "access" };
	struct access_fault fault;
	int r;

	if (!layer->value)
		return layer->problem == 0;
	r = access_rules_parse(layer->value->text, rules, &fault);
	if (r < 0)
		log_warn(&ctx, "access.unfit", KV_ERR(r), KV_MSG("stored rules can't be read and don't count"));
	return r == 0;
}

static int read_language(struct settings *settings, const struct settings_place *place)
{
	struct setting_answer answer;
	struct shoal_str text;

	if (settings_known(settings, place, SETTING_LANGUAGE, &answer) < 0 || strcmp(answer.value->text, "auto") == 0)
		return -1;
	text = (struct shoal_str){ answer.value->text, (uint32_t)strlen(answer.value->text) };
	return (int)phrases_language(text);
}

/* False: something that is stored can't be read. */
static bool read_guild(struct settings *settings, uint64_t guild_id, struct access_known *known)
{
	struct settings_place place = { .guild_id = guild_id };
	struct setting_layer layers[SETTINGS_LAYER_COUNT];
	struct setting_answer answer;
	bool fits;

	*known = access_unknown;
	known->language = read_language(settings, &place);
	if (settings_known(settings, &place, SETTING_ACCESS_FROM_PERMISSIONS, &answer) == 0)
		known->from_permissions = answer.value->boolean;
	if (settings_layers(settings, &place, SETTING_ACCESS_RULES, layers) < 0)
		return false;
	fits = read_rules(guild_id, &layers[SETTINGS_GLOBAL], &known->bots);
	return read_rules(guild_id, &layers[SETTINGS_GUILD], &known->guild) && fits;
}

const struct access_known *access_peek(struct access *access, uint64_t guild_id)
{
	struct row *row = &access->rows[place_of(guild_id)];
	bool sure;
	uint64_t stamp = settings_stamp(access->settings, guild_id, &sure);

	if (!row->used || row->guild_id != guild_id || row->stamp != stamp) {
		forget(row);
		row->used = true;
		row->guild_id = guild_id;
		row->stamp = stamp;
		row->fits = read_guild(access->settings, guild_id, &row->known);
	}
	row->known.sure = sure && row->fits;
	return &row->known;
}
