/* The key ring and sealing. A sealed value is {format 1, key id, nonce, ciphertext with tag}; everything before the
 * ciphertext, and the place, is authenticated with it. Must not log, and must not leave a key or a plain text in memory
 * that it frees. */
#include "shared/secrets/keyring.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"

#define FORMAT    1
#define KEY_BYTES crypto_aead_xchacha20poly1305_ietf_KEYBYTES
#define NONCE     crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG       crypto_aead_xchacha20poly1305_ietf_ABYTES
#define HEAD      (1 + 8 + NONCE)
#define B64       sodium_base64_VARIANT_ORIGINAL
#define PLACE_MAX 256

_Static_assert(HEAD + TAG == SEAL_OVERHEAD, "the overhead in the header is not the one here");

struct key {
	uint64_t id;
	uint8_t bytes[KEY_BYTES];
};

struct keyring {
	size_t count;
	struct key keys[KEYRING_MAX];
};

struct keyring *keyring_free(struct keyring *ring)
{
	sodium_free(ring); /* wipes and unlocks */
	return NULL;
}

void keyring_freep(struct keyring **ring)
{
	*ring = keyring_free(*ring);
}

/* sodium_malloc() locks it, keeps it out of core dumps, and puts guard pages around. */
static struct keyring *ring_new(void)
{
	struct keyring *ring;

	if (sodium_init() < 0)
		return NULL;
	ring = sodium_malloc(sizeof(*ring));
	if (ring)
		memset(ring, 0, sizeof(*ring));
	return ring;
}

static const struct key *find(const struct keyring *ring, uint64_t id)
{
	for (size_t i = 0; ring && i < ring->count; i++)
		if (ring->keys[i].id == id)
			return &ring->keys[i];
	return NULL;
}

static bool read_id(const char *text, size_t len, uint64_t *ret_id)
{
	char copy[KEYRING_ID_SIZE];

	if (len != KEYRING_ID_SIZE - 1 || strspn(text, "0123456789abcdef") < len)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	*ret_id = strtoull(copy, NULL, 16);
	return *ret_id != 0;
}

static int add_key(struct keyring *ring, const char *id, size_t id_len, const char *key, size_t key_len,
		   char error[KEYRING_ERROR_SIZE])
{
	struct key *to = &ring->keys[ring->count];
	size_t len = 0;
	uint64_t number;

	if (ring->count == KEYRING_MAX) {
		snprintf(error, KEYRING_ERROR_SIZE, "more than %d keys", KEYRING_MAX);
		return -EINVAL;
	}
	if (!read_id(id, id_len, &number)) {
		snprintf(error, KEYRING_ERROR_SIZE, "key %zu has no id of 16 hexadecimal digits before it",
			 ring->count + 1);
		return -EINVAL;
	}
	if (find(ring, number)) {
		snprintf(error, KEYRING_ERROR_SIZE, "the id %016" PRIx64 " stands there twice", number);
		return -EINVAL;
	}
	if (sodium_base642bin(to->bytes, sizeof(to->bytes), key, key_len, NULL, &len, NULL, B64) != 0 ||
	    len != sizeof(to->bytes)) {
		sodium_memzero(to->bytes, sizeof(to->bytes));
		snprintf(error, KEYRING_ERROR_SIZE, "key %016" PRIx64 " is not 32 bytes in base64", number);
		return -EINVAL;
	}
	to->id = number;
	ring->count++;
	return 0;
}

#define GAPS " \t\r\n,"

/* The next word; its length, 0 at the end. */
static size_t next_word(const char **at)
{
	for (;;) {
		*at += strspn(*at, GAPS);
		if (**at != '#')
			return strcspn(*at, GAPS);
		*at += strcspn(*at, "\n");
	}
}

int keyring_parse(const char *text, struct keyring **ret_ring, char error[KEYRING_ERROR_SIZE])
{
	CLEANUP(keyring_freep) struct keyring *ring = ring_new();
	const char *id, *key;
	size_t id_len, key_len;
	int r;

	error[0] = '\0';
	if (!ring)
		return -ENOMEM;
	for (key = text ? text : ""; (id_len = next_word(&key)) > 0; key += key_len) {
		id = key;
		key += id_len;
		key_len = next_word(&key);
		r = add_key(ring, id, id_len, key, key_len, error);
		if (r < 0)
			return r;
	}
	*ret_ring = TAKE(ring);
	return 0;
}

size_t keyring_count(const struct keyring *ring)
{
	return ring ? ring->count : 0;
}

