/* Lifetime of an invocation and what a handler may ask of it. */
#include "shard/commands/invocation.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shoal/snowflake.h>

#include "shard/commands/answer.h"
#include "shard/commands/commands.h"
#include "shard/commands/components.h"
#include "shard/commands/seal.h"
#include "shared/base/buf.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/random.h"
#include "shared/discord/discord_error.h"
#include "shared/discord/discord_time.h"
#include "shared/log/log.h"

#define INCIDENT_DIGITS 8

static void hold(void *owner)
{
	invocation_hold(owner);
}

static void release(void *owner)
{
	invocation_release(owner);
}

int invocation_new(struct commands *commands, const struct invocation_source *source,
		   struct shoal_invocation **ret_invocation)
{
	struct shoal_invocation *inv;

	if (source->token.len > INVOCATION_TOKEN_MAX)
		return -E2BIG;
	inv = calloc(1, sizeof(*inv));
	if (!inv)
		return -ENOMEM;
	resolved_init(&inv->resolved);
	if (source->form != INVOCATION_MESSAGE) {
		inv->token = strndup(source->token.ptr ? source->token.ptr : "", source->token.len);
		if (!inv->token) {
			free(inv);
			return -ENOMEM;
		}
	}
	inv->commands = commands;
	inv->form = source->form;
	inv->event_id = source->event_id;
	inv->application_id = source->application_id;
	inv->guild_id = source->guild_id;
	inv->channel_id = source->channel_id;
	inv->user_id = source->user_id;
	inv->message_id = source->message_id;
	inv->permissions_known = source->permissions_known;
	inv->permissions = source->permissions;
	inv->language = source->language;
	if (source->resolved) {
		inv->resolved = *source->resolved;
		resolved_init(source->resolved);
	}
	inv->ticket = ticket_hold(source->ticket);
	scope_init(&inv->scope, NULL, inv->ticket, EFFECT_LANE_COMMANDS, inv, hold, release);
	inv->scope.guild_id = source->guild_id;
	inv->scope.looks_only = source->form == INVOCATION_SUGGEST;
	inv->scope.what = inv->path;
	inv->received_ns = clock_monotonic_ns();
	inv->refs = 1;
	answer_init(inv);
	inv->next = commands->open;
	if (inv->next)
		inv->next->prev = inv;
	commands->open = inv;
	*ret_invocation = inv;
	return 0;
}

void invocation_set_owner(struct shoal_invocation *inv, struct module_entry *owner)
{
	inv->scope.module = owner;
}

/* --- what components and forms bring
 * ---------------------------------------------------------------------------------- */

/* A copy as C string, counted against @left; bytes of value 0 would end it early and are left out. */
static char *copy_text(struct shoal_str text, size_t *left)
{
	char *copy;
	size_t i, len = 0;

	if (text.len >= *left)
		return NULL;
	copy = malloc((size_t)text.len + 1);
	if (!copy)
		return NULL;
	for (i = 0; i < text.len; i++) {
		if (text.ptr[i] != '\0')
			copy[len++] = text.ptr[i];
	}
	copy[len] = '\0';
	*left -= text.len;
	return copy;
}

static bool add_field(struct shoal_invocation *inv, const struct shoal_component *input, size_t *left)
{
	struct invocation_field *field = &inv->fields[inv->field_count];

	if (!input->has.custom_id || input->value.kind != SHOAL_VALUE_STR)
		return true;
	inv->field_count++;
	field->custom_id = copy_text(input->custom_id, left);
	field->value = copy_text(input->value.text, left);
	return field->custom_id && field->value;
}

/* A form's inputs: in labels, or in the rows of the legacy form. */
static bool add_fields(struct shoal_invocation *inv, const struct shoal_interaction_data *data, size_t *left)
{
	size_t i, j, count = 0;
	bool ok = true;

	for (i = 0; i < data->components.count; i++)
		count += 1 + data->components.items[i].components.count;
	if (count == 0)
		return true;
	inv->fields = calloc(count, sizeof(*inv->fields));
	if (!inv->fields)
		return false;
	for (i = 0; ok && i < data->components.count; i++) {
		const struct shoal_component *item = &data->components.items[i];

		if (item->component)
			ok = add_field(inv, item->component, left);
		for (j = 0; ok && j < item->components.count; j++)
			ok = add_field(inv, &item->components.items[j], left);
	}
	return ok;
}

