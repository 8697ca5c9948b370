/* Settings of shoal itself, and what may be a prefix of message commands. Pure. */
#include "shared/settings/schema_core.h"

#include <stdint.h>
#include <string.h>

#include "shared/base/cleanup.h"
#include "shared/base/utf8.h"
#include "shared/phrases/phrases.h"
#include "shared/settings/access_rules.h"

/* The next code point of valid UTF-8 (broken bytes count as one each, unseen), moving @text. */
static uint32_t next_point(const unsigned char **text)
{
	uint32_t c = *(*text)++;
	int more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : c >= 0xC0 ? 1 : 0;

	if (c < 0x80)
		return c;
	if (!more)
		return 0;
	c &= 0x3FU >> more;
	for (; more > 0; more--, (*text)++) {
		if ((**text & 0xC0) != 0x80)
			return 0;
		c = c << 6 | (**text & 0x3FU);
	}
	return c;
}

const struct shoal_phrase *prefix_check(const char *prefix)
{
	const unsigned char *text = (const unsigned char *)prefix;
	size_t characters = 0;

	if (!*prefix)
		return &phrase_PREFIX_EMPTY;
	while (*text) {
		uint32_t point = next_point(&text);

		/* A variation selector is part of many an emoji, and nothing without one. */
		if (utf8_is_unseen(point) || (characters == 0 && point >= 0xFE00 && point <= 0xFE0F))
			return &phrase_PREFIX_UNSEEN;
		characters++;
	}
	if (characters > PREFIX_CHARACTERS_MAX || strlen(prefix) >= PREFIX_SIZE)
		return &phrase_PREFIX_LONG;
	if (strchr(prefix, '`'))
		return &phrase_PREFIX_TICK;
	if (prefix[0] == '/' || prefix[0] == '<' || prefix[0] == '@' || prefix[0] == '#')
		return &phrase_PREFIX_SIGN;
	return NULL;
}

static const struct shoal_phrase *check_prefix(const struct shoal_setting_value *value, int64_t *ret_number)
{
	*ret_number = PREFIX_CHARACTERS_MAX;
	return prefix_check(value->text);
}

static const struct shoal_setting command_rows[] = {
	{
		.name = "prefix",
		.type = SHOAL_SETTING_TEXT,
		.layers = SHOAL_LAYER_GLOBAL | SHOAL_LAYER_GUILD | SHOAL_LAYER_CHANNEL,
		.min = 1,
		.max = PREFIX_CHARACTERS_MAX,
		.fallback = "!",
		.description = "what commands typed as messages begin with",
		.descriptions =
			SHOAL_LOCAL("womit Befehle als Nachricht beginnen", "con qué empiezan los comandos escritos",
				    "con che cosa iniziano i comandi scritti"),
		.check = check_prefix,
	},
};

static const struct shoal_setting locale_rows[] = {
	{
		.name = "language",
		.type = SHOAL_SETTING_ENUM,
		.layers = SHOAL_LAYER_GLOBAL | SHOAL_LAYER_GUILD,
		.choices = "auto|en|de|es|it",
		.fallback = "auto",
		.description = "the language of answers; auto: commands in the member's, messages in the server's",
		.descriptions = SHOAL_LOCAL(
			"die Sprache der Antworten; auto: Befehle in der des Mitglieds, Nachrichten in der des Servers",
			"el idioma de las respuestas; auto: comandos en el del miembro, mensajes en el del servidor",
			"la lingua delle risposte; auto: i comandi in quella del membro, i messaggi in quella del "
			"server"),
	},
};

static const struct shoal_setting access_rows[] = {
	{
		.name = "rules",
		.type = SHOAL_SETTING_TEXT,
		.layers = SHOAL_LAYER_GLOBAL | SHOAL_LAYER_GUILD,
		.flags = SHOAL_SETTING_NAMES_MEMBERS,
		.description = "who may use what: /permissions shows and changes it",
		.descriptions = SHOAL_LOCAL("wer was benutzen darf: /permissions zeigt und ändert es",
					    "quién puede usar qué: /permissions lo muestra y lo cambia",
					    "chi può usare che cosa: /permissions lo mostra e lo cambia"),
		.check = access_rules_check,
	},
	{
		.name = "from_permissions",
		.type = SHOAL_SETTING_BOOL,
		.layers = SHOAL_LAYER_GUILD,
		.fallback = "yes",
		.description = "Discord's own permissions give levels, too (Manage Server: admin; Kick, Ban or Timeout "
			       "Members: moderator; Manage Messages: helper)",
		.descriptions = SHOAL_LOCAL("Auch Discords Berechtigungen geben Stufen (Server verwalten: admin; "
					    "Kicken, Bannen oder Timeout: moderator; Nachrichten verwalten: helper)",
					    "Los permisos de Discord también dan niveles (Gestionar servidor: admin; "
					    "expulsar, banear o aislar: moderator; Gestionar mensajes: helper)",
					    "Anche i permessi di Discord danno livelli (Gestisci server: admin; "
					    "espellere, bandire o timeout: moderator; Gestisci messaggi: helper)"),
	},
};

static const struct shoal_setting privacy_rows[] = {
	{
		.name = "history_days",
		.type = SHOAL_SETTING_INTEGER,
		.layers = SHOAL_LAYER_GUILD,
		.min = 1,
		.max = 36500,
		.fallback = "365",
		.description =
			"days that the history of this server's settings is kept, if shorter than the operator's",
		.descriptions = SHOAL_LOCAL("so viele Tage bleibt der Verlauf der Einstellungen dieses Servers, wenn "
					    "das kürzer ist als beim Betreiber",
					    "días que se guarda el historial de ajustes de este servidor, si son menos "
					    "que los del operador",
					    "giorni in cui si conserva la cronologia delle impostazioni di questo "
					    "server, se meno di quelli del gestore"),
	},
};

static const struct shoal_settings_schema schemas_of_core[] = {
	{ .owner = "access", .version = 1, .rows = access_rows, .count = ARRAY_SIZE(access_rows) },
	{ .owner = "commands", .version = 1, .rows = command_rows, .count = ARRAY_SIZE(command_rows) },
	{ .owner = "locale", .version = 1, .rows = locale_rows, .count = ARRAY_SIZE(locale_rows) },
	{ .owner = "privacy", .version = 1, .rows = privacy_rows, .count = ARRAY_SIZE(privacy_rows) },
};

int schema_core_add(struct schemas *schemas)
{
	char error[VALUE_ERROR_SIZE];
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(schemas_of_core) && r == 0; i++)
		r = schemas_add(schemas, &schemas_of_core[i], error);
	return r;
}
