/* The rows of the settings, and one reader for all of them: each row says where in struct wishes its value belongs. */
#include "shard/modules/admin/wishes.h"

#include <errno.h>
#include <string.h>

#define TEXT_CHARACTERS 1500

enum row {
	WELCOME_CHANNEL,
	WELCOME_TEXT,
	WELCOME_EMBED,
	WELCOME_PING,
	WELCOME_BOTS,
	WELCOME_DM,
	LEAVE_CHANNEL,
	LEAVE_TEXT,
	LEAVE_EMBED,
	AUTOROLE_ROLES,
	AUTOROLE_BOTS,
	ROW_COUNT,
};
_Static_assert(ROW_COUNT == WISHES_ROWS, "each row has a place");

/* clang-format off */
const struct shoal_setting wishes_rows[WISHES_ROWS] = {
	[WELCOME_CHANNEL] = { .name = "welcome_channel", .type = SHOAL_SETTING_CHANNEL, .layers = SHOAL_LAYER_GUILD,
	  .description = "where new members are welcomed; none: nowhere",
	  .descriptions = SHOAL_LOCAL("wo neue Mitglieder begrüßt werden; nichts: nirgends", "dónde se da la bienvenida a nuevos miembros; ninguno: en ningún sitio", "dove si dà il benvenuto ai nuovi membri; nessuno: da nessuna parte") },
	[WELCOME_TEXT] = { .name = "welcome_text", .type = SHOAL_SETTING_TEXT, .layers = SHOAL_LAYER_GUILD | SHOAL_LAYER_GLOBAL,
	  .max = TEXT_CHARACTERS,
	  .description = "what is said there; {user} {name} {server} {count} are filled in; empty: shoal's own words",
	  .descriptions = SHOAL_LOCAL("was dort gesagt wird; {user} {name} {server} {count} werden ersetzt; leer: shoals eigene Worte", "qué se dice ahí; se sustituyen {user} {name} {server} {count}; vacío: las palabras de shoal", "che cosa si dice lì; {user} {name} {server} {count} vengono sostituiti; vuoto: le parole di shoal") },
	[WELCOME_EMBED] = { .name = "welcome_embed", .type = SHOAL_SETTING_BOOL, .layers = SHOAL_LAYER_GUILD,
	  .description = "in a frame, with the avatar",
	  .descriptions = SHOAL_LOCAL("in einem Rahmen, mit dem Avatar", "en un recuadro, con el avatar", "in un riquadro, con l'avatar") },
	[WELCOME_PING] = { .name = "welcome_ping", .type = SHOAL_SETTING_BOOL, .layers = SHOAL_LAYER_GUILD, .fallback = "yes",
	  .description = "whether {user} is notified; nobody else ever is",
	  .descriptions = SHOAL_LOCAL("ob {user} benachrichtigt wird; sonst niemand, nie", "si se avisa a {user}; a nadie más, nunca", "se {user} riceve una notifica; nessun altro, mai") },
	[WELCOME_BOTS] = { .name = "welcome_bots", .type = SHOAL_SETTING_BOOL, .layers = SHOAL_LAYER_GUILD,
	  .description = "whether bots are welcomed, too",
	  .descriptions = SHOAL_LOCAL("ob auch Bots begrüßt werden", "si también se da la bienvenida a los bots", "se si dà il benvenuto anche ai bot") },
	[WELCOME_DM] = { .name = "welcome_dm", .type = SHOAL_SETTING_TEXT, .layers = SHOAL_LAYER_GUILD, .max = TEXT_CHARACTERS,
	  .description = "what new members are told in a direct message; empty: none is sent",
	  .descriptions = SHOAL_LOCAL("was neue Mitglieder als Direktnachricht bekommen; leer: keine", "qué reciben los nuevos miembros por mensaje directo; vacío: ninguno", "che cosa ricevono i nuovi membri in un messaggio diretto; vuoto: nessuno") },
	[LEAVE_CHANNEL] = { .name = "leave_channel", .type = SHOAL_SETTING_CHANNEL, .layers = SHOAL_LAYER_GUILD,
	  .description = "where it is said that somebody has left; none: nowhere",
	  .descriptions = SHOAL_LOCAL("wo gesagt wird, dass jemand gegangen ist; nichts: nirgends", "dónde se dice que alguien se ha ido; ninguno: en ningún sitio", "dove si dice che qualcuno se n'è andato; nessuno: da nessuna parte") },
	[LEAVE_TEXT] = { .name = "leave_text", .type = SHOAL_SETTING_TEXT, .layers = SHOAL_LAYER_GUILD | SHOAL_LAYER_GLOBAL,
	  .max = TEXT_CHARACTERS,
	  .description = "what is said there; {name} {server} {count} are filled in; empty: shoal's own words",
	  .descriptions = SHOAL_LOCAL("was dort gesagt wird; {name} {server} {count} werden ersetzt; leer: shoals eigene Worte", "qué se dice ahí; se sustituyen {name} {server} {count}; vacío: las palabras de shoal", "che cosa si dice lì; {name} {server} {count} vengono sostituiti; vuoto: le parole di shoal") },
	[LEAVE_EMBED] = { .name = "leave_embed", .type = SHOAL_SETTING_BOOL, .layers = SHOAL_LAYER_GUILD,
	  .description = "in a frame",
	  .descriptions = SHOAL_LOCAL("in einem Rahmen", "en un recuadro", "in un riquadro") },
	[AUTOROLE_ROLES] = { .name = "autorole_roles", .type = SHOAL_SETTING_ROLES, .layers = SHOAL_LAYER_GUILD, .max = WISHES_ROLES_MAX,
	  .description = "roles that new members get, after they have accepted the rules where there are any",
	  .descriptions = SHOAL_LOCAL("Rollen, die neue Mitglieder bekommen; wo es Regeln gibt, sobald sie zugestimmt haben", "roles que reciben los nuevos miembros, tras aceptar las reglas donde las hay", "ruoli che ricevono i nuovi membri, dopo aver accettato le regole dove ci sono") },
	[AUTOROLE_BOTS] = { .name = "autorole_bots", .type = SHOAL_SETTING_ROLES, .layers = SHOAL_LAYER_GUILD, .max = WISHES_ROLES_MAX,
	  .description = "roles that new bots get",
	  .descriptions = SHOAL_LOCAL("Rollen, die neue Bots bekommen", "roles que reciben los nuevos bots", "ruoli che ricevono i nuovi bot") },
};
/* clang-format on */

