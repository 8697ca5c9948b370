/* The table of gateway intents. Used by the supervisor to read discord.intents and to leave out, with a warning, what
 * the application was not granted: asking for it would end the session with 4014. */
#include "supervisor/intents.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shared/base/cleanup.h"

#define FLAG(bit) (1ULL << (bit))

/* clang-format off */
const struct intent_row intent_rows[] = {
	{ 0,  "GUILDS", 0, NULL, NULL },
	{ 1,  "GUILD_MEMBERS", FLAG(14) | FLAG(15), "Server Members Intent",
	  "joins, leaves and changes of members are not seen" },
	{ 2,  "GUILD_MODERATION", 0, NULL, NULL },
	{ 3,  "GUILD_EXPRESSIONS", 0, NULL, NULL },
	{ 4,  "GUILD_INTEGRATIONS", 0, NULL, NULL },
	{ 5,  "GUILD_WEBHOOKS", 0, NULL, NULL },
	{ 6,  "GUILD_INVITES", 0, NULL, NULL },
	{ 7,  "GUILD_VOICE_STATES", 0, NULL, NULL },
	{ 8,  "GUILD_PRESENCES", FLAG(12) | FLAG(13), "Presence Intent",
	  "online states and activities of members are not seen" },
	{ 9,  "GUILD_MESSAGES", 0, NULL, NULL },
	{ 10, "GUILD_MESSAGE_REACTIONS", 0, NULL, NULL },
	{ 11, "GUILD_MESSAGE_TYPING", 0, NULL, NULL },
	{ 12, "DIRECT_MESSAGES", 0, NULL, NULL },
	{ 13, "DIRECT_MESSAGE_REACTIONS", 0, NULL, NULL },
	{ 14, "DIRECT_MESSAGE_TYPING", 0, NULL, NULL },
	{ 15, "MESSAGE_CONTENT", FLAG(18) | FLAG(19), "Message Content Intent",
	  "commands with a prefix (!ping) are not seen; slash commands and @mentions of the bot work" },
	{ 16, "GUILD_SCHEDULED_EVENTS", 0, NULL, NULL },
	{ 20, "AUTO_MODERATION_CONFIGURATION", 0, NULL, NULL },
	{ 21, "AUTO_MODERATION_EXECUTION", 0, NULL, NULL },
	{ 24, "GUILD_MESSAGE_POLLS", 0, NULL, NULL },
	{ 25, "DIRECT_MESSAGE_POLLS", 0, NULL, NULL },
};
/* clang-format on */
const size_t intent_row_count = ARRAY_SIZE(intent_rows);

static const struct intent_row *find(const char *name, size_t len)
{
	for (size_t i = 0; i < intent_row_count; i++)
		if (strlen(intent_rows[i].name) == len && strncasecmp(intent_rows[i].name, name, len) == 0)
			return &intent_rows[i];
	return NULL;
}

static int parse_number(const char *text, uint32_t *ret_intents)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	while (isspace((unsigned char)*end))
		end++;
	if (errno != 0 || *end != '\0' || value > UINT32_MAX)
		return -EINVAL;
	*ret_intents = (uint32_t)value;
	return 0;
}

int intents_parse(const char *text, uint32_t *ret_intents, const char **ret_bad)
{
	static const char between[] = ", \t|";
	uint32_t intents = 0;
	const char *at = text + strspn(text, between);
	size_t len;

	if (ret_bad)
		*ret_bad = at;
	if (strcasecmp(at, "auto") == 0)
		return -ENODATA;
	if (isdigit((unsigned char)*at))
		return parse_number(at, ret_intents);
	if (*at == '\0')
		return -EINVAL;
	for (; *at; at += len, at += strspn(at, between)) {
		const struct intent_row *row;

		len = strcspn(at, between);
		row = find(at, len);
		if (!row) {
			if (ret_bad)
				*ret_bad = at;
			return -EINVAL;
		}
		intents |= 1U << row->bit;
	}
	*ret_intents = intents;
	return 0;
}

uint32_t intents_not_granted(uint32_t intents, uint64_t application_flags)
{
	uint32_t missing = 0;

	for (size_t i = 0; i < intent_row_count; i++) {
		const struct intent_row *row = &intent_rows[i];

		if (row->granted_by != 0 && (intents & 1U << row->bit) && !(application_flags & row->granted_by))
			missing |= 1U << row->bit;
	}
	return missing;
}
