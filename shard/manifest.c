/* The manifest is derived; nothing is kept twice. */
#include "shard/manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "shard/commands/registration.h"
#include "shard/modhost/loader.h"
#include "shard/modhost/switches.h"
#include "shard/subscriptions.h"
#include "shared/base/buf.h"
#include "shared/base/build_id.h"
#include "shared/base/cleanup.h"
#include "shared/phrases/phrases.h"

static int hash_commands(const json_t *commands, char hex[2 * EVP_MAX_MD_SIZE + 1])
{
	CLEANUP(cleanup_free) char *text = json_dumps(commands, JSON_COMPACT | JSON_SORT_KEYS);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len, i;

	if (!text || EVP_Digest(text, strlen(text), digest, &len, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	for (i = 0; i < len; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

static json_t *events_to_json(const struct dispatch_row *rows, size_t count)
{
	json_t *events = json_array();
	size_t i;

	for (i = 0; i < count; i++)
		json_array_append_new(events, json_string((shoal_event_name)(rows[i].type)));
	return events;
}

/* What does not work without an intent that Discord may not have granted. */
static json_t *privileged_to_json(void)
{
	static const struct {
		const char *name;
		uint32_t bit;
	} bits[] = { { "GUILD_MEMBERS", 1u << 1 }, { "GUILD_PRESENCES", 1u << 8 }, { "MESSAGE_CONTENT", 1u << 15 } };
	json_t *privileged = json_object();
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		CLEANUP(buf_finish) struct buf words = { 0 };

		buf_init(&words, 1024);
		if (bits[i].bit == INTENT_MESSAGE_CONTENT)
			buf_append_str(&words, "message commands by prefix (slash commands and mentions still work)");
		for (j = 0; j < loader_count(); j++) {
			const struct loaded_module *module = loader_get(j);

			if (!(loader_module_intents(module) & bits[i].bit))
				continue;
			buf_printf(&words, "%smodule %s%s%s", words.len ? "; " : "", module->name,
				   module->rows.without_intents ? ": " : "",
				   module->rows.without_intents ? module->rows.without_intents : "");
		}
		if (words.len && buf_cstr(&words))
			json_object_set_new(privileged, bits[i].name, json_string(buf_cstr(&words)));
	}
	return privileged;
}

static json_t *settings_to_json(void)
{
	json_t *list = loader_settings_to_json();

	if (switches_schema()->count)
		json_array_append_new(list, loader_schema_to_json(switches_schema()));
	return list;
}

int manifest_print(FILE *out)
{
	json_t *commands = registration_to_json(), *manifest;
	struct dispatch_row rows[SHOAL_EVENT_COUNT];
	size_t count = subscriptions_build(rows);
	char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
	int r;

	if (!commands)
		return -ENOMEM;
	r = hash_commands(commands, hex);
	if (r < 0) {
		json_decref(commands);
		return r;
	}
	manifest = json_pack("{s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:s}", "version", shoal_version, "build_id",
			     shoal_build_id, "intents",
			     (json_int_t)(dispatch_intents(rows, count) | loader_intents() | INTENT_MESSAGE_CONTENT),
			     "privileged", privileged_to_json(), "events", events_to_json(rows, count), "modules",
			     loader_to_json(), "refused", loader_refused(), "settings", settings_to_json(), "commands",
			     commands, "hash", hex);
	if (!manifest)
		return -ENOMEM;
	r = json_dumpf(manifest, out, JSON_COMPACT) == 0 && fputc('\n', out) != EOF && fflush(out) == 0 ? 0 : -EIO;
	json_decref(manifest);
	return r;
}

static void put_phrase(json_t *list, const char *owner, const struct shoal_phrase *phrase)
{
	const char *const *text = phrase->text;

	json_array_append_new(list,
			      json_pack("{s:s, s:s, s:s?, s:s?, s:s?}", "owner", owner, "en", text[SHOAL_ENGLISH], "de",
					text[SHOAL_GERMAN], "es", text[SHOAL_SPANISH], "it", text[SHOAL_ITALIAN]));
}

int manifest_print_phrases(FILE *out)
{
	json_auto_t *list = json_array();

	for (size_t i = 0; i < core_phrase_count; i++)
		put_phrase(list, "core", core_phrases[i]);
	for (size_t i = 0; i < loader_count(); i++)
		for (size_t j = 0; j < loader_get(i)->rows.phrase_count; j++)
			put_phrase(list, loader_get(i)->name, &loader_get(i)->rows.phrases[j]);
	return json_dumpf(list, out, JSON_COMPACT) == 0 && fputc('\n', out) != EOF && fflush(out) == 0 ? 0 : -EIO;
}
