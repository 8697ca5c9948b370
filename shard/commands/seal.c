/* Making and checking seals. Must not tell by its time how much of a seal was right. */
#include "shard/commands/seal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#define SEAL_CHARS 11 /* 8 bytes in base64 without padding */
#define REST_SEP   ":"

static unsigned char key[crypto_shorthash_KEYBYTES];
static bool has_key;

void seal_set_token(const char *token)
{
	static const unsigned char purpose[] = "shoal custom ids";
	crypto_generichash_state state;

	crypto_generichash_init(&state, purpose, sizeof(purpose) - 1, sizeof(key));
	crypto_generichash_update(&state, (const unsigned char *)token, strlen(token));
	crypto_generichash_final(&state, key, sizeof(key));
	has_key = true;
}

static void print_seal(const struct shoal_component_row *row, uint64_t guild_id, uint64_t user_id,
		       struct shoal_str rest, char seal[SEAL_CHARS + 1])
{
	bool own = row->flags & SHOAL_COMPONENT_OWN;
	uint64_t ids[2] = { guild_id, own ? user_id : 0 };
	unsigned char text[sizeof(ids) + 2 * (SHOAL_CUSTOM_ID_MAX + 1)], hash[crypto_shorthash_BYTES];
	size_t prefix_len = strlen(row->prefix), len = sizeof(ids);

	if (!has_key) {
		randombytes_buf(key, sizeof(key));
		has_key = true;
	}
	memcpy(text, ids, sizeof(ids));
	memcpy(text + len, row->prefix, prefix_len + 1); /* its NUL keeps it apart from what follows */
	len += prefix_len + 1;
	if (rest.len)
		memcpy(text + len, rest.ptr, rest.len);
	crypto_shorthash(hash, text, len + rest.len, key);
	sodium_bin2base64(seal, SEAL_CHARS + 1, hash, sizeof(hash), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static bool wants_seal(const struct shoal_component_row *row)
{
	return row->flags & (SHOAL_COMPONENT_SEALED | SHOAL_COMPONENT_OWN);
}

int seal_print(const struct shoal_component_row *row, uint64_t guild_id, uint64_t user_id, const char *rest, char *text)
{
	struct shoal_str tail = { rest ? rest : "", rest ? (uint32_t)strlen(rest) : 0 };
	char seal[SEAL_CHARS + 1] = "";
	size_t len = strlen(row->prefix) + (wants_seal(row) ? 1 + SEAL_CHARS : 0) + (tail.len ? 1 + tail.len : 0);

	if (len > SHOAL_CUSTOM_ID_MAX)
		return -E2BIG;
	if (wants_seal(row))
		print_seal(row, guild_id, user_id, tail, seal);
	snprintf(text, SHOAL_CUSTOM_ID_MAX + 1, "%s%s%s%s%s", row->prefix, *seal ? "~" : "", seal,
		 tail.len ? REST_SEP : "", tail.ptr);
	return 0;
}

bool seal_holds(const struct shoal_component_row *row, struct shoal_str custom_id, uint64_t guild_id, uint64_t user_id)
{
	size_t at = strlen(row->prefix) + 1, end = at + SEAL_CHARS;
	struct shoal_str rest = SHOAL_STR("");
	char seal[SEAL_CHARS + 1];

	if (!wants_seal(row))
		return true;
	if (custom_id.len < end || custom_id.len > SHOAL_CUSTOM_ID_MAX || custom_id.ptr[at - 1] != '~' ||
	    (custom_id.len > end && custom_id.ptr[end] != REST_SEP[0]))
		return false;
	if (custom_id.len > end)
		rest = (struct shoal_str){ custom_id.ptr + end + 1, (uint32_t)(custom_id.len - end - 1) };
	print_seal(row, guild_id, user_id, rest, seal);
	return sodium_memcmp(seal, custom_id.ptr + at, SEAL_CHARS) == 0;
}
