/* /welcome preview: shows an admin what will come, and why it will not. */
#include "shard/modules/admin/admin.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shard/modules/admin/greeting.h"
#include "shard/modules/admin/phrases.h"

#define NOTE_SIZE 1800
#define WORD_SIZE 34 /* of a {word} in an admin's text */

/* Lines above or below what is shown. */
struct note {
	enum shoal_language language;
	char text[NOTE_SIZE];
	size_t len;
};

static void add(struct note *note, const struct shoal_phrase *phrase, const struct shoal_word *words, size_t count)
{
	char line[600];
	int written;

	shoal_phrase_print(phrase, note->language, words, count, line, sizeof(line));
	written = snprintf(note->text + note->len, NOTE_SIZE - note->len, "%s%s", note->len ? "\n" : "", line);
	if (written > 0 && (size_t)written < NOTE_SIZE - note->len)
		note->len += (size_t)written;
	else
		note->text[note->len] = '\0';
}

static void where(struct note *note, const struct shoal_guild_view *guild, uint64_t bot_id, uint64_t channel_id,
		  bool embed)
{
	char channel[24];
	struct shoal_word words[] = { { "channel", channel }, { "permission", "" } };
	uint64_t missing;
	bool gone;

	snprintf(channel, sizeof(channel), "%llu", (unsigned long long)channel_id);
	missing = greeting_barred(guild, bot_id, channel_id, embed, &gone);
	words[1].value = shoal_permission_words(missing, note->language);
	add(note, gone ? PHRASE(CHANNEL_GONE) : missing ? PHRASE(CHANNEL_CLOSED) : PHRASE(GOES_TO), words, 2);
}

