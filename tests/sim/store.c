/* The memory for messages. Members' messages keep the bytes that were sent and become objects only when REST asks. */
#include "tests/sim/store.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/map.h"
#include "tests/sim/options.h"
#include "tests/sim/util.h"

#define MESSAGES_MAX 100000
#define NONCE_MS     300000

struct nonce {
	uint64_t message_id, until_ms;
	char *text;
};

static struct map messages, newest, nonces; /* newest: channel id -> message id */
static uint64_t order[MESSAGES_MAX];
static uint64_t next_order, nonce_hits, nonce_swept_ms;

static void stored_free(struct stored *m)
{
	payload_unref(m->created);
	json_decref(m->json);
	free(m);
}

static struct stored *keep(uint64_t id, uint64_t channel_id, uint64_t guild_id, uint64_t author_id)
{
	struct stored *m = calloc(1, sizeof(*m));
	uint64_t *slot = &order[next_order++ % MESSAGES_MAX];

	if (!m)
		return NULL;
	if (*slot)
		store_remove(*slot);
	*slot = id;
	*m = (struct stored){ .id = id, .channel_id = channel_id, .guild_id = guild_id, .author_id = author_id };
	m->older = (uintptr_t)map_get(&newest, channel_id);
	if (map_put(&messages, id, m) < 0 || map_put(&newest, channel_id, (void *)(uintptr_t)id) < 0) {
		map_remove(&messages, id);
		free(m);
		return NULL;
	}
	return m;
}

void store_member_message(uint64_t id, uint64_t channel_id, uint64_t guild_id, uint64_t author_id, struct payload *p)
{
	struct stored *m = keep(id, channel_id, guild_id, author_id);

	if (m)
		m->created = payload_ref(p);
}

struct stored *store_bot_message(uint64_t id, uint64_t channel_id, uint64_t guild_id, json_t *json)
{
	struct stored *m = keep(id, channel_id, guild_id, options.application_id);

	if (!m) {
		json_decref(json);
		return NULL;
	}
	m->json = json;
	return m;
}

struct stored *store_find(uint64_t id)
{
	return map_get(&messages, id);
}

json_t *store_object(struct stored *m)
{
	if (!m->json && m->created)
		m->json = json_loadb(m->created->d, m->created->len, 0, NULL);
	return m->json;
}

json_t *store_json(struct stored *m)
{
	json_t *shown = json_copy(store_object(m));

	json_object_del(shown, "guild_id");
	json_object_del(shown, "member");
	json_object_del(shown, "channel_type");
	json_object_set_new(shown, "pinned", json_boolean(m->pinned));
	return shown;
}

void store_remove(uint64_t id)
{
	struct stored *m = map_get(&messages, id);

	if (!m)
		return;
	if ((uintptr_t)map_get(&newest, m->channel_id) == id) {
		if (m->older)
			map_put(&newest, m->channel_id, (void *)(uintptr_t)m->older);
		else
			map_remove(&newest, m->channel_id);
	}
	map_remove(&messages, id);
	stored_free(m);
}

uint64_t store_newest(uint64_t channel_id)
{
	return (uintptr_t)map_get(&newest, channel_id);
}

uint64_t store_count(void)
{
	return messages.used;
}

static uint64_t text_key(const char *text)
{
	uint64_t h = 1469598103934665603ULL;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 1099511628211ULL;
	return h ? h : 1;
}

uint64_t store_nonce_find(const char *text)
{
	struct nonce *n = map_get(&nonces, text_key(text));

	if (!n || mono_ms() >= n->until_ms || strcmp(n->text, text))
		return 0;
	nonce_hits++;
	return n->message_id;
}

static void nonce_free(struct nonce *n)
{
	if (n)
		free(n->text);
	free(n);
}

void store_nonce_put(const char *text, uint64_t message_id)
{
	struct nonce *n = calloc(1, sizeof(*n));

	if (!n)
		return;
	*n = (struct nonce){ message_id, mono_ms() + NONCE_MS, strdup(text) };
	nonce_free(map_remove(&nonces, text_key(text)));
	if (!n->text || map_put(&nonces, text_key(text), n) < 0)
		nonce_free(n);
}

uint64_t store_nonce_hits(void)
{
	return nonce_hits;
}

void store_tick(uint64_t now_ms)
{
	if (now_ms - nonce_swept_ms < 10000)
		return;
	nonce_swept_ms = now_ms;
	for (size_t i = 0; i < nonces.cap; i++) {
		while (nonces.slots[i].key && ((struct nonce *)nonces.slots[i].value)->until_ms <= now_ms)
			nonce_free(map_remove(&nonces, nonces.slots[i].key));
	}
}

void store_free(void)
{
	MAP_EACH(&messages, m)
	stored_free(m->value);
	MAP_EACH(&nonces, n)
	nonce_free(n->value);
	map_free(&messages);
	map_free(&newest);
	map_free(&nonces);
}
