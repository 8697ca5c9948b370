/* SPDX-License-Identifier: MIT */
/* What one MESSAGE_CREATE of about 900 bytes costs, step by step, against a bare copy of its bytes and against jansson,
 * in one run on one core. The messages are generated and all different (names, ids, texts, options), so that the branch
 * predictor can't learn them by heart. Prints the best of several rounds: what the code costs, not what the machine's
 * neighbours do. Not for absolute truth: compare the rows. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <jansson.h>

#include "shard/gateway/decode.h"
#include "shard/gateway/envelope.h"

#define MESSAGES 2048
#define ROUNDS   7

static struct {
	char *bytes;
	size_t len;
} messages[MESSAGES];
static size_t total_bytes;

static uint64_t random_state = 0x5eed;

static uint32_t roll(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 11) % below);
}

static uint64_t roll_id(void)
{
	return UINT64_C(580000000000000000) + (uint64_t)roll(1u << 31) * 400000000 + roll(1u << 31);
}

/* Mostly ASCII; every fourth has other letters or an emoji, every eighth an escape. */
static size_t roll_text(char *out, uint32_t words)
{
	static const char *const ascii[] = { "tide",    "kelp",  "the",   "is",  "of",
					     "harbour", "drift", "again", "lol", "why" };
	static const char *const other[] = { "שלום", "naïve", "漢字", "🦀", "вода" };
	uint32_t odd = roll(8);
	size_t len = 0;

	for (uint32_t i = 0; i < words; i++)
		len += (size_t)sprintf(out + len, "%s%s", i ? " " : "",
				       odd < 2 && roll(3) == 0 ? other[roll(5)] : ascii[roll(10)]);
	if (odd == 7)
		len += (size_t)sprintf(out + len, "\\n\\\"quoted\\\"");
	return len;
}

/* A member: roles, a nick or none. */
static size_t roll_member(char *out)
{
	uint32_t roles = roll(5), nick = roll(2);
	size_t len = (size_t)sprintf(out, "{\"roles\":[");

	for (uint32_t i = 0; i < roles; i++)
		len += (size_t)sprintf(out + len, "%s\"%" PRIu64 "\"", i ? "," : "", roll_id());
	return len +
	       (size_t)sprintf(out + len,
			       "],\"premium_since\":null,\"pending\":false,\"nick\":%s,\"mute\":false,\"joined_at\":"
			       "\"2021-05-06T07:08:09.123000+00:00\",\"flags\":%u,\"deaf\":false,"
			       "\"communication_disabled_until\":null,\"banner\":null,\"avatar\":null}",
			       nick ? "null" : "\"Nick ✨\"", roll(8));
}

static size_t roll_author(char *out)
{
	uint32_t number = roll(100000), named = roll(2), flags = roll(2) * roll(1u << 22);
	uint64_t id = roll_id(), avatar = roll_id();

	return (size_t)sprintf(out,
			       "{\"username\":\"user%u\",\"public_flags\":%u,\"primary_guild\":null,\"id\":\"%" PRIu64
			       "\",\"global_name\":%s,\"discriminator\":\"0\",\"collectibles\":null,"
			       "\"avatar_decoration_data\":null,\"avatar\":\"%016" PRIx64 "%016" PRIx64 "\"}",
			       number, flags, id, named ? "null" : "\"Some One\"", avatar, avatar * 31);
}

