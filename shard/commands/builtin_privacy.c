/* /privacy: what is kept of the member who asks, told to them alone, or erased after they said so once more. */
#include "shard/commands/builtin.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard/commands/commands.h"
#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/log/log.h"
#include "shared/privacy/keeper.h"
#include "shared/privacy/privacy.h"
#include "shared/settings/settings.h"

#define PART_MAX    1700 /* bytes with what a fence costs: a message has 2000 characters */
#define PARTS_MAX   15
#define PRIVACY_ROW "{\"table\":" /* each row of an export begins so */

static void tell_error(struct shoal_invocation *inv, int error)
{
	const struct db *db = commands_services(inv)->db;

	if (error == -ECANCELED)
		return;
	if (error == -SHOAL_EOFFLINE && (!db || !db_is_on(db)))
		invocation_refuse(inv, &phrase_PRIVACY_NO_DATABASE, NULL, 0);
	else if (error == -SHOAL_EOFFLINE)
		invocation_refuse(inv, &phrase_PRIVACY_AWAY, NULL, 0);
	else
		invocation_incident_phrase(inv, &phrase_PRIVACY_BROKEN, error_text(error));
}

/* --- export ------------------------------------------------------------------------------------------------------- */

/* The next piece, cut at a line's end where there is one. */
static size_t next_part(const char *text, size_t len)
{
	size_t end = 0, bytes = 0;

	for (; end < len && bytes < PART_MAX; end++)
		bytes += text[end] == '`' ? sizeof("\\u0060") - 1 : 1;
	if (end == len)
		return end;
	for (size_t at = end; at > end / 2; at--)
		if (text[at - 1] == '\n')
			return at;
	while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
		end--;
	return end;
}

/* A fence within would end the block; JSON knows the backtick by its number, too. */
static void put_part(char *out, size_t size, const char *text, size_t len)
{
	size_t at = (size_t)snprintf(out, size, "```json\n");

	for (size_t i = 0; i < len && at + 12 < size; i++) {
		if (text[i] == '`')
			at += (size_t)snprintf(out + at, size - at, "\\u0060");
		else
			out[at++] = text[i];
	}
	snprintf(out + at, size - at, "\n```");
}

/* The first piece says what it is. */
static void tell_first(struct shoal_invocation *inv, const char *part)
{
	CLEANUP(buf_finish) struct buf out = { 0 };

	buf_init(&out, PART_MAX * 2);
	buf_printf(&out, "%s\n%s", builtin_text(inv, &phrase_PRIVACY_ALL), part);
	if (buf_cstr(&out))
		shoal_reply_text(inv, buf_cstr(&out));
}

static void exported(void *arg, int error, const char *json, size_t len, bool cut)
{
	struct shoal_invocation *inv = arg;
	char text[PART_MAX * 2], user[NUMBER_SIZE];
	struct shoal_content content = { .text = text, .flags = SHOAL_CONTENT_EPHEMERAL };
	size_t at = 0, parts;

	if (error < 0) {
		tell_error(inv, error);
		shoal_invocation_release(inv);
		return;
	}
	if (!cut && !memmem(json, len, PRIVACY_ROW, strlen(PRIVACY_ROW))) {
		invocation_reply_phrase(inv, &phrase_PRIVACY_NOTHING, NULL, 0);
		shoal_invocation_release(inv);
		return;
	}
	for (parts = 0; at < len && parts < PARTS_MAX; parts++) {
		size_t part = next_part(json + at, len - at);

		put_part(text, sizeof(text), json + at, part);
		at += part;
		if (parts == 0)
			tell_first(inv, text);
		else if (shoal_followup(inv, &content, NULL, NULL) < 0)
			break;
	}
	if (cut || at < len) {
		phrases_print_text(&phrase_PRIVACY_CUT, inv->language,
				   WORDS({ "user", builtin_number(shoal_invocation_user_id(inv), user) }), text,
				   sizeof(text));
		shoal_followup(inv, &content, NULL, NULL);
	}
	shoal_invocation_release(inv);
}

static void export_own(struct shoal_invocation *inv)
{
	int r;

	shoal_invocation_hold(inv);
	r = privacy_export(commands_services(inv)->db, shoal_invocation_user_id(inv), exported, inv);
	if (r < 0)
		exported(inv, r, NULL, 0, false);
}

/* --- delete ------------------------------------------------------------------------------------------------------- */

