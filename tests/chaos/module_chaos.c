/* What the chaos campaign has its workers do: an event brings a plan, a few words, and each word is one effect; the
 * next one is begun when the one before is through. Every effect bears a mark with the event's id and the number of its
 * word, by which the sim's rows are counted (tests/sim/effects.h). Linked into the worker of the build for the campaign
 * only; a module like any other, but for its kill points. */
#include <shoal/module.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/kill_point.h"

#define PREFIX    "chaos: "
#define PLAN_SIZE 1024
#define WORD_SIZE 256
#define MARK_SIZE 64
#define HOOKS_MAX 256
#define MUTE_MS   60000

/* One event on its way through its plan. */
struct run {
	struct shoal_scope *scope;
	struct shoal_invocation *inv; /* NULL: no interaction */
	uint64_t cause, guild_id, channel_id, message_id;
	unsigned step;
	char plan[PLAN_SIZE];
	char *at;
	char op[WORD_SIZE]; /* the word that is under way */
};

/* Webhooks that were made for us, one a guild: $SHOAL_CHAOS_HOOKS, lines of "guild webhook token". */
static struct hook {
	uint64_t guild_id, id;
	char token[128];
} hooks[HOOKS_MAX];
static size_t hook_count;

static void next_step(struct run *run);

/* --- words -----------------------------------------------------------------------------------------------------------
 */

static void finish(struct run *run)
{
	if (run->inv)
		shoal_invocation_release(run->inv);
	else
		shoal_scope_release(run->scope);
	shoal_free(run);
}

static void done(void *arg, const struct shoal_result *result)
{
	struct run *run = arg;

	if (result->error)
		shoal_log(run->scope, SHOAL_LOG_WARN, "chaos.result",
			  "cause %" PRIu64 " step %u op %s error %d http %u code %u", run->cause, run->step, run->op,
			  result->error, result->http_status, result->discord_code);
	if (result->error == -ECANCELED)
		finish(run);
	else
		next_step(run);
}

static void waited(void *arg, int error)
{
	struct shoal_result result = { .error = error, .message = "" };

	done(arg, &result);
}

static const char *mark_of(const struct run *run, char mark[MARK_SIZE])
{
	snprintf(mark, MARK_SIZE, "cause-%" PRIu64 ".%u", run->cause, run->step);
	return mark;
}

/* The argument number @n of "op:a:b"; 0 when it is none. */
static uint64_t id_arg(const struct run *run, int n)
{
	const char *at = run->op;

	for (; n >= 0 && at; n--) {
		at = strchr(at, ':');
		at = at ? at + 1 : NULL;
	}
	return at ? strtoull(at, NULL, 10) : 0;
}

static int64_t event_ms(const struct run *run)
{
	return (int64_t)shoal_snowflake_ms(run->cause);
}

static int do_say(struct run *run, const char *mark)
{
	uint64_t channel_id = id_arg(run, 0);
	struct shoal_message_send request = { .channel_id = channel_id ? channel_id : run->channel_id,
					      .content = { .text = mark },
					      .reply_to = channel_id ? 0 : run->message_id };

	return shoal_message_send(run->scope, &request, done, run);
}

static int do_dm(struct run *run, const char *mark)
{
	struct shoal_dm_send request = { .user_id = id_arg(run, 0), .content = { .text = mark } };

	return shoal_dm_send(run->scope, &request, done, run);
}

static int do_hook(struct run *run, const char *mark)
{
	struct shoal_webhook_execute request = { .content = { .text = mark } };
	size_t i;

	for (i = 0; i < hook_count; i++) {
		if (hooks[i].guild_id != run->guild_id)
			continue;
		request.webhook_id = hooks[i].id;
		request.token = hooks[i].token;
	}
	return shoal_webhook_execute(run->scope, &request, done, run);
}

static int do_role(struct run *run, const char *mark)
{
	struct shoal_member_role request = { .guild_id = run->guild_id,
					     .user_id = id_arg(run, 0),
					     .role_id = id_arg(run, 1),
					     .remove = run->op[0] == 'u',
					     .reason = mark };

	return shoal_member_role(run->scope, &request, done, run);
}

static int do_kick(struct run *run, const char *mark)
{
	struct shoal_member_ref request = { .guild_id = run->guild_id, .user_id = id_arg(run, 0), .reason = mark };

	return shoal_member_kick(run->scope, &request, done, run);
}

static int do_mute(struct run *run, const char *mark)
{
	struct shoal_member_timeout request = { .guild_id = run->guild_id,
						.user_id = id_arg(run, 0),
						.until_ms = event_ms(run) + MUTE_MS,
						.reason = mark };

	return shoal_member_timeout(run->scope, &request, done, run);
}

static int do_ban(struct run *run, const char *mark)
{
	uint64_t users[] = { id_arg(run, 0), id_arg(run, 1) };
	struct shoal_bulk_ban request = {
		.guild_id = run->guild_id, .users = users, .user_count = users[1] ? 2 : 1, .reason = mark
	};

	return shoal_bulk_ban(run->scope, &request, done, run);
}

