/* The table that modules get. Its functions live where their matter does; here they only meet. */
#include "shard/modhost/api.h"

#include <shoal/event.h>
#include <shoal/permissions.h>
#include <shoal/snowflake.h>

#include "shard/commands/invocation.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"

static int64_t now_ms(void)
{
	return clock_wall_ms();
}

static const char *event_name(int type)
{
	return shoal_event_name((enum shoal_event_type)type);
}

const struct shoal_api api_table = {
	.abi = SHOAL_ABI,
	.size = sizeof(struct shoal_api),
	.now_ms = now_ms,
	.clock_ns = clock_monotonic_ns,
	.invocation_hold = invocation_hold,
	.invocation_release = invocation_release,
	.invocation_guild_id = invocation_guild_id,
	.invocation_channel_id = invocation_channel_id,
	.invocation_user_id = invocation_user_id,
	.invocation_string = invocation_string,
	.invocation_integer = invocation_integer,
	.invocation_boolean = invocation_boolean,
	.invocation_number = invocation_number,
	.invocation_id = invocation_id,
	.reply_vprintf = invocation_reply_vprintf,
	.snowflake_parse = shoal_snowflake_parse,
	.snowflake_print = shoal_snowflake_print,
	.permissions_in_guild = shoal_permissions_in_guild,
	.permissions_in_channel = shoal_permissions_in_channel,
	.permissions_of_bot = shoal_permissions_of_bot,
	.permissions_outrank = shoal_permissions_outrank,
	.permissions_above_role = shoal_permissions_above_role,
	.permission_words = shoal_permission_words,
	.event_name = event_name,
	.error_text = error_text,
};