static bool add_values(struct shoal_invocation *inv, const struct shoal_interaction_data *data, size_t *left)
{
	size_t i;

	if (data->values.count == 0)
		return true;
	inv->values = calloc(data->values.count, sizeof(*inv->values));
	if (!inv->values)
		return false;
	for (i = 0; i < data->values.count; i++) {
		inv->values[i] = copy_text(data->values.items[i], left);
		inv->value_count++;
		if (!inv->values[i])
			return false;
	}
	return true;
}

int invocation_set_data(struct shoal_invocation *inv, const struct shoal_interaction_data *data, size_t custom_skip)
{
	size_t left = INVOCATION_TEXT_MAX;

	inv->custom_id = copy_text(data->custom_id, &left);
	if (!inv->custom_id || !add_values(inv, data, &left) || !add_fields(inv, data, &left))
		return -E2BIG;
	inv->custom_skip = custom_skip < strlen(inv->custom_id) ? custom_skip : strlen(inv->custom_id);
	return 0;
}

static void free_data(struct shoal_invocation *inv)
{
	size_t i;

	free(inv->custom_id);
	for (i = 0; i < inv->value_count; i++)
		free(inv->values[i]);
	free(inv->values);
	for (i = 0; i < inv->field_count; i++) {
		free(inv->fields[i].custom_id);
		free(inv->fields[i].value);
	}
	free(inv->fields);
}

/* What was never found to be a command of ours has no name, and is nobody's use. */
static void count(struct shoal_invocation *inv)
{
	uint64_t took_us = inv->answered_ns ? (inv->answered_ns - inv->received_ns) / NS_PER_US + 1 : 0;

	if (!inv->path[0] || inv->commands->closing)
		return;
	command_tally_count(&inv->commands->tally, inv->scope.module ? inv->scope.module->name : "none", inv->path,
			    inv->form == INVOCATION_SUGGEST ? COMMAND_OUTCOME_suggested : inv->outcome, took_us);
}

static void unlink_and_free(struct shoal_invocation *inv)
{
	count(inv);
	if (inv->prev)
		inv->prev->next = inv->next;
	else
		inv->commands->open = inv->next;
	if (inv->next)
		inv->next->prev = inv->prev;
	arguments_finish(&inv->arguments);
	resolved_finish(&inv->resolved);
	free(inv->typed);
	free_data(inv);
	content_free(inv->reply);
	json_decref(inv->modal);
	if (inv->token)
		explicit_bzero(inv->token, strlen(inv->token));
	free(inv->token);
	ticket_release(inv->ticket);
	free(inv);
}

struct shoal_invocation *invocation_hold(struct shoal_invocation *inv)
{
	if (culprit_is_astray(inv->scope.module, "shoal_invocation_hold"))
		return inv;
	inv->refs++;
	return inv;
}

/* A new incident's number into @incident; in the log it stands beside @why. */
static void note_incident(struct shoal_invocation *inv, const char *event, const char *why,
			  const struct shoal_result *result, char incident[INCIDENT_DIGITS + 1])
{
	struct log_ctx ctx = { .shard = (int32_t)inv->commands->services.shard_id,
			       .guild_id = inv->guild_id,
			       .module = inv->path };

	inv->outcome = COMMAND_OUTCOME_failed;
	random_hex(incident, INCIDENT_DIGITS);
	board_count(inv->commands->services.counters, BOARD_COUNTER_commands_failed, 1);
	log_error(&ctx, event, KV_MSG(why), KV_STR("incident", incident),
		  KV_INT("http_status", result ? result->http_status : 0),
		  KV_INT("discord_code", result ? result->discord_code : 0),
		  KV_STR("detail", result ? result->message : ""));
}

static int tell_incident(struct shoal_invocation *inv, const char *event, const char *why,
			 const struct shoal_phrase *phrase)
{
	char incident[INCIDENT_DIGITS + 1];

	note_incident(inv, event, why, NULL, incident);
	return invocation_refuse(inv, phrase, &(struct shoal_word){ "incident", incident }, 1);
}