/* Each thing is rolled in a statement of its own: the order of arguments is the compiler's. */
static void make_message(size_t i)
{
	char content[1024], member[1024], author[1024], text[4096];
	uint64_t nonce = roll_id(), id = roll_id(), channel = roll_id(), guild = roll_id();
	uint32_t second = roll(60), ms = roll(1000), words = 2 + roll(24);

	content[roll_text(content, words)] = '\0';
	member[roll_member(member)] = '\0';
	author[roll_author(author)] = '\0';
	messages[i].len = (size_t)sprintf(
		text,
		"{\"t\":\"MESSAGE_CREATE\",\"s\":%zu,\"op\":0,\"d\":{\"type\":0,\"tts\":false,\"timestamp\":"
		"\"2026-08-04T16:20:%02u.%03u000+00:00\",\"pinned\":false,\"nonce\":\"%" PRIu64
		"\",\"mentions\":[],\"mention_roles\":[],\"mention_everyone\":false,\"member\":%s,\"id\":\"%" PRIu64
		"\",\"flags\":0,\"embeds\":[],\"edited_timestamp\":null,\"content\":\"%s\",\"components\":[],"
		"\"channel_type\":0,\"channel_id\":\"%" PRIu64
		"\",\"author\":%s,\"attachments\":[],\"guild_id\":\"%" PRIu64 "\"}}",
		i + 1, second, ms, nonce, member, id, content, channel, author, guild);
	messages[i].bytes = malloc(messages[i].len);
	if (!messages[i].bytes)
		abort();
	memcpy(messages[i].bytes, text, messages[i].len);
	total_bytes += messages[i].len;
}

/* --- what is measured ------------------------------------------------------------------------------------------------
 */

static struct arena arena;
static volatile uint64_t sink;

static void step_copy(const char *bytes, size_t len)
{
	static char copy[8192];

	memcpy(copy, bytes, len);
	__asm__ volatile("" ::"r"(copy) : "memory");
}

static void step_envelope(const char *bytes, size_t len)
{
	struct envelope envelope;

	if (envelope_scan(bytes, len, &envelope) != ENVELOPE_OK)
		abort();
	sink += envelope.guild_id;
}

static void step_decode(const char *bytes, size_t len)
{
	struct envelope envelope;
	struct shoal_event event;

	if (envelope_scan(bytes, len, &envelope) != ENVELOPE_OK)
		abort();
	arena_reset(&arena);
	if (decode_event(envelope.type, envelope.d, &arena, NULL, &event) < 0)
		abort();
	sink += event.message->author.id;
}

static void step_jansson(const char *bytes, size_t len)
{
	json_t *json = json_loadb(bytes, len, 0, NULL);

	if (!json)
		abort();
	sink += json_object_size(json);
	json_decref(json);
}

static const struct step {
	const char *name;
	void (*run)(const char *bytes, size_t len);
	unsigned passes; /* over all messages in a round */
} steps[] = {
	{ "bare memcpy", step_copy, 200 },
	{ "envelope, all validated", step_envelope, 100 },
	{ "envelope + decode", step_decode, 60 },
	{ "jansson parse + free", step_jansson, 4 },
};
#define STEP_COUNT (sizeof(steps) / sizeof(steps[0]))

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double round_ns(const struct step *step)
{
	double start = now_ns();

	for (unsigned pass = 0; pass < step->passes; pass++)
		for (size_t i = 0; i < MESSAGES; i++)
			step->run(messages[i].bytes, messages[i].len);
	return (now_ns() - start) / step->passes / MESSAGES;
}

int main(void)
{
	double best[STEP_COUNT], mean;

	for (size_t i = 0; i < MESSAGES; i++)
		make_message(i);
	mean = (double)total_bytes / MESSAGES;
	arena_init(&arena, 1 << 20);
	for (unsigned round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < STEP_COUNT; i++) {
			double ns = round_ns(&steps[i]);

			if (round == 0 || ns < best[i])
				best[i] = ns;
		}
	printf("MESSAGE_CREATE, %d different ones, %.0f bytes mean, CPU time, best of %d rounds\n", MESSAGES, mean,
	       ROUNDS);
	printf("%-26s %10s %8s %10s\n", "", "ns/event", "GB/s", "x jansson");
	for (size_t i = 0; i < STEP_COUNT; i++)
		printf("%-26s %10.0f %8.2f %10.1f\n", steps[i].name, best[i], mean / best[i],
		       best[STEP_COUNT - 1] / best[i]);
	arena_finish(&arena);
	for (size_t i = 0; i < MESSAGES; i++)
		free(messages[i].bytes);
	return 0;
}