/* The first {word} of an admin's text that is none; false: all are. */
static bool find_unknown(const char *text, char word[WORD_SIZE])
{
	static const char *const known[] = { "{user}", "{name}", "{server}", "{count}", "{id}" };
	const char *at = text;
	size_t len, i;

	while ((at = strchr(at, '{'))) {
		len = 1 + strspn(at + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
		if (len > 1 && len < WORD_SIZE - 1 && at[len] == '}') {
			snprintf(word, WORD_SIZE, "%.*s", (int)len + 1, at);
			for (i = 0; i < SHOAL_COUNT(known) && strcmp(word, known[i]) != 0; i++)
				;
			if (i == SHOAL_COUNT(known))
				return true;
		}
		at++;
	}
	return false;
}

static void preview_greeting(struct shoal_invocation *inv, enum greeting_kind kind, const struct wishes *wishes)
{
	static const struct shoal_phrase *const offs[] = { [GREETING_WELCOME] = PHRASE(OFF_WELCOME),
							   [GREETING_DM] = PHRASE(OFF_DM),
							   [GREETING_LEAVE] = PHRASE(OFF_LEAVE) };
	struct shoal_scope *scope = shoal_invocation_scope(inv);
	uint64_t guild_id = shoal_invocation_guild_id(inv), user_id = shoal_invocation_user_id(inv);
	const struct shoal_guild_view *guild = shoal_guild_get(scope, guild_id);
	const struct shoal_resolved_user *user = shoal_resolved_user(inv, user_id);
	struct person person = { .id = user_id };
	struct note note = { .language = shoal_invocation_language(inv) };
	struct greeting greeting;
	char text[NOTE_SIZE + 200], word[WORD_SIZE];

	snprintf(person.name, sizeof(person.name), "%s", user ? user->shown_name : "");
	snprintf(person.avatar, sizeof(person.avatar), "%s", user && user->avatar ? user->avatar : "");
	if (!greeting_wanted(kind, wishes, &person)) {
		shoal_reply_phrase(inv, offs[kind], NULL, 0);
		return;
	}
	greeting_make(&greeting, kind, wishes, &person, guild, shoal_guild_language(scope, guild_id));
	add(&note, PHRASE(PREVIEW_OF), NULL, 0);
	if (kind != GREETING_DM)
		where(&note, guild, shoal_self(scope), greeting_channel(kind, wishes),
		      greeting.content.embed_count > 0);
	if (find_unknown(greeting_text(kind, wishes), word))
		add(&note, PHRASE(WORD_UNKNOWN),
		    (const struct shoal_word[]){ { "word", word },
						 { "words", "`{user}` `{name}` `{server}` `{count}`" } },
		    2);
	/* All of it in an embed of its own: nobody is notified by a preview, and the admin's text is not cut. */
	if (greeting.content.embed_count == 0)
		greeting.embed.description = greeting.text;
	snprintf(text, sizeof(text), "%s", note.text);
	shoal_reply(inv, &(struct shoal_content){ .text = text, .embeds = &greeting.embed, .embed_count = 1 });
}

static void role_words(const struct wishes_roles *roles, char *text, size_t size)
{
	size_t i, len = 0;

	for (i = 0; i < roles->count && len < size; i++)
		len += (size_t)snprintf(text + len, size - len, "%s<@&%llu>", i ? " " : "",
					(unsigned long long)roles->ids[i]);
}

static void bars(struct note *note, struct shoal_invocation *inv, const struct shoal_guild_view *guild,
		 const struct wishes_roles *roles)
{
	struct shoal_scope *scope = shoal_invocation_scope(inv);
	struct shoal_act_bar bar;
	char id[24], why[400];
	const struct shoal_word words[] = { { "role", id }, { "why", why } };
	size_t i;

	for (i = 0; i < roles->count; i++) {
		/* Of a member who is nobody special yet: 1 is nobody's id. */
		if (admin_role_allowed(scope, guild, 1, roles->ids[i], note->language, &bar))
			continue;
		snprintf(id, sizeof(id), "%llu", (unsigned long long)roles->ids[i]);
		shoal_phrase_print(bar.phrase, note->language, bar.words, bar.word_count, why, sizeof(why));
		add(note, PHRASE(ROLE_BARRED), words, 2);
	}
}

static void preview_roles(struct shoal_invocation *inv, const struct wishes *wishes)
{
	const struct shoal_guild_view *guild =
		shoal_guild_get(shoal_invocation_scope(inv), shoal_invocation_guild_id(inv));
	struct note note = { .language = shoal_invocation_language(inv) };
	char roles[WISHES_ROLES_MAX * 26] = "", bot_roles[WISHES_ROLES_MAX * 26] = "";
	const struct shoal_word words[] = { { "roles", roles } }, bot_words[] = { { "roles", bot_roles } };

	if (!guild) {
		shoal_refuse(inv, PHRASE(SERVER_UNKNOWN), NULL, 0);
		return;
	}
	if (!wishes->roles.count && !wishes->bot_roles.count) {
		shoal_reply_phrase(inv, PHRASE(OFF_ROLES), NULL, 0);
		return;
	}
	role_words(&wishes->roles, roles, sizeof(roles));
	role_words(&wishes->bot_roles, bot_roles, sizeof(bot_roles));
	if (wishes->roles.count) {
		add(&note, PHRASE(ROLES_GIVEN), words, 1);
		add(&note, PHRASE(ROLES_AFTER_SCREENING), NULL, 0);
	}
	if (wishes->bot_roles.count)
		add(&note, PHRASE(BOT_ROLES_GIVEN), bot_words, 1);
	bars(&note, inv, guild, &wishes->roles);
	bars(&note, inv, guild, &wishes->bot_roles);
	shoal_reply_text(inv, note.text);
}

static void on_wishes(void *arg, int error, const struct wishes *wishes)
{
	struct shoal_invocation *inv = arg;
	const char *what = shoal_invocation_string(inv, "what", "welcome");

	if (error == -ECANCELED)
		return;
	if (error < 0)
		shoal_refuse(inv, PHRASE(SETTINGS_SILENT), NULL, 0);
	else if (strcmp(what, "roles") == 0)
		preview_roles(inv, wishes);
	else
		preview_greeting(inv,
				 strcmp(what, "leave") == 0 ? GREETING_LEAVE
				 : strcmp(what, "dm") == 0  ? GREETING_DM
							    : GREETING_WELCOME,
				 wishes);
}

static void preview(struct shoal_invocation *inv)
{
	int r = wishes_read(shoal_invocation_scope(inv), shoal_invocation_guild_id(inv), on_wishes, inv);

	if (r < 0)
		on_wishes(inv, r, NULL);
}

static const struct shoal_choice whats[] = {
	{ .name = "welcome", .names = SHOAL_LOCAL("Willkommen", "bienvenida", "benvenuto") },
	{ .name = "leave", .names = SHOAL_LOCAL("Abschied", "despedida", "addio") },
	{ .name = "dm", .names = SHOAL_LOCAL("Direktnachricht", "mensaje directo", "messaggio diretto") },
	{ .name = "roles", .names = SHOAL_LOCAL("Rollen", "roles", "ruoli") },
};

static const struct shoal_command_option options[] = {
	{ .name = "what",
	  .description = "What of it (default: welcome)",
	  .type = SHOAL_OPTION_STRING,
	  .choices = whats,
	  .choice_count = SHOAL_COUNT(whats),
	  .descriptions = SHOAL_LOCAL("Was davon (sonst: Willkommen)", "Qué parte (por defecto: bienvenida)",
				      "Che cosa (predefinito: benvenuto)") },
};

static const struct shoal_command children[] = {
	{ .name = "preview",
	  .description = "Shows what new members will get, and what stands in the way",
	  .descriptions = SHOAL_LOCAL("Zeigt, was neue Mitglieder bekommen, und was im Weg steht",
				      "Muestra lo que recibirán los nuevos miembros y lo que lo impide",
				      "Mostra che cosa ricevono i nuovi membri e che cosa lo impedisce"),
	  .options = options,
	  .option_count = SHOAL_COUNT(options),
	  .handle = preview },
};

const struct shoal_command admin_welcome = {
	.name = "welcome",
	.description = "What happens when members come and go",
	.descriptions = SHOAL_LOCAL("Was geschieht, wenn Mitglieder kommen und gehen",
				    "Qué pasa cuando llegan y se van miembros",
				    "Che cosa succede quando i membri arrivano e se ne vanno"),
	.flags = SHOAL_COMMAND_GUILD_ONLY | SHOAL_COMMAND_EPHEMERAL,
	.permissions = SHOAL_PERMISSION_MANAGE_GUILD,
	.children = children,
	.child_count = SHOAL_COUNT(children),
};
