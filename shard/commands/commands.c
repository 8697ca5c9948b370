/* Entry of both forms. Whatever a member sends ends in an answer, or in silence where an answer would be noise: a bot's
 * message, another bot's prefix, an interaction of a kind we never sent. */
#include "shard/commands/commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shoal/permissions.h>
#include <shoal/snowflake.h>

#include "shard/commands/answer.h"
#include "shard/commands/components.h"
#include "shard/commands/gate.h"
#include "shard/commands/lookups.h"
#include "shard/commands/registry.h"
#include "shard/commands/seal.h"
#include "shard/commands/suggest.h"
#include "shard/commands/words.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/log/log.h"

#define ARGUMENTS_TEXT_MAX 4096
#define TALLY_EVERY_NS     NS_PER_S
#define WAITING_LEN_MAX    16384 /* bytes of a message that waits for its guild's prefix */

enum { TYPE_USER = 2, TYPE_MESSAGE = 3 }; /* of interaction data */

static void write_tally(struct commands *commands)
{
	int r;

	if (!commands->services.tally_path || !commands->tally.changes)
		return;
	r = command_tally_write(&commands->tally, commands->services.tally_path);
	if (r < 0)
		log_debug(NULL, "commands.uncounted", KV_ERR(r),
			  KV_MSG("the counters of commands can't be written: /metrics lags"));
}

static void tick(void *arg)
{
	struct commands *commands = arg;
	struct shoal_invocation *inv, *next;

	for (inv = commands->open; inv; inv = next) {
		next = inv->next;
		answer_tick(inv);
	}
	if (clock_monotonic_ns() - commands->tallied_ns >= TALLY_EVERY_NS) {
		commands->tallied_ns = clock_monotonic_ns();
		write_tally(commands);
	}
}

int commands_init(struct commands *commands, const struct command_services *services)
{
	int r;

	memset(commands, 0, sizeof(*commands));
	commands->services = *services;
	r = cooldowns_new(0, &commands->cooldowns);
	if (r == 0 && services->settings)
		r = access_new(services->settings, &commands->access);
	if (r < 0) {
		commands->cooldowns = cooldowns_free(commands->cooldowns);
		return r;
	}
	/* What can't be read is begun anew: these are numbers for a graph. */
	if (services->tally_path && command_tally_read(&commands->tally, services->tally_path) < 0)
		command_tally_finish(&commands->tally);
	commands->tally.changes = 0;
	loop_at_tick(services->loop, &commands->tick, tick, commands);
	return 0;
}

void commands_closing(struct commands *commands)
{
	struct shoal_invocation *inv;

	commands->closing = true;
	do { /* what is ended may end others */
		for (inv = commands->open; inv && inv->scope.ended; inv = inv->next)
			;
		if (inv)
			scope_end(&inv->scope);
	} while (inv);
}

void commands_finish(struct commands *commands)
{
	loop_remove_hook(&commands->tick);
	commands->cooldowns = cooldowns_free(commands->cooldowns);
	commands->access = access_free(commands->access);
	write_tally(commands);
	command_tally_finish(&commands->tally);
	if (commands->open)
		log_error(NULL, "commands.leaked", KV_MSG("a command was never released by its handler"),
			  KV_STR("command", commands->open->path));
}

void commands_set_user(struct commands *commands, uint64_t user_id)
{
	commands->user_id = user_id;
}

const struct command_services *commands_services(const struct shoal_invocation *inv)
{
	return &inv->commands->services;
}

static void name_path(struct shoal_invocation *inv, const char *name)
{
	size_t len = strlen(inv->path);

	snprintf(inv->path + len, sizeof(inv->path) - len, "%s%s", len ? " " : "", name);
}

/* The module's code runs from here on; the frame knows it. */
static void enter(struct shoal_invocation *inv, enum culprit_kind kind, void (*handle)(struct shoal_invocation *inv))
{
	struct culprit_frame frame;

	inv->outcome = COMMAND_OUTCOME_answered; /* unless it comes otherwise */
	scope_enter(&frame, &inv->scope, kind);
	handle(inv);
	culprit_leave(&frame);
}

