/* The module's descriptor, and what its commands share. */
#include "shard/modules/utility/utility.h"

#include <errno.h>

#include "shard/modules/utility/poll.h"
#include "shard/modules/utility/phrases.h"

const struct shoal_cooldown utility_cooldowns[1] = { { SHOAL_COOLDOWN_USER, 10, 60 } };

void utility_refuse_silent(struct shoal_invocation *inv, const struct shoal_result *result)
{
	if (result->http_status >= 400)
		shoal_refuse_result(inv, result);
	else if (result->error != -ECANCELED)
		shoal_refuse(inv, PHRASE(DISCORD_SILENT), NULL, 0);
}

const struct shoal_guild_view *utility_guild(struct shoal_invocation *inv)
{
	uint64_t guild_id = shoal_invocation_guild_id(inv);

	return guild_id ? shoal_guild_get(shoal_invocation_scope(inv), guild_id) : NULL;
}

static const struct shoal_command *const commands[] = {
	&utility_poll,   &utility_user, &utility_avatar,  &utility_on_user, &utility_on_avatar,
	&utility_server, &utility_role, &utility_channel, &utility_about,   &utility_status,
};

static const struct shoal_component_row components[] = {
	{ .prefix = POLL_PREFIX, .flags = SHOAL_COMPONENT_EPHEMERAL, .handle = poll_vote_clicked },
};

static const struct shoal_job jobs[] = {
	{ .name = POLL_JOB, .version = 1, .late = SHOAL_JOB_LATE_RUN, .handle = poll_end_due },
};

SHOAL_MODULE(utility, .version = "1.0", .description = "About members, servers, roles, channels and the bot; polls",
	     .descriptions = SHOAL_LOCAL("Über Mitglieder, Server, Rollen, Kanäle und den Bot; Umfragen",
					 "Sobre miembros, servidores, roles, canales y el bot; encuestas",
					 "Su membri, server, ruoli, canali e il bot; sondaggi"),
	     SHOAL_PHRASES(utility_phrases), .statements = poll_statements, .statement_count = POLL_STATEMENTS,
	     .setup = poll_setup, .cleanup = poll_cleanup, SHOAL_COMMANDS(commands), SHOAL_COMPONENTS(components),
	     SHOAL_JOBS(jobs));
