/* Suggestions. */
#include "shard/commands/suggest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shard/commands/answer.h"
#include "shard/commands/commands.h"
#include "shared/base/cleanup.h"
#include "shared/discord/payload.h"
#include "shared/log/log.h"

#define NAME_MAX_UNITS 100

void suggest_run(struct shoal_invocation *inv, const struct shoal_command *leaf, const struct shoal_option *options,
		 size_t option_count)
{
	struct culprit_frame frame;
	struct shoal_str typed;

	inv->command = leaf;
	if (arguments_from_unfinished(leaf, options, option_count, &inv->resolved, &inv->arguments, &inv->focused,
				      &typed) < 0 ||
	    !inv->focused)
		return; /* its release says that there are none */
	inv->typed = strndup(typed.ptr, typed.len);
	if (!inv->typed)
		return;
	board_count(inv->commands->services.counters, BOARD_COUNTER_suggestions, 1);
	scope_enter(&frame, &inv->scope, CULPRIT_COMMAND);
	inv->focused->suggest(inv);
	culprit_leave(&frame);
}

const char *suggest_typed(const struct shoal_invocation *inv)
{
	return inv->typed ? inv->typed : "";
}

const char *suggest_option(const struct shoal_invocation *inv)
{
	return inv->focused ? inv->focused->name : "";
}

/* What is shown, in the member's language, and what comes back. */
static json_t *choice_to_json(const struct shoal_invocation *inv, const struct shoal_choice *choice)
{
	const char *local = choice->names && inv->language != SHOAL_ENGLISH ? choice->names->text[inv->language] : NULL;
	CLEANUP(cleanup_free) char *name = payload_clip(local ? local : choice->name, NAME_MAX_UNITS);
	json_t *value;

	switch (inv->focused->type) {
	case SHOAL_OPTION_INTEGER:
		value = json_integer(choice->integer);
		break;
	case SHOAL_OPTION_NUMBER:
		value = json_real(choice->number);
		break;
	default:
		value = json_string(arguments_choice_text(choice));
	}
	return name ? json_pack("{s:s, s:o}", "name", name, "value", value) : NULL;
}

static int invalid(const struct shoal_invocation *inv, const char *detail)
{
	struct log_ctx ctx = { .shard = (int32_t)inv->commands->services.shard_id,
			       .guild_id = inv->guild_id,
			       .module = inv->scope.module ? inv->scope.module->name : inv->path,
			       .event = inv->path };

	log_error(&ctx, "commands.suggestions_invalid", KV_MSG("a module's suggestions break Discord's limits"),
		  KV_STR("detail", detail));
	return -EINVAL;
}

int suggest_give(struct shoal_invocation *inv, const struct shoal_choice *choices, size_t count)
{
	json_auto_t *list = json_array();
	char error[PAYLOAD_ERROR_SIZE] = "";
	json_t *body = NULL;

	if (inv->form != INVOCATION_SUGGEST || !inv->focused)
		return invalid(inv, "shoal_suggest() belongs into an option's suggest function");
	if (inv->replied)
		return -EALREADY;
	for (size_t i = 0; i < count; i++) {
		if (!choices[i].name || !*choices[i].name)
			return invalid(inv, "a suggestion has no name");
		if (json_array_append_new(list, choice_to_json(inv, &choices[i])) < 0)
			return invalid(inv, "a suggestion's text is no UTF-8");
	}
	if (payload_interaction_choices(list, error, &body) < 0)
		return invalid(inv, error);
	return answer_give_choices(inv, body);
}
