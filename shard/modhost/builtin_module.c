/* /module list, show, enable, disable, reset. The switch itself is a setting (switches.h); here it is shown with where
 * it comes from, and beside it what the breaker made of the module on this shard. */
#include "shard/modhost/builtin_module.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shoal/permissions.h>

#include "shard/commands/builtin.h"
#include "shard/commands/commands.h"
#include "shard/modhost/modhost.h"
#include "shard/modhost/switches.h"
#include "shared/base/buf.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/phrases/clean.h"
#include "shared/settings/settings_write.h"

#define TEXT_MAX      1850 /* bytes: an answer has 2000 characters */
#define COMMANDS_MAX  600
#define SUGGESTED_MAX 25

static struct settings *settings_of(struct shoal_invocation *inv)
{
	return commands_services(inv)->settings;
}

static void put(struct buf *out, const struct shoal_invocation *inv, const struct shoal_phrase *phrase,
		const char *name, const char *value)
{
	const struct shoal_word word = { name, value };

	phrases_print(out, phrase, inv->language, &word, *name ? 1 : 0);
}

/* --- what is shown -------------------------------------------------------------------------------------------------
 */

/* Of one module in one server, at this moment. */
struct look {
	const struct loaded_module *module;
	struct setting_answer answer; /* of its switch */
	bool has_switch, on;
};

static struct look look_at(struct shoal_invocation *inv, const struct loaded_module *module)
{
	const struct settings_place place = { .guild_id = shoal_invocation_guild_id(inv) };
	struct look look = { .module = module, .on = true };
	char name[SWITCHES_NAME_SIZE];
	int r;

	if (!switches_setting(module->name, name))
		return look;
	r = settings_peek(settings_of(inv), &place, name, &look.answer);
	if (r < 0)
		r = settings_known(settings_of(inv), &place, name, &look.answer);
	look.has_switch = r == 0;
	look.on = r < 0 || look.answer.value->boolean;
	return look;
}

static void put_why(struct buf *out, const struct shoal_invocation *inv, const struct look *look)
{
	char member[32];

	switch (look->answer.from) {
	case SETTINGS_GLOBAL:
		put(out, inv, &phrase_MODULE_BY_OPERATOR, "", "");
		break;
	case SETTINGS_GUILD:
		snprintf(member, sizeof(member), "<@%" PRIu64 ">", look->answer.changed_by);
		if (look->answer.changed_by)
			put(out, inv, &phrase_MODULE_BY_SOMEONE, "member", member);
		else
			put(out, inv, &phrase_MODULE_BY_SERVER, "", "");
		if (look->answer.changed_ms)
			buf_printf(out, " <t:%" PRId64 ":R>", look->answer.changed_ms / 1000);
		break;
	default:
		put(out, inv, &phrase_MODULE_BY_DEFAULT, "", "");
	}
	if (look->answer.pending) {
		buf_append_str(out, ", ");
		put(out, inv, &phrase_MODULE_WAITS, "", "");
	}
}

/* What its breaker, or its own setup, made of it on this shard. */
static void put_trouble(struct buf *out, const struct shoal_invocation *inv, const struct loaded_module *module)
{
	const struct modhost_options *services = modhost_services();
	uint64_t now_ns = clock_boottime_ns();
	struct board_module row;
	char time[48];

	if (!module->entry.off)
		return;
	buf_append_str(out, "; ");
	if (!board_shard_module(services->board, module->entry.row, &row) || row.state != BOARD_MODULE_OFF) {
		put(out, inv, &phrase_MODULE_IS_BROKEN, "", "");
		return;
	}
	snprintf(time, sizeof(time), "<t:%" PRId64 ":R>",
		 clock_wall_ms() / 1000 + (int64_t)(row.until_ns > now_ns ? (row.until_ns - now_ns) / NS_PER_S : 0));
	put(out, inv, &phrase_MODULE_IS_CRASHED, "time", time);
}