static void run(struct shoal_invocation *inv)
{
	struct log_ctx ctx = { .shard = (int32_t)inv->commands->services.shard_id,
			       .guild_id = inv->guild_id,
			       .module = inv->path };

	board_count(inv->commands->services.counters, BOARD_COUNTER_commands, 1);
	log_debug(&ctx, "commands.run", KV_STR("form", inv->form == INVOCATION_SLASH ? "slash" : "message"),
		  KV_MS("age", invocation_age_ms(inv)));
	enter(inv, CULPRIT_COMMAND, inv->command->handle);
}

/* How a message command is to be typed; what was typed wrong is rarely the only thing. */
static void add_usage(const struct shoal_invocation *inv, struct buf *out)
{
	CLEANUP(buf_finish) struct buf usage = { 0 };

	buf_init(&usage, ARGUMENTS_TEXT_MAX);
	buf_append_str(&usage, inv->called_by && !strchr(inv->called_by, '`') ? inv->called_by : "");
	words_usage(inv->command, inv->path, inv->language, &usage);
	if (!buf_cstr(&usage))
		return;
	buf_append_char(out, '\n');
	phrases_print(out, &phrase_USAGE, inv->language, &(struct shoal_word){ "usage", buf_cstr(&usage) }, 1);
}

static void refuse(struct shoal_invocation *inv, int error, const struct arguments_error *what)
{
	CLEANUP(buf_finish) struct buf out = { 0 };

	inv->outcome = COMMAND_OUTCOME_wrong;
	buf_init(&out, 2 * ARGUMENTS_TEXT_MAX);
	if (error == -EINVAL)
		arguments_error_print(what, inv->language, &out);
	if (error == -EINVAL && inv->form == INVOCATION_MESSAGE)
		add_usage(inv, &out);
	if (error == -EINVAL && buf_cstr(&out))
		invocation_reply_error(inv, "%s", buf_cstr(&out));
	else
		invocation_refuse(inv, &phrase_NO_MEMORY, NULL, 0);
}

/* --- slash
 * ------------------------------------------------------------------------------------------------------------ */

/* From the interaction's data to the row that is meant, through the checks that come before its arguments. NULL: told.
 */
static const struct shoal_command *find_leaf(struct shoal_invocation *inv, const struct shoal_interaction_data *data,
					     struct gate_rule *rule, const struct shoal_option **ret_options,
					     size_t *ret_option_count)
{
	const struct shoal_command *command = registry_find_kind(data->type, data->name), *row, *leaf;

	if (!command || arguments_descend(command, data->options.items, data->options.count, &leaf, ret_options,
					  ret_option_count) < 0) {
		invocation_refuse(inv, &phrase_COMMAND_GONE, NULL, 0);
		return NULL;
	}
	name_path(inv, command->name);
	inv->outcome = COMMAND_OUTCOME_off;
	if (!gate_is_on(inv, registry_owner(command)))
		return NULL;
	inv->outcome = COMMAND_OUTCOME_denied;
	gate_add_to_rule(rule, command);
	for (row = command; row != leaf;) { /* names and flags on the way down */
		row = registry_child(row, row == command ? data->options.items[0].name
							 : data->options.items[0].options.items[0].name);
		if (!row)
			break;
		name_path(inv, row->name);
		gate_add_to_rule(rule, row);
	}
	inv->flags = rule->flags;
	inv->keeps_modal = inv->flags & SHOAL_COMMAND_MODAL;
	inv->command = leaf;
	return leaf;
}

/* A context menu's target must be there, or the handler would stand before nothing. */
static bool has_target(struct shoal_invocation *inv, const struct shoal_interaction_data *data)
{
	if (data->type != TYPE_USER && data->type != TYPE_MESSAGE)
		return true;
	inv->target_id = data->target_id;
	if (data->type == TYPE_USER ? resolved_find_user(&inv->resolved, data->target_id) != NULL
				    : resolved_find_message(&inv->resolved, data->target_id) != NULL)
		return true;
	inv->outcome = COMMAND_OUTCOME_wrong;
	invocation_refuse(inv, &phrase_TARGET_GONE, NULL, 0);
	return false;
}