int invocation_refuse_result(struct shoal_invocation *inv, const struct shoal_result *result)
{
	const struct shoal_phrase *phrase = result->phrase ? result->phrase : discord_error_phrase(0, 0);
	char incident[INCIDENT_DIGITS + 1];

	if (result->error == -ECANCELED)
		return 0;
	if (inv->replied)
		return -EALREADY;
	if (!discord_error_is_unexpected(result->http_status, result->discord_code))
		return invocation_refuse(inv, phrase, NULL, 0);
	note_incident(inv, "commands.incident", "Discord refused what a command asked of it", result, incident);
	return invocation_refuse(
		inv, &phrase_DISCORD_INCIDENT,
		(const struct shoal_word[]){ { "why", phrases_text(phrase, inv->language) }, { "incident", incident } },
		2);
}

int invocation_incident(struct shoal_invocation *inv, const char *why)
{
	return invocation_incident_phrase(inv, &phrase_UNEXPECTED, why);
}

int invocation_incident_phrase(struct shoal_invocation *inv, const struct shoal_phrase *phrase, const char *why)
{
	return inv->replied ? -EALREADY : tell_incident(inv, "commands.incident", why, phrase);
}

void invocation_apologise(struct shoal_invocation *inv)
{
	if (inv->form == INVOCATION_SUGGEST) /* nothing came to its mind: no suggestions */
		invocation_refuse(inv, &phrase_NO_ANSWER, NULL, 0);
	else
		tell_incident(inv, "commands.unanswered", "a command's handler ended without an answer",
			      &phrase_NO_ANSWER);
}

void invocation_release(struct shoal_invocation *inv)
{
	if (!inv || culprit_is_astray(inv->scope.module, "shoal_invocation_release"))
		return;
	/* At the last reference: answering takes one of its own, so this comes here again when that is over. */
	if (inv->refs == 1 && !inv->replied && !inv->commands->closing)
		invocation_apologise(inv);
	if (--inv->refs == 0)
		unlink_and_free(inv);
}

uint64_t invocation_age_ms(const struct shoal_invocation *inv)
{
	return discord_time_age_ms(inv->event_id);
}

uint64_t invocation_guild_id(const struct shoal_invocation *inv)
{
	return inv->guild_id;
}

uint64_t invocation_channel_id(const struct shoal_invocation *inv)
{
	return inv->channel_id;
}

uint64_t invocation_user_id(const struct shoal_invocation *inv)
{
	return inv->user_id;
}

const char *invocation_string(const struct shoal_invocation *inv, const char *option, const char *fallback)
{
	const struct argument *argument = arguments_find(&inv->arguments, option);

	return argument && argument->text ? argument->text : fallback;
}

int64_t invocation_integer(const struct shoal_invocation *inv, const char *option, int64_t fallback)
{
	const struct argument *argument = arguments_find(&inv->arguments, option);

	return argument ? argument->integer : fallback;
}

bool invocation_boolean(const struct shoal_invocation *inv, const char *option, bool fallback)
{
	const struct argument *argument = arguments_find(&inv->arguments, option);

	return argument ? argument->boolean : fallback;
}

double invocation_number(const struct shoal_invocation *inv, const char *option, double fallback)
{
	const struct argument *argument = arguments_find(&inv->arguments, option);

	return argument ? argument->number : fallback;
}

uint64_t invocation_id(const struct shoal_invocation *inv, const char *option, uint64_t fallback)
{
	const struct argument *argument = arguments_find(&inv->arguments, option);

	return argument ? argument->id : fallback;
}

bool invocation_has(const struct shoal_invocation *inv, const char *option)
{
	return arguments_find(&inv->arguments, option) != NULL;
}

enum shoal_language invocation_language(const struct shoal_invocation *inv)
{
	return inv->language;
}

const struct shoal_resolved_user *invocation_user(const struct shoal_invocation *inv, uint64_t id)
{
	return resolved_find_user(&inv->resolved, id);
}

const struct shoal_resolved_role *invocation_role(const struct shoal_invocation *inv, uint64_t id)
{
	return resolved_find_role(&inv->resolved, id);
}

const struct shoal_resolved_channel *invocation_channel(const struct shoal_invocation *inv, uint64_t id)
{
	return resolved_find_channel(&inv->resolved, id);
}