static void put_module(struct buf *out, const struct shoal_invocation *inv, const struct look *look)
{
	char description[160];

	buf_printf(out, "%s **%s** ", look->on && !look->module->entry.off ? "🟢" : "⚪", look->module->name);
	put(out, inv, look->on ? &phrase_MODULE_IS_ON : &phrase_MODULE_IS_OFF, "", "");
	buf_append_str(out, " (");
	put_why(out, inv, look);
	put_trouble(out, inv, look->module);
	buf_append_char(out, ')');
	if (look->module->rows.description)
		buf_printf(out, ": %s",
			   phrases_clean(builtin_described(inv, look->module->rows.descriptions,
							   look->module->rows.description),
					 100, description, sizeof(description)));
}

/* --- list, show ----------------------------------------------------------------------------------------------------
 */

static void list_now(struct shoal_invocation *inv)
{
	CLEANUP(buf_finish) struct buf out = { 0 };
	size_t left = 0, shown = 0;
	bool sure = true;
	char count[16];

	buf_init(&out, 4 * TEXT_MAX);
	put(&out, inv, &phrase_MODULES_HEAD, "", "");
	for (size_t i = 0; i < loader_count(); i++) {
		struct look look = look_at(inv, loader_get(i));

		if (!look.has_switch)
			continue;
		shown++;
		left += out.len > TEXT_MAX - 450;
		sure = sure && look.answer.sure;
		if (left)
			continue;
		buf_append_char(&out, '\n');
		put_module(&out, inv, &look);
	}
	snprintf(count, sizeof(count), "%zu", left);
	if (left) {
		buf_append_char(&out, '\n');
		put(&out, inv, &phrase_MODULES_MORE, "count", count);
	}
	if (!sure && settings_is_on(settings_of(inv))) {
		buf_append_char(&out, '\n');
		put(&out, inv, &phrase_MODULES_DOUBT, "", "");
	}
	if (shown)
		shoal_reply_text(inv, buf_cstr(&out));
	else
		invocation_reply_phrase(inv, &phrase_MODULES_NONE, NULL, 0);
}

static const struct loaded_module *find(const char *name)
{
	char setting[SWITCHES_NAME_SIZE];

	for (size_t i = 0; i < loader_count(); i++) {
		if (strcmp(loader_get(i)->name, name) == 0 && switches_setting(name, setting))
			return loader_get(i);
	}
	return NULL;
}

static const struct loaded_module *named(struct shoal_invocation *inv)
{
	const struct loaded_module *module = find(shoal_invocation_string(inv, "name", ""));
	char clean[64];

	if (!module)
		invocation_refuse(
			inv, &phrase_MODULE_UNKNOWN,
			&(struct shoal_word){ "module", phrases_clean(shoal_invocation_string(inv, "name", ""), 32,
								      clean, sizeof(clean)) },
			1);
	return module;
}

/* As a member finds it: what is in a menu has no slash, and its name in the member's language. */
static void put_command(struct buf *out, struct shoal_invocation *inv, const struct shoal_command *command)
{
	enum shoal_language language = shoal_invocation_language(inv);
	const char *name = command->names && language != SHOAL_ENGLISH ? command->names->text[language] : NULL;

	if (command->kind == SHOAL_COMMAND_SLASH)
		buf_printf(out, "%s`/%s`", out->len ? ", " : "", command->name);
	else
		buf_printf(out, "%s`%s`", out->len ? ", " : "", name ? name : command->name);
}