static void slash(struct shoal_invocation *inv, const struct shoal_interaction *interaction)
{
	const struct shoal_option *options;
	const struct shoal_command *leaf;
	struct arguments_error error = { 0 };
	struct gate_rule rule = { 0 };
	size_t option_count;
	int r;

	leaf = find_leaf(inv, interaction->data, &rule, &options, &option_count);
	if (!leaf || !gate_open(inv, &rule) || !has_target(inv, interaction->data))
		return;
	r = arguments_from_options(leaf, options, option_count, &inv->resolved, &inv->arguments, &error);
	if (r < 0)
		refuse(inv, r, &error);
	else
		run(inv);
}

/* Who may not use a command is suggested nothing; its cooldowns do not count here. */
static void suggest(struct shoal_invocation *inv, const struct shoal_interaction *interaction)
{
	const struct shoal_option *options;
	const struct shoal_command *leaf;
	struct gate_rule rule = { 0 };
	size_t option_count;

	leaf = find_leaf(inv, interaction->data, &rule, &options, &option_count);
	if (!leaf)
		return;
	rule.cooldown_count = 0;
	if (gate_open(inv, &rule))
		suggest_run(inv, leaf, options, option_count);
}

static uint64_t invoker_of(const struct shoal_interaction *interaction)
{
	if (interaction->member && interaction->member->user)
		return interaction->member->user->id;
	return interaction->user ? interaction->user->id : 0;
}

/* --- components and forms
 * --------------------------------------------------------------------------------------------- */

/* A custom id comes from the member's client: any may come, from any server, for any message. */
static void component(struct shoal_invocation *inv, const struct shoal_interaction *interaction)
{
	const struct shoal_interaction_data *data = interaction->data;
	const struct shoal_component_row *row;
	struct module_entry *owner = NULL;
	struct gate_rule rule = { 0 };
	size_t skip = 0;

	row = components_find(data->custom_id, &skip, &owner);
	if (!row) {
		invocation_refuse(inv, &phrase_COMPONENT_GONE, NULL, 0);
		return;
	}
	rule.permissions = row->permissions;
	rule.level = (enum shoal_level)row->level;
	rule.flags = row->flags & SHOAL_COMPONENT_EITHER ? SHOAL_COMMAND_EITHER : 0;
	rule.key = row;
	name_path(inv, row->prefix);
	inv->outcome = COMMAND_OUTCOME_off;
	if (!gate_is_on(inv, owner))
		return;
	inv->outcome = COMMAND_OUTCOME_denied;
	if (!seal_holds(row, data->custom_id, inv->guild_id, inv->user_id)) {
		inv->outcome = COMMAND_OUTCOME_wrong;
		invocation_refuse(inv,
				  row->flags & SHOAL_COMPONENT_OWN ? &phrase_COMPONENT_FOREIGN : &phrase_COMPONENT_GONE,
				  NULL, 0);
		return;
	}
	inv->is_form = interaction->type == SHOAL_INTERACTION_MODAL;
	inv->updates = (row->flags & SHOAL_COMPONENT_UPDATES) && interaction->message;
	inv->lacks_message = (row->flags & SHOAL_COMPONENT_UPDATES) && !interaction->message;
	inv->keeps_modal = row->flags & SHOAL_COMPONENT_MODAL;
	if (row->flags & SHOAL_COMPONENT_EPHEMERAL)
		inv->flags |= SHOAL_COMMAND_EPHEMERAL;
	if (invocation_set_data(inv, data, skip) < 0) { /* no client of Discord's sends so much */
		inv->outcome = COMMAND_OUTCOME_wrong;
		invocation_refuse(inv, &phrase_COMPONENT_GONE, NULL, 0);
		return;
	}
	if (!gate_open(inv, &rule))
		return;
	board_count(inv->commands->services.counters, BOARD_COUNTER_components, 1);
	enter(inv, CULPRIT_COMPONENT, row->handle);
}

typedef void (*take_fn)(struct shoal_invocation *inv, const struct shoal_interaction *interaction);

static take_fn taker_of(uint32_t type)
{
	switch (type) {
	case SHOAL_INTERACTION_COMMAND:
		return slash;
	case SHOAL_INTERACTION_AUTOCOMPLETE:
		return suggest;
	case SHOAL_INTERACTION_COMPONENT:
	case SHOAL_INTERACTION_MODAL:
		return component;
	default:
		return NULL;
	}
}

