/* A hash of keys; a state lives as long as something goes on with it. Run by the loop. */
#include "shared/db/outbox_keys.h"

#include <stdlib.h>
#include <string.h>

#include "shared/base/clock.h"

struct outbox_key_state *outbox_keys_find(const struct outbox_keys *keys, struct outbox_key key)
{
	char text[sizeof(key.id) + OUTBOX_NAME_MAX];
	struct outbox_key_state *state;
	size_t len = strlen(key.name);

	if (len > OUTBOX_NAME_MAX)
		return NULL;
	memcpy(text, &key.id, sizeof(key.id));
	memcpy(text + sizeof(key.id), key.name, len);
	HASH_FIND(hh, keys->all, text, sizeof(key.id) + len, state);
	return state;
}

struct outbox_key_state *outbox_keys_get(struct outbox_keys *keys, struct outbox_key key)
{
	struct outbox_key_state *state = outbox_keys_find(keys, key);
	size_t len = strlen(key.name);

	if (state)
		return state;
	state = calloc(1, sizeof(*state) + sizeof(key.id) + len);
	if (!state)
		return NULL;
	state->tail = &state->first;
	state->id = key.id;
	state->hash_len = sizeof(key.id) + len;
	memcpy(state->name, &key.id, sizeof(key.id));
	memcpy(state->name + sizeof(key.id), key.name, len);
	HASH_ADD_KEYPTR(hh, keys->all, state->name, state->hash_len, state);
	return state;
}

/* Out of the list of the settled, its value forgotten. */
static void unsettle(struct outbox_keys *keys, struct outbox_key_state *state)
{
	if (!state->settled)
		return;
	if (state->older)
		state->older->newer = state->newer;
	else
		keys->oldest = state->newer;
	if (state->newer)
		state->newer->older = state->older;
	else
		keys->newest = state->older;
	state->older = state->newer = NULL;
	state->settled = outbox_entry_free(state->settled);
	keys->settled--;
}

void outbox_keys_release(struct outbox_keys *keys, struct outbox_key_state *state)
{
	if (state->straight || state->entries || state->first || state->settled)
		return;
	HASH_DEL(keys->all, state);
	free(state);
}

void outbox_keys_settle(struct outbox_keys *keys, struct outbox_key_state *state, struct outbox_entry *entry,
			uint64_t now_ns)
{
	unsettle(keys, state);
	state->settled = entry;
	state->settled_ns = now_ns;
	state->older = keys->newest;
	if (keys->newest)
		keys->newest->newer = state;
	else
		keys->oldest = state;
	keys->newest = state;
	keys->settled++;
	outbox_keys_sweep(keys, now_ns);
}

void outbox_keys_sweep(struct outbox_keys *keys, uint64_t now_ns)
{
	struct outbox_key_state *state;

	while ((state = keys->oldest) &&
	       (keys->settled > OUTBOX_SETTLED_MAX || now_ns - state->settled_ns > OUTBOX_SETTLED_NS)) {
		unsettle(keys, state);
		outbox_keys_release(keys, state);
	}
}

void outbox_keys_finish(struct outbox_keys *keys)
{
	struct outbox_key_state *state, *next;

	HASH_ITER (hh, keys->all, state, next) {
		unsettle(keys, state);
		HASH_DEL(keys->all, state);
		free(state);
	}
}
