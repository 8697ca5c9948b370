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
#include "shard/commands/registry.h"
#include "shared/base/clock.h"
#include "shared/log/log.h"

static void tick(void *arg)
{
	struct commands *commands = arg;
	struct shoal_invocation *inv, *next;

	for (inv = commands->open; inv; inv = next) {
		next = inv->next;
		answer_tick(inv);
	}
}

void commands_init(struct commands *commands, const struct command_services *services)
{
	memset(commands, 0, sizeof(*commands));
	commands->services = *services;
	loop_at_tick(services->loop, &commands->tick, tick, commands);
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

/* Allowed here -> permission. Argument checks come after. True: go on. */
static bool check(struct shoal_invocation *inv, uint32_t flags, uint64_t permissions)
{
	if ((flags & SHOAL_COMMAND_GUILD_ONLY) && inv->guild_id == 0) {
		invocation_reply_error(inv, "`%s` works in servers only, not in direct messages.", inv->path);
		return false;
	}
	if (inv->form == INVOCATION_MESSAGE && (flags & SHOAL_COMMAND_SLASH_ONLY)) {
		invocation_reply_error(inv, "Please use `/%s` for this.", inv->path);
		return false;
	}
	if (permissions && !(inv->permissions_known && shoal_permissions_cover(inv->permissions, permissions))) {
		invocation_reply_error(inv, "You need the *%s* permission for `/%s`.",
				       permissions & SHOAL_PERMISSION_MANAGE_GUILD ? "Manage Server" : "Administrator",
				       inv->path);
		return false;
	}
	return true;
}

/* The module's code runs from here on; the frame knows it. */
static void enter(struct shoal_invocation *inv, enum culprit_kind kind, void (*handle)(struct shoal_invocation *inv))
{
	struct culprit_frame frame;

	scope_enter(&frame, &inv->scope, kind);
	handle(inv);
	culprit_leave(&frame);
}

static void run(struct shoal_invocation *inv, const struct shoal_command *leaf)
{
	struct log_ctx ctx = { .shard = (int32_t)inv->commands->services.shard_id,
			       .guild_id = inv->guild_id,
			       .module = inv->path };

	inv->command = leaf;
	board_count(inv->commands->services.counters, BOARD_COUNTER_commands, 1);
	log_debug(&ctx, "commands.run", KV_STR("form", inv->form == INVOCATION_SLASH ? "slash" : "message"),
		  KV_MS("age", invocation_age_ms(inv)));
	enter(inv, CULPRIT_COMMAND, leaf->handle);
}

/* Known -> switched on. The invocation is its owner's from now on. */
static bool is_on(struct shoal_invocation *inv, struct module_entry *owner)
{
	const struct command_services *services = &inv->commands->services;

	invocation_set_owner(inv, owner);
	if (!owner)
		return true;
	if (owner->off) {
		invocation_reply_error(inv, "This is switched off for now: it did not work properly here. It is tried "
					    "again by itself in a while; everything else works.");
		return false;
	}
	if (services->module_allowed && !services->module_allowed(services->module_arg, owner, inv->guild_id)) {
		invocation_reply_error(inv, "This is switched off in this server.");
		return false;
	}
	return true;
}

static void refuse(struct shoal_invocation *inv, int error, const char *text)
{
	if (error == -EINVAL)
		invocation_reply_error(inv, "%s", text);
	else
		invocation_reply_error(inv,
				       "That did not work: the bot is out of memory. Please try again in a moment.");
}

/* --- slash
 * ------------------------------------------------------------------------------------------------------------ */

static void slash(struct shoal_invocation *inv, const struct shoal_interaction *interaction)
{
	const struct shoal_interaction_data *data = interaction->data;
	const struct shoal_command *command = registry_find(data->name), *row;
	char error[ARGUMENTS_ERROR_SIZE] = "";
	const struct shoal_option *options;
	const struct shoal_command *leaf;
	uint64_t permissions;
	size_t option_count;
	int r;

	if (!command ||
	    arguments_descend(command, data->options.items, data->options.count, &leaf, &options, &option_count) < 0) {
		invocation_reply_error(
			inv, "This bot does not have that command any more. Discord will drop it from the list soon.");
		return;
	}
	name_path(inv, command->name);
	if (!is_on(inv, registry_owner(command)))
		return;
	permissions = command->permissions | leaf->permissions;
	inv->flags = command->flags | leaf->flags;
	for (row = command; row != leaf;) { /* names and flags on the way down */
		row = registry_child(row, row == command ? data->options.items[0].name
							 : data->options.items[0].options.items[0].name);
		if (!row)
			break;
		name_path(inv, row->name);
		inv->flags |= row->flags;
		permissions |= row->permissions;
	}
	inv->keeps_modal = inv->flags & SHOAL_COMMAND_MODAL;
	if (!check(inv, inv->flags, permissions))
		return;
	r = arguments_from_options(leaf, options, option_count, &inv->arguments, error);
	if (r < 0)
		refuse(inv, r, error);
	else
		run(inv, leaf);
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
	size_t skip = 0;

	row = components_find(data->custom_id, &skip, &owner);
	if (!row) {
		invocation_reply_error(inv,
				       "I don't know what this belongs to any more. Please use the command again.");
		return;
	}
	name_path(inv, row->prefix);
	if (!is_on(inv, owner))
		return;
	inv->is_form = interaction->type == SHOAL_INTERACTION_MODAL;
	inv->updates = (row->flags & SHOAL_COMPONENT_UPDATES) && interaction->message;
	inv->keeps_modal = row->flags & SHOAL_COMPONENT_MODAL;
	if (row->flags & SHOAL_COMPONENT_EPHEMERAL)
		inv->flags |= SHOAL_COMMAND_EPHEMERAL;
	if (invocation_set_data(inv, data, skip) < 0) {
		refuse(inv, -ENOMEM, "");
		return;
	}
	if (!check(inv, 0, row->permissions))
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
	struct invocation_source source = { .form = INVOCATION_SLASH,
					    .event_id = interaction->id,
					    .application_id = interaction->application_id,
					    .guild_id = interaction->guild_id,
					    .channel_id = interaction->channel_id,
					    .user_id = invoker_of(interaction),
					    .message_id = interaction->message ? interaction->message->id : 0,
					    .token = interaction->token,
					    .ticket = ticket };
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
	r = invocation_new(commands, &source, &inv);
	if (r < 0) {
		log_warn(&ctx, "commands.lost", KV_MSG("an interaction could not be taken up"), KV_ERR(r));
		return;
	}
	if (interaction->member && interaction->member->has.permissions) {
		inv->permissions_known = true;
		inv->permissions = interaction->member->permissions.bits;
	}
	if (invocation_age_ms(inv) >= ANSWER_LATE_MS && ticket_again(ticket)) {
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

/* @content: what stands behind prefix or mention. */
static void text_command(struct commands *commands, const struct invocation_source *source, struct shoal_str content,
			 bool mentioned)
{
	const struct shoal_command *command = NULL, *child;
	struct shoal_str word = { 0 }, ahead;
	struct shoal_invocation *inv;
	char error[ARGUMENTS_ERROR_SIZE] = "";
	uint64_t permissions;
	int r;

	if (arguments_next_word(&content, &word))
		command = registry_find(word);
	if (!command && !mentioned)
		return; /* other bots share the prefix: not ours to answer */
	r = invocation_new(commands, source, &inv);
	if (r < 0) {
		log_warn(NULL, "commands.lost", KV_MSG("a message command could not be taken up"), KV_ERR(r));
		return;
	}
	if (!command) {
		invocation_reply_text(inv, "Hello! `/help` shows what I can do.");
		invocation_release(inv);
		return;
	}
	name_path(inv, command->name);
	if (!is_on(inv, registry_owner(command))) {
		invocation_release(inv);
		return;
	}
	inv->flags = command->flags;
	permissions = command->permissions;
	ahead = content;
	while (command->child_count > 0 && arguments_next_word(&ahead, &word) &&
	       (child = registry_child(command, word))) {
		command = child;
		content = ahead;
		name_path(inv, command->name);
		inv->flags |= command->flags;
		permissions |= command->permissions;
	}
	if (!check(inv, inv->flags, permissions)) {
		/* told */
	} else if (command->child_count > 0) {
		invocation_reply_error(inv, "`%s` needs one more word; `/help` shows which.", inv->path);
	} else {
		r = arguments_from_text(command, content, &inv->arguments, error);
		if (r < 0)
			refuse(inv, r, error);
		else
			run(inv, command);
	}
	invocation_release(inv);
}

static void prefix_known(void *arg, const char *prefix)
{
	struct waiting_message *waiting = arg;
	struct shoal_str content = { waiting->content, waiting->len };

	waiting->commands->pending--;
	if (!waiting->commands->closing && strip_prefix(&content, prefix))
		text_command(waiting->commands, &waiting->source, content, false);
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
	waiting->len = content.len;
	memcpy(waiting->content, content.ptr, content.len);
	commands->pending++;
	if (prefixes_load(commands->services.settings, source->guild_id, source->channel_id, prefix_known, waiting) ==
	    0)
		return true;
	commands->pending--;
	ticket_release(waiting->source.ticket);
	free(waiting);
	return false;
}

void commands_message(struct commands *commands, const struct shoal_event *event, struct ticket *ticket)
{
	const struct shoal_message *message = event->message;
	struct shoal_str content = message->content;
	struct invocation_source source;
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
	if (strip_mention(&content, commands->user_id)) {
		text_command(commands, &source, content, true);
		return;
	}
	prefix = prefixes_peek(commands->services.settings, source.guild_id, source.channel_id);
	if (!prefix && wait_for_prefix(commands, &source, content))
		return;
	if (!prefix)
		prefix = prefixes_fallback(commands->services.settings);
	if (strip_prefix(&content, prefix))
		text_command(commands, &source, content, false);
}
