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
#include "shared/base/clock.h"
#include "shared/base/random.h"
#include "shared/log/log.h"

#define INCIDENT_DIGITS 8

int invocation_new(struct commands *commands, const struct invocation_source *source,
		   struct shoal_invocation **ret_invocation)
{
	struct shoal_invocation *inv;

	if (source->token.len > INVOCATION_TOKEN_MAX)
		return -E2BIG;
	inv = calloc(1, sizeof(*inv));
	if (!inv)
		return -ENOMEM;
	if (source->form == INVOCATION_SLASH) {
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
	inv->ticket = ticket_hold(source->ticket);
	effect_scope_init(&inv->scope, inv->ticket, EFFECT_LANE_COMMANDS);
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

static void unlink_and_free(struct shoal_invocation *inv)
{
	if (inv->prev)
		inv->prev->next = inv->next;
	else
		inv->commands->open = inv->next;
	if (inv->next)
		inv->next->prev = inv->prev;
	arguments_finish(&inv->arguments);
	free(inv->reply);
	if (inv->token)
		explicit_bzero(inv->token, strlen(inv->token));
	free(inv->token);
	ticket_release(inv->ticket);
	free(inv);
}

struct shoal_invocation *invocation_hold(struct shoal_invocation *inv)
{
	inv->refs++;
	return inv;
}

/* Nobody is left who could answer: the member is told, and the log says whose fault it was. */
static void apologise(struct shoal_invocation *inv)
{
	struct log_ctx ctx = { .shard = (int32_t)inv->commands->services.shard_id,
			       .guild_id = inv->guild_id,
			       .module = inv->path };
	char incident[INCIDENT_DIGITS + 1];

	random_hex(incident, INCIDENT_DIGITS);
	board_count(inv->commands->services.counters, BOARD_COUNTER_commands_failed, 1);
	log_error(&ctx, "commands.unanswered", KV_MSG("a command's handler ended without an answer"),
		  KV_STR("incident", incident));
	invocation_reply_error(inv, "Something went wrong on our side. If you report it, name incident `%s`.",
			       incident);
}

void invocation_release(struct shoal_invocation *inv)
{
	if (!inv)
		return;
	/* At the last reference: answering takes one of its own, so this comes here again when that is over. */
	if (inv->refs == 1 && !inv->replied && !inv->commands->closing)
		apologise(inv);
	if (--inv->refs == 0)
		unlink_and_free(inv);
}

uint64_t invocation_age_ms(const struct shoal_invocation *inv)
{
	uint64_t now_ms = (uint64_t)clock_wall_ms(), made_ms = shoal_snowflake_ms(inv->event_id);

	return now_ms > made_ms ? now_ms - made_ms : 0;
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

int invocation_reply_text(struct shoal_invocation *inv, const char *text)
{
	return answer_give(inv, strdup(text), false);
}

int invocation_reply_vprintf(struct shoal_invocation *inv, bool is_error, const char *format, va_list args)
{
	char *text;

	return vasprintf(&text, format, args) < 0 ? -ENOMEM : answer_give(inv, text, is_error);
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