static int do_thread(struct run *run, const char *mark)
{
	uint64_t channel_id = id_arg(run, 0);
	struct shoal_thread_start request = { .channel_id = channel_id ? channel_id : run->channel_id,
					      .message_id = channel_id ? 0 : run->message_id,
					      .name = mark };

	return shoal_thread_start(run->scope, &request, done, run);
}

static int do_cross(struct run *run, const char *mark)
{
	struct shoal_message_ref request = { .channel_id = run->channel_id, .message_id = run->message_id };

	(void)mark;
	return shoal_message_crosspost(run->scope, &request, done, run);
}

static int do_react(struct run *run, const char *mark)
{
	struct shoal_reaction_set request = { .channel_id = run->channel_id,
					      .message_id = run->message_id,
					      .emoji = "\xf0\x9f\x91\x8d" };

	(void)mark;
	return shoal_reaction_set(run->scope, &request, done, run);
}

static int do_wait(struct run *run, const char *mark)
{
	(void)mark;
	return shoal_timer_start(run->scope, id_arg(run, 0), waited, run, NULL);
}

static int do_poison(struct run *run, const char *mark)
{
	(void)run;
	(void)mark;
	raise(SIGSEGV);
	return 0;
}

/* What an interaction is answered with has no callback: the next word follows at once, and waits within shoal. */
static int do_answer(struct run *run, const char *mark)
{
	struct shoal_content content = { .text = mark };

	return shoal_reply(run->inv, &content);
}

static int do_update(struct run *run, const char *mark)
{
	struct shoal_content content = { .text = mark };

	return shoal_update(run->inv, &content);
}

static int do_defer(struct run *run, const char *mark)
{
	(void)mark;
	return shoal_defer(run->inv, 0);
}

static int do_followup(struct run *run, const char *mark)
{
	struct shoal_content content = { .text = mark };

	return shoal_followup(run->inv, &content, done, run);
}

static int do_edit(struct run *run, const char *mark)
{
	struct shoal_content content = { .text = mark };

	return shoal_original_edit(run->inv, &content, done, run);
}

static int do_form(struct run *run, const char *mark)
{
	struct shoal_text_input input = { .custom_id = "text", .label = "Text", .optional = true };
	struct shoal_modal modal = {
		.custom_id = "chaos:answer fup", .title = mark, .inputs = &input, .input_count = 1
	};

	return shoal_modal_show(run->inv, &modal);
}

static const struct word {
	const char *name;
	int (*run)(struct run *run, const char *mark);
	bool calls_back, interaction;
} words[] = {
	{ "say", do_say, true, false },        { "dm", do_dm, true, false },
	{ "hook", do_hook, true, false },      { "role", do_role, true, false },
	{ "unrole", do_role, true, false },    { "kick", do_kick, true, false },
	{ "mute", do_mute, true, false },      { "ban", do_ban, true, false },
	{ "thread", do_thread, true, false },  { "cross", do_cross, true, false },
	{ "react", do_react, true, false },    { "wait", do_wait, true, false },
	{ "poison", do_poison, false, false }, { "answer", do_answer, false, true },
	{ "update", do_update, false, true },  { "defer", do_defer, false, true },
	{ "fup", do_followup, true, true },    { "edit", do_edit, true, true },
	{ "form", do_form, false, true },
};

static const struct word *find_word(const char *op)
{
	size_t i, len = strcspn(op, ":");

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strlen(words[i].name) == len && memcmp(words[i].name, op, len) == 0)
			return &words[i];
	}
	return NULL;
}

/* --- plans -----------------------------------------------------------------------------------------------------------
 */

static bool take_word(struct run *run)
{
	size_t len;

	run->at += strspn(run->at, " ");
	len = strcspn(run->at, " ");
	if (len == 0)
		return false;
	snprintf(run->op, sizeof(run->op), "%.*s", (int)len, run->at);
	run->at += len;
	run->step++;
	return true;
}

static void next_step(struct run *run)
{
	char mark[MARK_SIZE];

	while (take_word(run)) {
		const struct word *word = find_word(run->op);
		int r;

		KILL_POINT("in_handler", run->op);
		r = word && !(word->interaction && !run->inv) ? word->run(run, mark_of(run, mark)) : -EINVAL;
		if (r == 0 && word->calls_back)
			return;
		if (r < 0)
			shoal_log(run->scope, SHOAL_LOG_WARN, "chaos.refused",
				  "cause %" PRIu64 " step %u op %s error %d", run->cause, run->step, run->op, r);
		if (r == -ECANCELED)
			break;
	}
	finish(run);
}

static struct run *new_run(struct shoal_scope *scope, struct shoal_str plan)
{
	struct run *run;