const struct shoal_resolved_attachment *invocation_attachment(const struct shoal_invocation *inv, uint64_t id)
{
	return resolved_find_attachment(&inv->resolved, id);
}

uint64_t invocation_target_id(const struct shoal_invocation *inv)
{
	return inv->target_id;
}

const struct shoal_resolved_message *invocation_target_message(const struct shoal_invocation *inv)
{
	return resolved_find_message(&inv->resolved, inv->target_id);
}

int invocation_custom_id_make(const struct shoal_invocation *inv, const char *prefix, const char *rest, char *text)
{
	struct shoal_str name = { prefix, (uint32_t)strlen(prefix) };
	const struct shoal_component_row *row;
	struct module_entry *owner = NULL;
	size_t skip;

	row = components_find(name, &skip, &owner);
	if (!row || owner != inv->scope.module)
		return -ENOENT;
	return seal_print(row, inv->guild_id, inv->user_id, rest, text);
}

struct shoal_scope *invocation_scope(struct shoal_invocation *inv)
{
	return &inv->scope;
}

uint64_t invocation_event_id(const struct shoal_invocation *inv)
{
	return inv->event_id;
}

uint64_t invocation_message_id(const struct shoal_invocation *inv)
{
	return inv->message_id;
}

bool invocation_permissions(const struct shoal_invocation *inv, uint64_t *ret_bits)
{
	if (inv->permissions_known)
		*ret_bits = inv->permissions;
	return inv->permissions_known;
}

const char *invocation_custom_id(const struct shoal_invocation *inv)
{
	return inv->custom_id;
}

const char *invocation_custom_rest(const struct shoal_invocation *inv)
{
	return inv->custom_id ? inv->custom_id + inv->custom_skip : "";
}

size_t invocation_value_count(const struct shoal_invocation *inv)
{
	return inv->value_count;
}

const char *invocation_value(const struct shoal_invocation *inv, size_t i)
{
	return i < inv->value_count ? inv->values[i] : NULL;
}

const char *invocation_field(const struct shoal_invocation *inv, const char *custom_id)
{
	size_t i;

	for (i = 0; i < inv->field_count; i++) {
		if (strcmp(inv->fields[i].custom_id, custom_id) == 0)
			return inv->fields[i].value;
	}
	return NULL;
}

/* --- answers
 * ---------------------------------------------------------------------------------------------------------- */

/* Tells the author of a module, not the member, whose answer is the apology then. */
static int invalid(const struct shoal_invocation *inv, int error, const char *detail)
{
	struct log_ctx ctx = { .shard = (int32_t)inv->commands->services.shard_id,
			       .guild_id = inv->guild_id,
			       .module = inv->scope.module ? inv->scope.module->name : inv->path,
			       .event = inv->path };

	log_error(&ctx, "commands.answer_invalid", KV_MSG("a command's answer breaks Discord's limits"), KV_ERR(error),
		  KV_STR("detail", detail));
	return error;
}

static int give_to(struct shoal_invocation *inv, enum answer_kind kind, const struct shoal_content *from,
		   bool ephemeral)
{
	char error[PAYLOAD_ERROR_SIZE] = "";
	struct content *content;
	int r;

	if (culprit_is_astray(inv->scope.module, "shoal_reply"))
		return -EPERM;
	if (inv->replied)
		return -EALREADY;
	r = content_new(from, error, &content);
	if (r < 0)
		return invalid(inv, r, error);
	r = answer_check(inv, kind, content, error);
	if (r < 0) {
		content_free(content);
		return invalid(inv, r, error);
	}
	return answer_give(inv, kind, content, ephemeral);
}

static int give(struct shoal_invocation *inv, enum answer_kind kind, const struct shoal_content *from)
{
	return give_to(inv, kind, from, from->flags & SHOAL_CONTENT_EPHEMERAL);
}

int invocation_reply(struct shoal_invocation *inv, const struct shoal_content *content)
{
	return give(inv, ANSWER_MESSAGE, content);
}

int invocation_update(struct shoal_invocation *inv, const struct shoal_content *content)
{
	/* Of a form that a command has shown there is no message to change: who sent it sees the answer. */
	if (inv->lacks_message)
		return give_to(inv, ANSWER_MESSAGE, content, true);
	if (!inv->updates)
		return invalid(inv, -EINVAL, "shoal_update() is for component rows with SHOAL_COMPONENT_UPDATES");
	return give(inv, ANSWER_UPDATE, content);
}