static void ask_again(struct shoal_invocation *inv)
{
	char id[SHOAL_CUSTOM_ID_MAX];
	struct shoal_button button = { .style = SHOAL_BUTTON_DANGER,
				       .label = builtin_text(inv, &phrase_PRIVACY_BUTTON),
				       .custom_id = id };
	struct shoal_action_row row = { .buttons = &button, .button_count = 1 };
	struct shoal_content content = {
		.text = builtin_text(inv, &phrase_PRIVACY_ASK),
		.rows = &row,
		.row_count = 1,
	};

	snprintf(id, sizeof(id), PRIVACY_BUTTON ":%" PRIu64, shoal_invocation_user_id(inv));
	shoal_reply(inv, &content);
}

static void erased(void *arg, int error, uint64_t rows)
{
	struct shoal_invocation *inv = arg;
	const struct command_services *services = commands_services(inv);
	char count[NUMBER_SIZE];
	struct settings_place place = { .user_id = shoal_invocation_user_id(inv) };
	struct log_ctx ctx = { .shard = (int32_t)services->shard_id, .module = "privacy" };

	if (error < 0) {
		tell_error(inv, error);
	} else {
		settings_tell(services->settings, SETTINGS_USER, &place);
		if (services->keeper && *services->keeper)
			keeper_wake(*services->keeper);
		log_audit(&ctx, "privacy.erased", KV_U64("rows", rows)); /* not who: that was the point */
		invocation_reply_phrase(inv, &phrase_PRIVACY_DONE, WORDS({ "count", builtin_number(rows, count) }));
	}
	shoal_invocation_release(inv);
}

static void delete_own(struct shoal_invocation *inv)
{
	int r;

	shoal_invocation_hold(inv);
	r = privacy_erase(commands_services(inv)->db, shoal_invocation_user_id(inv), erased, inv);
	if (r < 0)
		erased(inv, r, 0);
}

static void delete_asked(struct shoal_invocation *inv)
{
	if (shoal_invocation_boolean(inv, "confirm", false))
		delete_own(inv);
	else
		ask_again(inv);
}

/* The button is only seen by who asked; a forged one deletes nobody else's. */
static void delete_pressed(struct shoal_invocation *inv)
{
	char own[24];

	snprintf(own, sizeof(own), "%" PRIu64, shoal_invocation_user_id(inv));
	if (strcmp(shoal_invocation_custom_rest(inv), own) != 0)
		invocation_refuse(inv, &phrase_PRIVACY_FOREIGN, NULL, 0);
	else
		delete_own(inv);
}

const struct shoal_component_row builtin_components[BUILTIN_COMPONENTS] = {
	{ .prefix = PRIVACY_BUTTON, .flags = SHOAL_COMPONENT_EPHEMERAL, .handle = delete_pressed },
};

static const struct shoal_command_option delete_options[] = {
	{ .name = "confirm",
	  .description = "Yes, delete it at once",
	  .descriptions = SHOAL_LOCAL("Ja, sofort löschen", "Sí, borrarlo ahora mismo", "Sì, elimina subito"),
	  .type = SHOAL_OPTION_BOOLEAN },
};

static const struct shoal_command children[] = {
	{
		.name = "export",
		.description = "See everything that is kept of you",
		.descriptions = SHOAL_LOCAL("Alles sehen, was von dir aufbewahrt wird",
					    "Ver todo lo que se guarda de ti", "Vedi tutto ciò che è conservato di te"),
		.handle = export_own,
	},
	{
		.name = "delete",
		.description = "Delete everything that is kept of you",
		.descriptions =
			SHOAL_LOCAL("Alles löschen, was von dir aufbewahrt wird", "Borrar todo lo que se guarda de ti",
				    "Elimina tutto ciò che è conservato di te"),
		.options = delete_options,
		.option_count = ARRAY_SIZE(delete_options),
		.handle = delete_asked,
	},
};

const struct shoal_command command_privacy = {
	.name = "privacy",
	.description = "See or delete what is kept of you",
	.descriptions = SHOAL_LOCAL("Sehen oder löschen, was von dir aufbewahrt wird",
				    "Ver o borrar lo que se guarda de ti", "Vedi o elimina ciò che è conservato di te"),
	.flags = SHOAL_COMMAND_EPHEMERAL | SHOAL_COMMAND_SLASH_ONLY,
	.children = children,
	.child_count = ARRAY_SIZE(children),
};