void commands_interaction(struct commands *commands, const struct shoal_event *event, struct ticket *ticket)
{
	const struct shoal_interaction *interaction = event->interaction;
	struct resolved resolved;
	struct invocation_source source = {
		.form = interaction->type == SHOAL_INTERACTION_AUTOCOMPLETE ? INVOCATION_SUGGEST : INVOCATION_SLASH,
		.event_id = interaction->id,
		.application_id = interaction->application_id,
		.guild_id = interaction->guild_id,
		.channel_id = interaction->channel_id,
		.user_id = invoker_of(interaction),
		.message_id = interaction->message ? interaction->message->id : 0,
		.language = gate_language(commands, interaction->guild_id, phrases_language(interaction->locale)),
		.token = interaction->token,
		.resolved = &resolved,
		.ticket = ticket
	};
	struct log_ctx ctx = { .shard = (int32_t)commands->services.shard_id,
			       .guild_id = interaction->guild_id,
			       .event = "INTERACTION_CREATE" };
	take_fn take = taker_of(interaction->type);
	struct shoal_invocation *inv;
	int r;

	if (!take || !interaction->data) {
		log_debug(&ctx, "commands.ignored", KV_INT("interaction_type", interaction->type));
		return;
	}
	if (interaction->member && interaction->member->has.permissions) {
		source.permissions_known = true;
		source.permissions = interaction->member->permissions.bits;
	}
	resolved_init(&resolved);
	r = resolved_add_interaction(&resolved, interaction);
	if (r < 0) /* what is missing will be missed where it is wanted */
		log_warn(&ctx, "commands.resolved_cut", KV_MSG("an interaction names more than fits"), KV_ERR(r));
	r = invocation_new(commands, &source, &inv);
	resolved_finish(&resolved);
	if (r < 0) {
		log_warn(&ctx, "commands.lost", KV_MSG("an interaction could not be taken up"), KV_ERR(r));
		return;
	}
	if (invocation_age_ms(inv) >= ANSWER_LATE_MS && source.form == INVOCATION_SUGGEST) {
		inv->replied = true; /* the member has typed on long since */
	} else if (invocation_age_ms(inv) >= ANSWER_LATE_MS && ticket_again(ticket)) {
		/* A worker that died had begun it. If it got as far as deferring, the token lives on and the member
		 * still waits: an edit is the way, and a harmless one if not. */
		answer_begin_deferred(inv);
		take(inv, interaction);
	} else if (invocation_age_ms(inv) >= ANSWER_LATE_MS) {
		/* Its three seconds are over; the member has read "did not respond" already. A callback now would only
		 * count as an invalid request. */
		board_count(commands->services.counters, BOARD_COUNTER_interactions_late, 1);
		log_warn(&ctx, "commands.expired", KV_MSG("an interaction came too late to be answered"),
			 KV_U64("interaction", inv->event_id), KV_MS("age", invocation_age_ms(inv)));
		inv->replied = true;
	} else {
		take(inv, interaction);
	}
	invocation_release(inv);
}

/* --- messages
 * --------------------------------------------------------------------------------------------------------- */

/* A message that waits for its guild's prefix: what is needed of it, copied. */
struct waiting_message {
	struct commands *commands;
	struct invocation_source source;
	struct resolved resolved;
	uint32_t len;
	char content[];
};

static bool strip_prefix(struct shoal_str *content, const char *prefix)
{
	size_t len = strlen(prefix);

	if (content->len <= len || memcmp(content->ptr, prefix, len) != 0)
		return false;
	content->ptr += len;
	content->len -= (uint32_t)len;
	return true;
}

/* "<@id>" or "<@!id>" at the front. */
static bool strip_mention(struct shoal_str *content, uint64_t user_id)
{
	const char *end;
	uint64_t id;
	size_t skip;

	if (user_id == 0 || content->len < 5 || memcmp(content->ptr, "<@", 2) != 0)
		return false;
	skip = content->ptr[2] == '!' ? 3 : 2;
	end = memchr(content->ptr, '>', content->len);
	if (!end || shoal_snowflake_parse(content->ptr + skip, (size_t)(end - content->ptr) - skip, &id) < 0 ||
	    id != user_id)
		return false;
	content->len -= (uint32_t)(end + 1 - content->ptr);
	content->ptr = end + 1;
	return true;
}