int invocation_modal(struct shoal_invocation *inv, const struct shoal_modal *modal)
{
	char error[PAYLOAD_ERROR_SIZE] = "";
	json_t *components, *body = NULL;
	int r;

	if (culprit_is_astray(inv->scope.module, "shoal_modal_show"))
		return -EPERM;
	if (inv->replied)
		return -EALREADY;
	if (inv->form != INVOCATION_SLASH || inv->is_form)
		return invalid(inv, -EINVAL, "a form can't be shown in answer to a message or to a form");
	components = content_modal(modal, error);
	if (!components)
		return invalid(inv, -EINVAL, error);
	r = payload_interaction_modal(modal->custom_id, modal->title, components, error, &body);
	json_decref(components);
	return r < 0 ? invalid(inv, r, error) : answer_give_modal(inv, body);
}

int invocation_defer(struct shoal_invocation *inv, uint32_t flags)
{
	return culprit_is_astray(inv->scope.module, "shoal_defer") ? -EPERM
								   : answer_defer(inv, flags & SHOAL_CONTENT_EPHEMERAL);
}

static int give_text(struct shoal_invocation *inv, char *text, bool is_error)
{
	struct content *content;
	int r;

	if (culprit_is_astray(inv->scope.module, "shoal_reply")) {
		free(text);
		return -EPERM;
	}
	if (inv->replied) {
		free(text);
		return -EALREADY;
	}
	if (payload_is_blank(text)) { /* Discord would not take it, and the member would wait for ever */
		free(text);
		return invalid(inv, -EINVAL, "there is nothing to send");
	}
	r = content_of_text(text, &content);
	return r < 0 ? r : answer_give(inv, ANSWER_MESSAGE, content, is_error);
}

int invocation_reply_text(struct shoal_invocation *inv, const char *text)
{
	return give_text(inv, strdup(text), false);
}

int invocation_reply_vprintf(struct shoal_invocation *inv, bool is_error, const char *format, va_list args)
{
	char *text;

	return vasprintf(&text, format, args) < 0 ? -ENOMEM : give_text(inv, text, is_error);
}

int invocation_reply_error(struct shoal_invocation *inv, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = invocation_reply_vprintf(inv, true, format, args);
	va_end(args);
	return r;
}

#define PHRASE_MAX 8192

static int reply_phrase(struct shoal_invocation *inv, const struct shoal_phrase *phrase, const struct shoal_word *words,
			size_t word_count, bool is_error)
{
	CLEANUP(buf_finish) struct buf out = { 0 };

	buf_init(&out, PHRASE_MAX);
	phrases_print(&out, phrase, inv->language, words, word_count);
	return buf_cstr(&out) ? give_text(inv, strdup(buf_cstr(&out)), is_error) : -ENOMEM;
}

int invocation_phrase(struct shoal_invocation *inv, const struct shoal_phrase *phrase, const struct shoal_word *words,
		      size_t word_count, bool is_error)
{
	return reply_phrase(inv, phrase, words, word_count, is_error);
}

int invocation_sorry(struct shoal_invocation *inv, const struct shoal_result *result, struct content **ret_content)
{
	CLEANUP(buf_finish) struct buf out = { 0 };
	char incident[INCIDENT_DIGITS + 1];

	note_incident(inv, "commands.answer_refused", "Discord would not take a command's answer", result, incident);
	buf_init(&out, PHRASE_MAX);
	phrases_print(&out, &phrase_UNEXPECTED, inv->language, &(struct shoal_word){ "incident", incident }, 1);
	return buf_cstr(&out) ? content_of_text(strdup(buf_cstr(&out)), ret_content) : -ENOMEM;
}

int invocation_reply_phrase(struct shoal_invocation *inv, const struct shoal_phrase *phrase,
			    const struct shoal_word *words, size_t word_count)
{
	return reply_phrase(inv, phrase, words, word_count, false);
}

int invocation_refuse(struct shoal_invocation *inv, const struct shoal_phrase *phrase, const struct shoal_word *words,
		      size_t word_count)
{
	return reply_phrase(inv, phrase, words, word_count, true);
}