static void show_now(struct shoal_invocation *inv)
{
	const struct loaded_module *module = named(inv);
	CLEANUP(buf_finish) struct buf commands = { 0 };
	CLEANUP(buf_finish) struct buf out = { 0 };
	char count[16];
	struct look look;

	buf_init(&commands, COMMANDS_MAX);
	buf_init(&out, 4 * TEXT_MAX);
	if (!module)
		return;
	look = look_at(inv, module);
	put_module(&out, inv, &look);
	for (size_t i = 0; i < module->rows.command_count && commands.len < COMMANDS_MAX - 60; i++)
		put_command(&commands, inv, module->rows.commands[i]);
	if (commands.len && buf_cstr(&commands)) {
		buf_append_char(&out, '\n');
		put(&out, inv, &phrase_MODULE_COMMANDS, "commands", buf_cstr(&commands));
	}
	snprintf(count, sizeof(count), "%zu", module->rows.setting_count);
	if (module->rows.setting_count) {
		buf_append_char(&out, '\n');
		phrases_print(&out, &phrase_MODULE_SETTINGS, inv->language,
			      (const struct shoal_word[]){ { "count", count }, { "name", module->entry.name } }, 2);
	}
	if (!look.answer.sure && settings_is_on(settings_of(inv))) {
		buf_append_char(&out, '\n');
		put(&out, inv, &phrase_MODULES_DOUBT, "", "");
	}
	shoal_reply_text(inv, buf_cstr(&out));
}

/* A view of a server's settings needs them loaded: any one brings all. */
struct view {
	struct shoal_invocation *inv;
	void (*show)(struct shoal_invocation *inv);
};

static void on_loaded(void *arg, const struct setting_answer *answer)
{
	struct view *view = arg;

	(void)answer;
	view->show(view->inv);
	shoal_invocation_release(view->inv);
	free(view);
}

static void view(struct shoal_invocation *inv, void (*show)(struct shoal_invocation *inv))
{
	const struct settings_place place = { .guild_id = shoal_invocation_guild_id(inv) };
	struct view *wanted = calloc(1, sizeof(*wanted));

	if (!wanted)
		return; /* its last release apologises */
	wanted->inv = shoal_invocation_hold(inv);
	wanted->show = show;
	if (settings_get(settings_of(inv), &place, SETTING_PREFIX, on_loaded, wanted) == 0)
		return;
	shoal_invocation_release(inv);
	free(wanted);
}

static void list(struct shoal_invocation *inv)
{
	view(inv, list_now);
}

static void show(struct shoal_invocation *inv)
{
	view(inv, show_now);
}

/* --- enable, disable, reset ----------------------------------------------------------------------------------------
 */

struct change {
	struct shoal_invocation *inv;
	const struct shoal_phrase *done;
};

static void on_changed(void *arg, const struct settings_outcome *outcome)
{
	struct change *change = arg;
	struct shoal_invocation *inv = change->inv;
	const struct shoal_word word = { "module", shoal_invocation_string(inv, "name", "") };
	char text[TEXT_MAX], kept[400];

	if (outcome->error == -ENOENT) {
		invocation_refuse(inv, &phrase_MODULE_NOT_SET, &word, 1);
	} else if (!builtin_tell_outcome(inv, outcome)) {
		phrases_print_text(change->done, inv->language, &word, 1, text, sizeof(text));
		phrases_print_text(&phrase_KEPT_FOR_LATER, inv->language, NULL, 0, kept, sizeof(kept));
		shoal_reply_printf(inv, "%s%s%s", text, outcome->kept ? "\n" : "", outcome->kept ? kept : "");
	}
	shoal_invocation_release(inv);
	free(change);
}

/* @text NULL: the server's own word is taken back. */
static void change(struct shoal_invocation *inv, const char *text, const struct shoal_phrase *done)
{
	const struct loaded_module *module = named(inv);
	char name[SWITCHES_NAME_SIZE];
	struct settings_change wish = { .layer = SETTINGS_GUILD,
					.place.guild_id = shoal_invocation_guild_id(inv),
					.name = name,
					.by = shoal_invocation_user_id(inv),
					.token = shoal_invocation_event_id(inv) };
	struct change *begun;

	if (!module || !switches_setting(module->name, name))
		return;
	begun = calloc(1, sizeof(*begun));
	if (!begun)
		return; /* its last release apologises */
	begun->inv = shoal_invocation_hold(inv);
	begun->done = done;
	if (text)
		settings_set(settings_of(inv), &wish, text, on_changed, begun);
	else
		settings_reset(settings_of(inv), &wish, on_changed, begun);
}