	if (!shoal_str_starts(plan, SHOAL_STR(PREFIX)) || plan.len >= PLAN_SIZE)
		return NULL;
	run = shoal_alloc(scope, sizeof(*run));
	if (!run)
		return NULL;
	run->scope = scope;
	memcpy(run->plan, plan.ptr, plan.len);
	run->at = run->plan + sizeof(PREFIX) - 1;
	return run;
}

static void start(struct run *run)
{
	shoal_scope_hold(run->scope);
	next_step(run);
}

static void on_message(struct shoal_scope *scope, const struct shoal_event *event)
{
	struct run *run = new_run(scope, event->message->content);

	if (!run)
		return;
	run->cause = run->message_id = event->message->id;
	run->guild_id = event->message->guild_id;
	run->channel_id = event->message->channel_id;
	start(run);
}

static void on_member(struct shoal_scope *scope, const struct shoal_event *event)
{
	struct run *run = new_run(scope, event->member->nick);

	if (!run)
		return;
	run->cause = event->member->user->id;
	run->guild_id = event->member->guild_id;
	/* "@" stands for the member: a nick is too short for an id. */
	if (strchr(run->plan, '@')) {
		char plan[PLAN_SIZE];

		snprintf(plan, sizeof(plan), "%.*s%" PRIu64 "%s", (int)(strchr(run->plan, '@') - run->plan), run->plan,
			 run->cause, strchr(run->plan, '@') + 1);
		memcpy(run->plan, plan, sizeof(plan));
	}
	start(run);
}

static void on_role(struct shoal_scope *scope, const struct shoal_event *event)
{
	struct run *run = new_run(scope, event->guild_role->role.name);

	if (!run)
		return;
	run->cause = event->guild_role->role.id;
	run->guild_id = event->guild_role->guild_id;
	start(run);
}

/* "chaos: 123 say:456": what changed has no id of its own, so the name has one. */
static void on_guild(struct shoal_scope *scope, const struct shoal_event *event)
{
	struct run *run = new_run(scope, event->guild->name);

	if (!run)
		return;
	run->cause = strtoull(run->at, &run->at, 10);
	run->guild_id = event->guild->id;
	start(run);
}

static void interact(struct shoal_invocation *inv, const char *plan)
{
	struct run *run = shoal_alloc(shoal_invocation_scope(inv), sizeof(*run));

	if (!run)
		return;
	run->scope = shoal_invocation_scope(inv);
	run->inv = shoal_invocation_hold(inv);
	run->cause = shoal_invocation_event_id(inv);
	run->guild_id = shoal_invocation_guild_id(inv);
	run->channel_id = shoal_invocation_channel_id(inv);
	run->message_id = shoal_invocation_message_id(inv);
	snprintf(run->plan, sizeof(run->plan), "%s", plan);
	run->at = run->plan;
	next_step(run);
}

static void on_command(struct shoal_invocation *inv)
{
	interact(inv, shoal_invocation_string(inv, "plan", "answer"));
}

static void on_component(struct shoal_invocation *inv)
{
	interact(inv, shoal_invocation_custom_rest(inv));
}

/* --- the module ------------------------------------------------------------------------------------------------------
 */

static int setup(struct shoal_scope *module)
{
	const char *path = getenv("SHOAL_CHAOS_HOOKS");
	FILE *file = path ? fopen(path, "re") : NULL;

	(void)module;
	while (file && hook_count < HOOKS_MAX &&
	       fscanf(file, "%" SCNu64 " %" SCNu64 " %127s", &hooks[hook_count].guild_id, &hooks[hook_count].id,
		      hooks[hook_count].token) == 3)
		hook_count++;
	if (file)
		fclose(file);
	return 0;
}

static const struct shoal_command_option options[] = {
	{ .name = "plan", .description = "Words, one an effect", .type = SHOAL_OPTION_STRING },
};
static const struct shoal_command command = {
	.name = "chaos",
	.description = "Does what the plan says",
	.flags = SHOAL_COMMAND_SLASH_ONLY,
	.options = options,
	.option_count = 1,
	.handle = on_command,
};
static const struct shoal_command *const commands[] = { &command };
static const struct shoal_event_row events[] = {
	{ SHOAL_EVENT_MESSAGE_CREATE, on_message },
	{ SHOAL_EVENT_GUILD_MEMBER_ADD, on_member },
	{ SHOAL_EVENT_GUILD_ROLE_CREATE, on_role },
	{ SHOAL_EVENT_GUILD_UPDATE, on_guild },
};
static const struct shoal_component_row components[] = {
	{ .prefix = "chaos", .handle = on_component },
	{ .prefix = "chaos.up", .flags = SHOAL_COMPONENT_UPDATES, .handle = on_component },
};

SHOAL_MODULE(chaos, .version = "1.0", .description = "The campaign's", SHOAL_COMMANDS(commands),
	     SHOAL_EVENT_ROWS(events), SHOAL_COMPONENTS(components), .intents = 1 << 15, .setup = setup);

const struct shoal_module *const shoal_extra_modules[] = { &shoal_module_chaos, NULL };
