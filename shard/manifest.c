/* The manifest is derived; nothing is kept twice. */
#include "shard/manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "shard/commands/registry.h"
#include "shard/subscriptions.h"
#include "shared/base/build_id.h"
#include "shared/base/cleanup.h"

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

static json_t *events_to_json(void)
{
	json_t *events = json_array();
	size_t i;

	for (i = 0; i < subscription_count; i++)
		json_array_append_new(events, json_string(shoal_event_name(subscriptions[i].type)));
	return events;
}

int manifest_print(FILE *out)
{
	json_t *commands = registry_to_json(), *manifest;
	char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
	int r;

	if (!commands)
		return -ENOMEM;
	r = hash_commands(commands, hex);
	if (r < 0) {
		json_decref(commands);
		return r;
	}
	manifest = json_pack(
		"{s:s, s:s, s:I, s:{s:s}, s:o, s:o, s:s}", "version", shoal_version, "build_id", shoal_build_id,
		"intents", (json_int_t)(dispatch_intents(subscriptions, subscription_count) | INTENT_MESSAGE_CONTENT),
		"privileged", "MESSAGE_CONTENT", "message commands by prefix (slash commands and mentions still work)",
		"events", events_to_json(), "commands", commands, "hash", hex);
	if (!manifest)
		return -ENOMEM;
	r = json_dumpf(manifest, out, JSON_COMPACT) == 0 && fputc('\n', out) != EOF && fflush(out) == 0 ? 0 : -EIO;
	json_decref(manifest);
	return r;
}
