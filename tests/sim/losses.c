/* A bounded list: the oldest half gives way, counted. */
#include "tests/sim/losses.h"

#include <stdlib.h>
#include <string.h>

#include "tests/sim/session.h"
#include "tests/sim/util.h"

#define LOSSES_MAX 200000

struct loss {
	uint64_t number, at_ms, from, to, dispatches;
	uint32_t shard, count;
	enum loss_kind kind;
	char session[33];
};

static const char *const kind_names[LOSS_KIND_COUNT] = { "skipped", "refused", "ended", "gap" };

static struct loss *losses;
static size_t used, cap;
static uint64_t last_number, forgotten;

static bool make_room(void)
{
	size_t more = cap ? cap * 2 : 256;
	struct loss *bigger;

	if (used < cap)
		return true;
	if (cap >= LOSSES_MAX) {
		memmove(losses, losses + used / 2, (used - used / 2) * sizeof(*losses));
		forgotten += used / 2;
		used -= used / 2;
		return true;
	}
	bigger = realloc(losses, more * sizeof(*losses));
	if (!bigger)
		return false;
	losses = bigger;
	cap = more;
	return true;
}

void losses_note(enum loss_kind kind, const struct session *s, uint64_t from, uint64_t to, uint64_t dispatches)
{
	struct loss *loss;

	if (!make_room()) {
		forgotten++;
		return;
	}
	loss = &losses[used++];
	*loss = (struct loss){ .number = ++last_number,
			       .at_ms = wall_ms(),
			       .from = from,
			       .to = to,
			       .dispatches = dispatches,
			       .shard = s->shard,
			       .count = s->count,
			       .kind = kind };
	memcpy(loss->session, s->id, sizeof(loss->session));
}

json_t *losses_json(enum loss_kind kind, uint64_t after)
{
	json_t *list = json_array();

	for (size_t i = 0; i < used; i++) {
		const struct loss *loss = &losses[i];

		if (loss->number <= after || (kind != LOSS_KIND_COUNT && loss->kind != kind))
			continue;
		json_array_append_new(list,
				      json_pack("{s:I,s:s,s:s,s:i,s:i,s:I,s:I,s:I,s:I}", "n", (json_int_t)loss->number,
						"kind", kind_names[loss->kind], "session", loss->session, "shard",
						(int)loss->shard, "count", (int)loss->count, "at_ms",
						(json_int_t)loss->at_ms, "from", (json_int_t)loss->from, "to",
						(json_int_t)loss->to, "dispatches", (json_int_t)loss->dispatches));
	}
	return json_pack("{s:o,s:I}", "losses", list, "forgotten", (json_int_t)forgotten);
}

enum loss_kind losses_kind(const char *name)
{
	int i;

	for (i = 0; i < LOSS_KIND_COUNT; i++) {
		if (!strcmp(kind_names[i], name))
			break;
	}
	return (enum loss_kind)i;
}

void losses_reset(void)
{
	used = 0;
	forgotten = 0;
}

void losses_free(void)
{
	free(losses);
	losses = NULL;
	used = cap = 0;
}