/* Where in struct wishes a row's value belongs; its type says what lies there. */
static const size_t offsets[WISHES_ROWS] = {
	[WELCOME_CHANNEL] = offsetof(struct wishes, welcome_channel),
	[WELCOME_TEXT] = offsetof(struct wishes, welcome_text),
	[WELCOME_EMBED] = offsetof(struct wishes, welcome_embed),
	[WELCOME_PING] = offsetof(struct wishes, welcome_ping),
	[WELCOME_BOTS] = offsetof(struct wishes, welcome_bots),
	[WELCOME_DM] = offsetof(struct wishes, welcome_dm),
	[LEAVE_CHANNEL] = offsetof(struct wishes, leave_channel),
	[LEAVE_TEXT] = offsetof(struct wishes, leave_text),
	[LEAVE_EMBED] = offsetof(struct wishes, leave_embed),
	[AUTOROLE_ROLES] = offsetof(struct wishes, roles),
	[AUTOROLE_BOTS] = offsetof(struct wishes, bot_roles),
};

struct reading {
	struct shoal_scope *scope;
	struct wishes wishes;
	size_t open; /* questions, and the one who asks them */
	int error;
	wishes_fn fn;
	void *arg;
	/* What an answer belongs to: its callback gets the address of one of these. */
	struct place {
		struct reading *reading;
		size_t row;
	} places[WISHES_ROWS];
};

static int take(struct reading *reading, size_t row, const struct shoal_setting_value *value)
{
	void *at = (char *)&reading->wishes + offsets[row];
	struct wishes_roles *roles;
	size_t size;
	char *text;

	switch (wishes_rows[row].type) {
	case SHOAL_SETTING_BOOL:
		*(bool *)at = value->boolean;
		return 0;
	case SHOAL_SETTING_CHANNEL:
		*(uint64_t *)at = value->id_count ? value->ids[0] : 0;
		return 0;
	case SHOAL_SETTING_ROLES:
		roles = at;
		roles->count = value->id_count < WISHES_ROLES_MAX ? value->id_count : WISHES_ROLES_MAX;
		if (roles->count)
			memcpy(roles->ids, value->ids, roles->count * sizeof(*roles->ids));
		return 0;
	default: /* text */
		size = strlen(value->text) + 1;
		text = shoal_alloc(reading->scope, size);
		if (!text)
			return -ENOMEM;
		memcpy(text, value->text, size);
		*(char **)at = text;
		return 0;
	}
}

static void let_go(struct reading *reading)
{
	if (--reading->open > 0)
		return;
	reading->fn(reading->arg, reading->error, reading->error ? NULL : &reading->wishes);
	shoal_free(reading->wishes.welcome_text);
	shoal_free(reading->wishes.welcome_dm);
	shoal_free(reading->wishes.leave_text);
	shoal_free(reading);
}

static void on_setting(void *arg, const struct shoal_setting_answer *answer)
{
	const struct place *place = arg;
	struct reading *reading = place->reading;
	int r = answer->error;

	if (r == 0) {
		r = take(reading, place->row, answer->value);
		/* A value that was set and can't be confirmed just now is as good as any; a default may be wrong. */
		if (!answer->sure && answer->from == SHOAL_FROM_DEFAULT)
			reading->wishes.sure = false;
	}
	if (r < 0 && reading->error == 0)
		reading->error = r;
	let_go(reading);
}

int wishes_read(struct shoal_scope *scope, uint64_t guild_id, wishes_fn fn, void *arg)
{
	struct shoal_place place = { .guild_id = guild_id };
	struct reading *reading = shoal_alloc(scope, sizeof(*reading));
	size_t i;

	if (!reading)
		return -ENOMEM;
	*reading = (struct reading){ .scope = scope, .open = 1, .fn = fn, .arg = arg, .wishes.sure = true };
	for (i = 0; i < WISHES_ROWS && reading->error == 0; i++) {
		int r;

		reading->places[i] = (struct place){ reading, i };
		reading->open++;
		r = shoal_setting_get(scope, &place, wishes_rows[i].name, on_setting, &reading->places[i]);
		if (r < 0) {
			reading->open--;
			reading->error = r;
		}
	}
	let_go(reading);
	return 0;
}
