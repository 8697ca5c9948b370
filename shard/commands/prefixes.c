/* The prefix of message commands, as one of the settings. */
#include "shard/commands/prefixes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wait {
	prefixes_fn fn;
	void *arg;
};

const char *prefixes_fallback(const struct settings *settings)
{
	return schemas_find(settings_schemas(settings), SETTING_PREFIX)->fallback.is.text;
}

const char *prefixes_peek(struct settings *settings, uint64_t guild_id, uint64_t channel_id)
{
	struct settings_place place = { .guild_id = guild_id, .channel_id = channel_id };
	struct setting_answer answer;

	return settings_peek(settings, &place, SETTING_PREFIX, &answer) == 0 ? answer.value->text : NULL;
}

static void on_known(void *arg, const struct setting_answer *answer)
{
	struct wait wait = *(struct wait *)arg;

	free(arg);
	wait.fn(wait.arg, answer->value->text);
}

int prefixes_load(struct settings *settings, uint64_t guild_id, uint64_t channel_id, prefixes_fn fn, void *arg)
{
	struct settings_place place = { .guild_id = guild_id, .channel_id = channel_id };
	struct wait *wait = malloc(sizeof(*wait));
	int r;

	if (!wait)
		return -ENOMEM;
	*wait = (struct wait){ fn, arg };
	r = settings_get(settings, &place, SETTING_PREFIX, on_known, wait);
	if (r < 0)
		free(wait);
	return r;
}

static size_t longest_run(const char *text, char of)
{
	size_t longest = 0, run = 0;

	for (; *text; text++) {
		run = *text == of ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	return longest;
}

const char *prefixes_shown(const char *prefix, const char *word, char text[PREFIXES_SHOWN_SIZE])
{
	static const char fence[] = "`````````````````";
	size_t ticks = longest_run(prefix, '`') + 1;
	const char *space = ticks > 1 ? " " : "";

	if (ticks >= sizeof(fence))
		ticks = sizeof(fence) - 1;
	snprintf(text, PREFIXES_SHOWN_SIZE, "%.*s%s%s%s%s%.*s", (int)ticks, fence, space, prefix, word, space,
		 (int)ticks, fence);
	return text;
}