void keyring_id(const struct keyring *ring, size_t i, char text[KEYRING_ID_SIZE])
{
	snprintf(text, KEYRING_ID_SIZE, "%016" PRIx64, i < keyring_count(ring) ? ring->keys[i].id : 0);
}

uint64_t keyring_first_id(const struct keyring *ring)
{
	return keyring_count(ring) ? ring->keys[0].id : 0;
}

bool keyring_has(const struct keyring *ring, uint64_t id)
{
	return find(ring, id) != NULL;
}

int keyring_make_line(char line[KEYRING_LINE_SIZE])
{
	uint8_t bytes[KEY_BYTES];
	uint64_t id = 0;
	int len;

	if (sodium_init() < 0)
		return -EIO;
	while (id == 0)
		randombytes_buf(&id, sizeof(id));
	randombytes_buf(bytes, sizeof(bytes));
	len = snprintf(line, KEYRING_LINE_SIZE, "%016" PRIx64 " ", id);
	sodium_bin2base64(line + len, KEYRING_LINE_SIZE - (size_t)len, bytes, sizeof(bytes), B64);
	sodium_memzero(bytes, sizeof(bytes));
	return 0;
}

/* --- sealing ------------------------------------------------------------------------------------------------------ */

static void put_u64(uint8_t *to, uint64_t number)
{
	for (int i = 0; i < 8; i++)
		to[i] = (uint8_t)(number >> (56 - 8 * i));
}

static uint64_t get_u64(const uint8_t *from)
{
	uint64_t number = 0;

	for (int i = 0; i < 8; i++)
		number = number << 8 | from[i];
	return number;
}

/* What is authenticated beside the text: the head before the nonce, then the place, each text with its NUL so that
 * nothing can be shifted between two. -EINVAL: too long. */
static int write_place(const uint8_t *head, const struct seal_place *place, uint8_t out[PLACE_MAX], size_t *ret_len)
{
	size_t table = strlen(place->table) + 1, name = strlen(place->name) + 1, len = 9 + 24 + table + name;

	if (len > PLACE_MAX)
		return -EINVAL;
	memcpy(out, head, 9);
	put_u64(out + 9, place->guild_id);
	put_u64(out + 17, place->channel_id);
	put_u64(out + 25, place->user_id);
	memcpy(out + 33, place->table, table);
	memcpy(out + 33 + table, place->name, name);
	*ret_len = len;
	return 0;
}

int keyring_seal(const struct keyring *ring, const struct seal_place *place, const char *text, size_t len,
		 uint8_t *sealed, size_t *ret_len)
{
	uint8_t data[PLACE_MAX];
	unsigned long long out = 0;
	size_t data_len;
	int r;

	if (keyring_count(ring) == 0)
		return -SHOAL_ENOKEY;
	if (len > SEAL_TEXT_MAX)
		return -EMSGSIZE;
	sealed[0] = FORMAT;
	put_u64(sealed + 1, ring->keys[0].id);
	randombytes_buf(sealed + 9, NONCE); /* 192 bits: chance never repeats one */
	r = write_place(sealed, place, data, &data_len);
	if (r < 0)
		return r;
	crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + HEAD, &out, (const uint8_t *)text, len, data, data_len,
						   NULL, sealed + 9, ring->keys[0].bytes);
	*ret_len = HEAD + (size_t)out;
	return 0;
}

uint64_t seal_key_id(const uint8_t *sealed, size_t len)
{
	return len >= SEAL_OVERHEAD && sealed[0] == FORMAT ? get_u64(sealed + 1) : 0;
}

int keyring_open(const struct keyring *ring, const struct seal_place *place, const uint8_t *sealed, size_t len,
		 char *text, size_t *ret_len)
{
	uint8_t data[PLACE_MAX];
	unsigned long long out = 0;
	const struct key *key;
	size_t data_len;
	int r;

	if (len < SEAL_OVERHEAD || len > SEAL_TEXT_MAX + SEAL_OVERHEAD || sealed[0] != FORMAT)
		return -EPROTO;
	key = find(ring, get_u64(sealed + 1));
	if (!key)
		return -SHOAL_ENOKEY;
	r = write_place(sealed, place, data, &data_len);
	if (r < 0)
		return r;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt((uint8_t *)text, &out, NULL, sealed + HEAD, len - HEAD, data,
						       data_len, sealed + 9, key->bytes) != 0)
		return -EBADMSG;
	text[out] = '\0';
	*ret_len = (size_t)out;
	return 0;
}
