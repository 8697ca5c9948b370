/* Keys for what is stored encrypted, and the sealing itself (libsodium, XChaCha20-Poly1305). Several keys: the first
 * encrypts, all decrypt. Keys lie in memory that is locked, out of core dumps, and wiped when freed. What is sealed is
 * bound to its place (whose, where, by what name): moved to another row, it does not open.
 *
 * As text: one key a line, "<id> <key>": 16 hexadecimal digits and base64 of 32 bytes; '#' begins a comment. Spaces and
 * commas serve as line ends too. Loop thread only. */
#ifndef SHOAL_SHARED_SECRETS_KEYRING_H
#define SHOAL_SHARED_SECRETS_KEYRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYRING_MAX        16
#define KEYRING_ID_SIZE    17 /* text with its NUL */
#define KEYRING_LINE_SIZE  80
#define KEYRING_ERROR_SIZE 160
#define SEAL_OVERHEAD      (1 + 8 + 24 + 16) /* format, key id, nonce, tag */
#define SEAL_TEXT_MAX      (32 * 1024)

struct keyring;

/* "" or NULL: an empty ring, which is no error. -EINVAL with words (never a key's text) for a malformed line, an id
 * that is there twice, or too many; -ENOMEM. */
int keyring_parse(const char *text, struct keyring **ret_ring, char error[KEYRING_ERROR_SIZE]);
struct keyring *keyring_free(struct keyring *ring); /* NULL in, NULL out */
void keyring_freep(struct keyring **ring);

size_t keyring_count(const struct keyring *ring); /* NULL: 0 */
/* The id of key @i as text. */
void keyring_id(const struct keyring *ring, size_t i, char text[KEYRING_ID_SIZE]);
bool keyring_has(const struct keyring *ring, uint64_t id);
/* A fresh key as a line of the text above, without a line end. The caller wipes it. */
int keyring_make_line(char line[KEYRING_LINE_SIZE]);

/* Where a sealed value belongs. All of it counts. */
struct seal_place {
	const char *table; /* "setting", "user_setting": one for what may be copied between them (a history) */
	uint64_t guild_id, channel_id, user_id;
	const char *name;
};

/* Encrypts with the first key into @sealed (room for @len + SEAL_OVERHEAD). -SHOAL_ENOKEY: there is none; -EMSGSIZE. */
int keyring_seal(const struct keyring *ring, const struct seal_place *place, const char *text, size_t len,
		 uint8_t *sealed, size_t *ret_len);
/* Opens into @text (room for @len - SEAL_OVERHEAD + 1; NUL-terminated). -SHOAL_ENOKEY: sealed with a key that is not in
 * the ring; -EBADMSG: damaged, moved from another place, or the key of that id is another one; -EPROTO: none of ours.
 */
int keyring_open(const struct keyring *ring, const struct seal_place *place, const uint8_t *sealed, size_t len,
		 char *text, size_t *ret_len);
/* The id of the key that it was sealed with; 0: none of ours. */
uint64_t seal_key_id(const uint8_t *sealed, size_t len);
uint64_t keyring_first_id(const struct keyring *ring); /* 0: empty */

#endif
