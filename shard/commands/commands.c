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
#include "shard/commands/registry.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/log/log.h"

#define ARGUMENTS_TEXT_MAX 2048

static void tick(void *arg)
{
	struct commands *commands = arg;
	struct shoal_invocation *inv, *next;

	for (inv = commands->open; inv; inv = next) {
		next = inv->next;
		answer_tick(inv);
	}
}

int commands_init(struct commands *commands, const struct command_services *services)
{
	int r;

	memset(commands, 0, sizeof(*commands));
	commands->services = *services;
	r = cooldowns_new(0, &commands->cooldowns);
	if (r < 0)
		return r;
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

static void refuse(struct shoal_invocation *inv, int error, const struct arguments_error *what)
{
	CLEANUP(buf_finish) struct buf out;

	buf_init(&out, ARGUMENTS_TEXT_MAX);
	if (error == -EINVAL)
		arguments_error_print(what, inv->language, &out);
	if (error == -EINVAL && buf_cstr(&out))
		invocation_reply_error(inv, "%s", buf_cstr(&out));
	else
		invocation_refuse(inv, &phrase_NO_MEMORY, NULL, 0);
}

/* A child has its parent's cooldowns where it has none of its own. */
static void add_to_rule(struct gate_rule *rule, const struct shoal_command *command)
{
	rule->flags |= command->flags;
	rule->permissions |= command->permissions;
	rule->key = command;
	if (command->cooldown_count > 0) {
		rule->cooldowns = command->cooldowns;
		rule->cooldown_count = command->cooldown_count;
	}
}

/* --- slash
 * ------------------------------------------------------------------------------------------------------------ */

static void slash(struct shoal_invocation *inv, const struct shoal_interaction *interaction)
{
	const struct shoal_interaction_data *data = interaction->data;
	const struct shoal_command *command = registry_find(data->name), *row;
	const struct shoal_option *options;
	const struct shoal_command *leaf;
	struct arguments_error error = { 0 };
	struct gate_rule rule = { 0 };
	size_t option_count;
	int r;

	if (!command ||
	    arguments_descend(command, data->options.items, data->options.count, &leaf, &options, &option_count) < 0) {
		invocation_refuse(inv, &phrase_COMMAND_GONE, NULL, 0);
		return;
	}
	name_path(inv, command->name);
	if (!gate_is_on(inv, registry_owner(command)))
		return;
	add_to_rule(&rule, command);
	for (row = command; row != leaf;) { /* names and flags on the way down */
		row = registry_child(row, row == command ? data->options.items[0].name
							 : data->options.items[0].options.items[0].name);
		if (!row)
			break;
		name_path(inv, row->name);
		add_to_rule(&rule, row);
	}
	inv->flags = rule.flags;
	inv->keeps_modal = inv->flags & SHOAL_COMMAND_MODAL;
	if (!gate_open(inv, &rule))
		return;
	r = arguments_from_options(leaf, options, option_count, &inv->arguments, &error);
	if (r < 0)
		refuse(inv, r, &error);
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
	struct gate_rule rule = { 0 };
	size_t skip = 0;

	row = components_find(data->custom_id, &skip, &owner);
	if (!row) {
		invocation_refuse(inv, &phrase_COMPONENT_GONE, NULL, 0);
		return;
	}
	rule.permissions = row->permissions;
	rule.key = row;
	name_path(inv, row->prefix);
	if (!gate_is_on(inv, owner))
		return;
	inv->is_form = interaction->type == SHOAL_INTERACTION_MODAL;
	inv->updates = (row->flags & SHOAL_COMPONENT_UPDATES) && interaction->message;
	inv->keeps_modal = row->flags & SHOAL_COMPONENT_MODAL;
	if (row->flags & SHOAL_COMPONENT_EPHEMERAL)
		inv->flags |= SHOAL_COMMAND_EPHEMERAL;
	if (invocation_set_data(inv, data, skip) < 0) {
		refuse(inv, -ENOMEM, NULL);
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
					    .language = phrases_language(interaction->locale),
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
	if (interaction->member && interaction->member->has.permissions) {
		source.permissions_known = true;
		source.permissions = interaction->member->permissions.bits;
	}
	r = invocation_new(commands, &source, &inv);
	if (r < 0) {
		log_warn(&ctx, "commands.lost", KV_MSG("an interaction could not be taken up"), KV_ERR(r));
		return;
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
	struct arguments_error error = { 0 };
	struct gate_rule rule = { 0 };
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
		invocation_reply_phrase(inv, &phrase_HELLO, NULL, 0);
		invocation_release(inv);
		return;
	}
	name_path(inv, command->name);
	if (!gate_is_on(inv, registry_owner(command))) {
		invocation_release(inv);
		return;
	}
	add_to_rule(&rule, command);
	ahead = content;
	while (command->child_count > 0 && arguments_next_word(&ahead, &word) &&
	       (child = registry_child(command, word))) {
		command = child;
		content = ahead;
		name_path(inv, command->name);
		add_to_rule(&rule, command);
	}
	inv->flags = rule.flags;
	if (command->child_count > 0) {
		invocation_refuse(inv, &phrase_WORD_MISSING, &(struct shoal_word){ "command", inv->path }, 1);
	} else if (gate_open(inv, &rule)) {
		r = arguments_from_text(command, content, &inv->arguments, &error);
		if (r < 0)
			refuse(inv, r, &error);
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

/* A message brings its author's roles; the rest is in the cache. */
static void judge_author(struct commands *commands, const struct shoal_message *message,
			 struct invocation_source *source)
{
	const struct shoal_guild_view *guild = message->guild_id && commands->services.cache
						       ? cache_guild(commands->services.cache, message->guild_id)
						       : NULL;
	struct shoal_permissions_member member = { .user_id = message->author.id };

	if (!guild)
		return;
	source->language = phrases_language(guild->locale);
	if (!message->member)
		return;
	member.roles = message->member->roles.items;
	member.role_count = (uint32_t)message->member->roles.count;
	member.timeout_ms = message->member->communication_disabled_until;
	source->permissions_known = shoal_permissions_in_channel(guild, &member, message->channel_id, clock_wall_ms(),
								 &source->permissions);
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
		judge_author(commands, message, &source);
		text_command(commands, &source, content, true);
		return;
	}
	prefix = prefixes_peek(commands->services.settings, source.guild_id, source.channel_id);
	if (!prefix) {
		judge_author(commands, message, &source);
		if (wait_for_prefix(commands, &source, content))
			return;
		prefix = prefixes_fallback(commands->services.settings);
	}
	if (!strip_prefix(&content, prefix))
		return;
	judge_author(commands, message, &source);
	text_command(commands, &source, content, false);
}