static void enable(struct shoal_invocation *inv)
{
	change(inv, "on", &phrase_MODULE_NOW_ON);
}

static void disable(struct shoal_invocation *inv)
{
	change(inv, "off", &phrase_MODULE_NOW_OFF);
}

static void reset(struct shoal_invocation *inv)
{
	change(inv, NULL, &phrase_MODULE_NOW_DEFAULT);
}

/* --- the rows ------------------------------------------------------------------------------------------------------
 */

static void suggest(struct shoal_invocation *inv)
{
	struct shoal_choice choices[SUGGESTED_MAX] = { 0 };
	const char *typed = shoal_suggest_typed(inv);
	char setting[SWITCHES_NAME_SIZE];
	size_t count = 0;

	for (size_t i = 0; i < loader_count() && count < SUGGESTED_MAX; i++) {
		const char *name = loader_get(i)->name;

		if (switches_setting(name, setting) && strstr(name, typed))
			choices[count++] = (struct shoal_choice){ .name = name };
	}
	shoal_suggest(inv, choices, count);
}

static const struct shoal_command_option name_options[] = {
	{ .name = "name",
	  .description = "The module's name",
	  .type = SHOAL_OPTION_STRING,
	  .required = true,
	  .min = 1,
	  .max = SHOAL_MODULE_NAME_MAX,
	  .suggest = suggest,
	  .descriptions = SHOAL_LOCAL("Der Name des Moduls", "El nombre del módulo", "Il nome del modulo") },
};

#define NAMED(name_, description_, de_, es_, it_, handle_)                                                  \
	{                                                                                                   \
		.name = (name_), .description = (description_), .descriptions = SHOAL_LOCAL(de_, es_, it_), \
		.options = name_options, .option_count = ARRAY_SIZE(name_options), .handle = (handle_)      \
	}

static const struct shoal_command children[] = {
	{ .name = "list",
	  .description = "See which modules there are, and which run here",
	  .descriptions = SHOAL_LOCAL("Sieh, welche Module es gibt und welche hier laufen",
				      "Mira qué módulos hay y cuáles funcionan aquí",
				      "Vedi quali moduli ci sono e quali sono attivi qui"),
	  .handle = list },
	NAMED("show", "See what a module brings, and why it runs here or not",
	      "Sieh, was ein Modul bringt und warum es hier läuft oder nicht",
	      "Mira qué aporta un módulo y por qué funciona aquí o no",
	      "Vedi che cosa offre un modulo e perché qui è attivo o no", show),
	NAMED("enable", "Switch a module on in this server", "Schalte ein Modul auf diesem Server ein",
	      "Activa un módulo en este servidor", "Attiva un modulo in questo server", enable),
	NAMED("disable", "Switch a module off in this server", "Schalte ein Modul auf diesem Server ab",
	      "Desactiva un módulo en este servidor", "Disattiva un modulo in questo server", disable),
	NAMED("reset", "Take back what this server has said about a module",
	      "Nimm zurück, was dieser Server zu einem Modul gesagt hat",
	      "Retira lo que este servidor ha dicho sobre un módulo",
	      "Ritira ciò che questo server ha detto su un modulo", reset),
};

const struct shoal_command command_module = {
	.name = "module",
	.description = "See and switch what runs in this server",
	.descriptions = SHOAL_LOCAL("Sieh und schalte, was auf diesem Server läuft",
				    "Mira y cambia lo que funciona en este servidor",
				    "Vedi e cambia che cosa è attivo in questo server"),
	.flags = SHOAL_COMMAND_EPHEMERAL | SHOAL_COMMAND_GUILD_ONLY,
	.permissions = SHOAL_PERMISSION_MANAGE_GUILD,
	.children = children,
	.child_count = ARRAY_SIZE(children),
};