static const struct shoal_guild_view *view_of(const struct commands *commands, uint64_t guild_id)
{
	return guild_id && commands->services.cache ? cache_guild(commands->services.cache, guild_id) : NULL;
}

static void run_typed(struct shoal_invocation *inv, struct shoal_str content)
{
	struct arguments_error error = { 0 };
	int r = words_parse(inv->command, content, &inv->resolved, view_of(inv->commands, inv->guild_id),
			    &inv->arguments, &error);

	if (r < 0) {
		refuse(inv, r, &error);
		return;
	}
	inv->outcome = COMMAND_OUTCOME_wrong; /* should they not be found */
	lookups_run(inv, run);
}

/* The words that may follow: subcommands. */
static void refuse_unfinished(struct shoal_invocation *inv, const struct shoal_command *command)
{
	CLEANUP(buf_finish) struct buf names = { 0 };
	size_t i;

	inv->outcome = COMMAND_OUTCOME_wrong;
	buf_init(&names, ARGUMENTS_TEXT_MAX);
	for (i = 0; i < command->child_count; i++)
		buf_printf(&names, "%s`%s`", i ? ", " : "", command->children[i].name);
	invocation_refuse(inv, &phrase_WORD_MISSING,
			  (const struct shoal_word[]){ { "command", inv->path },
						       { "words", buf_cstr(&names) ? buf_cstr(&names) : "" } },
			  2);
}

/* What Discord sees to where it offers the commands itself. */
static bool fits_here(struct shoal_invocation *inv, const struct shoal_command *root, uint32_t flags)
{
	const struct shoal_guild_view *guild = view_of(inv->commands, inv->guild_id);
	bool grown_up = inv->guild_id == 0;
	uint32_t i;

	if (root->contexts && inv->guild_id && !(root->contexts & SHOAL_IN_SERVERS)) {
		invocation_refuse(inv, &phrase_DMS_ONLY, &(struct shoal_word){ "command", inv->path }, 1);
		return false;
	}
	for (i = 0; guild && i < guild->channel_count; i++)
		grown_up |= guild->channels[i].id == inv->channel_id && guild->channels[i].flags & SHOAL_CHANNEL_NSFW;
	if (!(flags & SHOAL_COMMAND_NSFW) || grown_up)
		return true;
	invocation_refuse(inv, &phrase_NSFW_ONLY, &(struct shoal_word){ "command", inv->path }, 1);
	return false;
}

/* @content: what stands behind @lead, which is the prefix, or NULL for a mention. */
static void text_command(struct commands *commands, const struct invocation_source *source, struct shoal_str content,
			 const char *lead)
{
	bool mentioned = !lead;
	const struct shoal_command *command = NULL, *child, *root;
	struct shoal_str word = { 0 }, ahead;
	struct shoal_invocation *inv;
	struct gate_rule rule = { 0 };
	int r;

	if (words_next(&content, &word))
		command = registry_find(word);
	if (!command && !mentioned)
		return; /* other bots share the prefix: not ours to answer */
	r = invocation_new(commands, source, &inv);
	if (r < 0) {
		log_warn(NULL, "commands.lost", KV_MSG("a message command could not be taken up"), KV_ERR(r));
		return;
	}
	inv->called_by = resolved_keep(&inv->resolved, mentioned ? "@me " : lead);
	if (!command) {
		invocation_reply_phrase(inv, &phrase_HELLO, NULL, 0);
		invocation_release(inv);
		return;
	}
	name_path(inv, command->name);
	inv->outcome = COMMAND_OUTCOME_off;
	if (!gate_is_on(inv, registry_owner(command))) {
		invocation_release(inv);
		return;
	}
	gate_add_to_rule(&rule, command);
	root = command;
	ahead = content;
	while (command->child_count > 0 && words_next(&ahead, &word) && (child = registry_child(command, word))) {
		command = child;
		content = ahead;
		name_path(inv, command->name);
		gate_add_to_rule(&rule, command);
	}
	inv->outcome = COMMAND_OUTCOME_denied;
	inv->flags = rule.flags;
	inv->command = command;
	if (command->child_count > 0)
		refuse_unfinished(inv, command);
	else if (!fits_here(inv, root, rule.flags))
		; /* told */
	else if (gate_open(inv, &rule))
		run_typed(inv, content);
	invocation_release(inv);
}

