/* The asking: as a member of the server first, then as a user at all. One after the other: more than one such option is
 * rare. Nothing of it is journalled, it only reads. */
#include "shard/commands/lookups.h"

#include <errno.h>
#include <stdlib.h>

#include "shard/commands/commands.h"
#include "shared/log/log.h"

#define DEADLINE_MS 5000

struct lookup {
	struct shoal_invocation *inv;
	void (*then)(struct shoal_invocation *inv);
	struct argument *argument;
	bool as_member;
};

static void next(struct lookup *lookup);

static void end(struct lookup *lookup)
{
	struct shoal_invocation *inv = lookup->inv;

	free(lookup);
	invocation_release(inv);
}

static void refuse(struct lookup *lookup, const struct shoal_phrase *phrase)
{
	const struct shoal_word word = { "option", lookup->argument->option->name };

	invocation_refuse(lookup->inv, phrase, &word, 1);
	end(lookup);
}

static void answered(void *arg, const struct rest_result *result)
{
	struct lookup *lookup = arg;
	struct log_ctx ctx = { .shard = (int32_t)lookup->inv->commands->services.shard_id,
			       .guild_id = lookup->inv->guild_id,
			       .module = lookup->inv->path };
	int r = result->error;

	if (lookup->inv->commands->closing) {
		end(lookup);
		return;
	}
	if (r == 0)
		r = lookup->as_member ? resolved_add_member_json(&lookup->inv->resolved, result->body)
				      : resolved_add_user_json(&lookup->inv->resolved, result->body);
	if (r == 0 && resolved_find_user(&lookup->inv->resolved, lookup->argument->id)) {
		lookup->argument->unresolved = false;
		next(lookup);
	} else if (result->http_status == 404 && lookup->as_member) {
		lookup->as_member = false;
		next(lookup);
	} else if (result->http_status == 404) {
		refuse(lookup, &phrase_OPTION_NOT_FOUND);
	} else {
		log_warn(&ctx, "commands.lookup_failed", KV_MSG("Discord did not say who a command names"),
			 KV_ERR(r ? r : -EBADMSG), KV_STR("detail", result->message));
		refuse(lookup, &phrase_DISCORD_SILENT);
	}
}

static void ask(struct lookup *lookup)
{
	struct shoal_invocation *inv = lookup->inv;
	struct rest_request request = {
		.route = lookup->as_member ? ROUTE_GET_MEMBER : ROUTE_GET_USER,
		.args = { .ids = { [ROUTE_ID_GUILD] = inv->guild_id, [ROUTE_ID_USER] = lookup->argument->id } },
		.deadline_ms = DEADLINE_MS,
		.priority = REST_PRIORITY_HIGH,
	};

	if (effects_send(inv->commands->services.effects, &inv->scope.effects, &request, answered, lookup, NULL) < 0)
		refuse(lookup, &phrase_DISCORD_SILENT);
}

static void next(struct lookup *lookup)
{
	struct arguments *arguments = &lookup->inv->arguments;
	bool again = lookup->argument && lookup->argument->unresolved;

	for (size_t i = 0; !again && i < arguments->count; i++) {
		lookup->argument = &arguments->items[i];
		lookup->as_member = lookup->inv->guild_id != 0;
		again = lookup->argument->unresolved;
	}
	if (again) {
		ask(lookup);
		return;
	}
	lookup->then(lookup->inv);
	end(lookup);
}

void lookups_run(struct shoal_invocation *inv, void (*then)(struct shoal_invocation *inv))
{
	struct lookup *lookup = calloc(1, sizeof(*lookup));

	if (!lookup) {
		invocation_refuse(inv, &phrase_NO_MEMORY, NULL, 0);
		return;
	}
	lookup->inv = invocation_hold(inv);
	lookup->then = then;
	next(lookup);
}
