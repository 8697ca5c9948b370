/* libFuzzer's way into what Discord's answers say beside their status: header lines up to the first empty line, then a
 * body. Beside not crashing: a scope and a wait stay within their bounds, texts end and hold no control characters, and
 * buckets fed with such answers let somebody through sooner or later. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "shared/base/cleanup.h"
#include "shared/discord/discord_error.h"
#include "shared/discord/payload.h"
#include "shared/discord/ratelimit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
	if (!condition)
		abort();
}

static void must_be_clean(const char *text, size_t size)
{
	must(memchr(text, '\0', size) != NULL);
	/* jansson lets no other text through, and no cut may break it. */
	must(payload_units(text, strlen(text)) >= 0);
	for (; *text; text++)
		must((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void feed_buckets(const struct ratelimit_answer *answer)
{
	static struct ratelimit *limits;
	static uint64_t now_ns = 1000000000;
	struct ratelimit_lane *lane;
	struct ratelimit_permit permit;
	uint64_t wait_ns;

	if (!limits)
		limits = ratelimit_new(8);
	must(limits != NULL);
	must(ratelimit_lane(limits, ROUTE_GET_GUILD, 0, "1", 1, now_ns, &lane) == 0);
	wait_ns = ratelimit_wait(lane, now_ns);
	/* Nothing is under way: it never has to wait for an answer, nor longer than a wait may be. */
	must(wait_ns <= RATELIMIT_WAIT_MAX_NS + 2 * RATELIMIT_SLACK_NS);
	now_ns += wait_ns;
	must(ratelimit_wait(lane, now_ns) == 0);
	permit = ratelimit_take(lane, now_ns);
	ratelimit_answered(limits, &permit, answer, now_ns);
	must(lane->inflight == 0);
	ratelimit_sweep(limits, now_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size;
	struct ratelimit_answer answer = { 0 };
	struct discord_error error;
	char text[128];
	uint32_t status = size ? 400 + data[0] % 100 : 200;
	CLEANUP(cleanup_free) char *copy = NULL, *clipped = NULL;
	json_t *body;

	while (at < end && *at != '\n') {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));

		line_end = line_end ? line_end + 1 : end;
		ratelimit_header(&answer, at, (size_t)(line_end - at));
		at = line_end;
	}
	at += at < end;
	body = json_loadb(at, (size_t)(end - at), JSON_ALLOW_NUL, NULL);
	discord_error_read(body, &error);
	must(error.field_count <= DISCORD_ERROR_FIELDS && error.field_count <= error.fields_total);
	must_be_clean(error.message, sizeof(error.message));
	for (unsigned i = 0; i < error.field_count; i++) {
		must_be_clean(error.fields[i].path, sizeof(error.fields[i].path));
		must_be_clean(error.fields[i].code, sizeof(error.fields[i].code));
		must_be_clean(error.fields[i].message, sizeof(error.fields[i].message));
	}
	discord_error_text(&error, status, text, sizeof(text));
	must_be_clean(text, sizeof(text));
	must(discord_error_words(status, error.code)[0] != '\0');
	json_decref(body);
	ratelimit_classify(&answer, data && size && data[0] % 2 ? 429 : 200, error.retry_after_s, error.global);
	must(answer.scope < RATELIMIT_SCOPE_COUNT);
	must(answer.retry_after_ns <= RATELIMIT_WAIT_MAX_NS + RATELIMIT_SLACK_NS);
	must(memchr(answer.hash, '\0', sizeof(answer.hash)) != NULL);
	feed_buckets(&answer);
	copy = strndup((const char *)data, size);
	clipped = copy ? payload_clip(copy, 20) : NULL;
	must(!clipped ||
	     (payload_units(clipped, strlen(clipped)) >= 0 && payload_units(clipped, strlen(clipped)) <= 20));
	return 0;
}