static void prefix_known(void *arg, const char *prefix)
{
	struct waiting_message *waiting = arg;
	struct shoal_str content = { waiting->content, waiting->len };

	waiting->commands->pending--;
	if (!waiting->commands->closing && strip_prefix(&content, prefix))
		text_command(waiting->commands, &waiting->source, content, prefix);
	resolved_finish(&waiting->resolved);
	ticket_release(waiting->source.ticket);
	free(waiting);
}

/* True when the message waits now; false: match it with the default. */
static bool wait_for_prefix(struct commands *commands, const struct invocation_source *source, struct shoal_str content)
{
	struct waiting_message *waiting;

	if (commands->pending >= COMMANDS_PENDING_MAX)
		return false;
	waiting = malloc(sizeof(*waiting) + content.len);
	if (!waiting)
		return false;
	waiting->commands = commands;
	waiting->source = *source;
	waiting->source.ticket = ticket_hold(source->ticket);
	waiting->resolved = *source->resolved;
	waiting->source.resolved = &waiting->resolved;
	waiting->len = content.len;
	memcpy(waiting->content, content.ptr, content.len);
	commands->pending++;
	if (prefixes_load(commands->services.settings, source->guild_id, source->channel_id, prefix_known, waiting) ==
	    0) {
		resolved_init(source->resolved); /* they are the waiting one's now, which may be gone already */
		return true;
	}
	commands->pending--;
	ticket_release(waiting->source.ticket);
	free(waiting);
	return false;
}

/* A message brings its author's roles; the rest is in the cache. */
static void judge_author(struct commands *commands, const struct shoal_message *message,
			 struct invocation_source *source)
{
	const struct shoal_guild_view *guild = view_of(commands, message->guild_id);
	struct shoal_permissions_member member = { .user_id = message->author.id };

	source->language = gate_guild_language(commands, message->guild_id);
	if (!guild)
		return;
	if (!message->member)
		return;
	member.roles = message->member->roles.items;
	member.role_count = (uint32_t)message->member->roles.count;
	member.timeout_ms = message->member->communication_disabled_until;
	source->permissions_known = shoal_permissions_in_channel(guild, &member, message->channel_id, clock_wall_ms(),
								 &source->permissions);
}

static void take_message(struct commands *commands, const struct shoal_message *message,
			 struct invocation_source *source, struct shoal_str content, const char *lead)
{
	judge_author(commands, message, source);
	if (resolved_add_message(source->resolved, message) < 0)
		log_warn(NULL, "commands.resolved_cut", KV_MSG("a message names more than fits"));
	text_command(commands, source, content, lead);
	resolved_finish(source->resolved);
}

void commands_message(struct commands *commands, const struct shoal_event *event, struct ticket *ticket)
{
	const struct shoal_message *message = event->message;
	struct shoal_str content = message->content;
	struct invocation_source source;
	struct resolved resolved;
	const char *prefix;

	if (content.len == 0 || message->author.bot || message->has.webhook_id ||
	    message->author.id == commands->user_id)
		return;
	source = (struct invocation_source){ .form = INVOCATION_MESSAGE,
					     .event_id = message->id,
					     .guild_id = message->guild_id,
					     .channel_id = message->channel_id,
					     .user_id = message->author.id,
					     .message_id = message->id,
					     .ticket = ticket };
	resolved_init(&resolved);
	source.resolved = &resolved;
	if (strip_mention(&content, commands->user_id)) {
		take_message(commands, message, &source, content, NULL);
		return;
	}
	prefix = prefixes_peek(commands->services.settings, source.guild_id, source.channel_id);
	if (!prefix && content.len <= WAITING_LEN_MAX) {
		judge_author(commands, message, &source);
		resolved_add_message(&resolved, message);
		if (wait_for_prefix(commands, &source, content))
			return;
		resolved_finish(&resolved);
	}
	if (!prefix)
		prefix = prefixes_fallback(commands->services.settings);
	if (strip_prefix(&content, prefix))
		take_message(commands, message, &source, content, prefix);
}
