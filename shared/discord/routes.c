/* Routes: fills path templates and names what belongs to a route. The table itself is in the header, so that its rows
 * and their enumerators cannot drift apart. Must not know anything of HTTP or of limits in force. */
#include "shared/discord/routes.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define DISCORD_EPOCH_MS 1420070400000LL
#define YOUNG_MS         10000LL
#define OLD_MS           (14LL * 24 * 3600 * 1000)

const char *const route_id_names[ROUTE_ID_COUNT] = {
	[ROUTE_ID_CHANNEL] = "channel", [ROUTE_ID_GUILD] = "guild",
	[ROUTE_ID_MESSAGE] = "message", [ROUTE_ID_USER] = "user",
	[ROUTE_ID_ROLE] = "role",       [ROUTE_ID_APPLICATION] = "application",
	[ROUTE_ID_COMMAND] = "command", [ROUTE_ID_INTERACTION] = "interaction",
	[ROUTE_ID_WEBHOOK] = "webhook", [ROUTE_ID_OVERWRITE] = "overwrite",
};

const char *const route_method_names[ROUTE_METHOD_COUNT] = {
	[ROUTE_GET] = "GET",     [ROUTE_POST] = "POST",     [ROUTE_PUT] = "PUT",
	[ROUTE_PATCH] = "PATCH", [ROUTE_DELETE] = "DELETE",
};

const char *const route_repeat_names[ROUTE_REPEAT_COUNT] = {
	[ROUTE_SAFE] = "safe",
	[ROUTE_NONCE] = "nonce",
	[ROUTE_CHECK] = "check",
	[ROUTE_NEVER] = "never",
};

/* The flags as the table writes them. */
enum {
	NO_AUTH = ROUTE_NO_AUTH,
	NO_GLOBAL = ROUTE_NO_GLOBAL,
	INTERACTION = ROUTE_INTERACTION,
	AUDIT = ROUTE_AUDIT,
	ESSENTIAL = ROUTE_ESSENTIAL,
	BODY = ROUTE_BODY,
	ORDERED = ROUTE_ORDERED,
	BY_AGE = ROUTE_BY_AGE,
};

const struct route_row route_rows[ROUTE_COUNT] = {
#define X(name_, method_, path_, repeat_, check_, flags_) \
	[ROUTE_##name_] = { .name = #name_,               \
			    .method = ROUTE_##method_,    \
			    .repeat = ROUTE_##repeat_,    \
			    .check = ROUTE_##check_,      \
			    .flags = (flags_),            \
			    .path = (path_) },
	ROUTE_TABLE(X)
#undef X
};

int route_find(const char *name)
{
	for (int i = 0; i < ROUTE_COUNT; i++)
		if (strcmp(route_rows[i].name, name) == 0)
			return i;
	return -EINVAL;
}

int route_encode(struct buf *out, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t start = out->len;

	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		char triple[3] = { '%', hex[*p >> 4], hex[*p & 15] };
		bool plain = (*p < 0x80 && isalnum(*p)) || strchr("-._~", *p);
		int r = plain ? buf_append_char(out, (char)*p) : buf_append(out, triple, sizeof(triple));

		if (r < 0) {
			out->len = start;
			return r;
		}
	}
	return 0;
}

/* Appends the value of the placeholder whose name is @len bytes at @name. */
static int append_param(struct buf *out, const char *name, size_t len, const struct route_args *args)
{
	const char *text = NULL;

	for (int i = 0; i < ROUTE_ID_COUNT; i++)
		if (strlen(route_id_names[i]) == len && memcmp(route_id_names[i], name, len) == 0)
			return args->ids[i] ? buf_printf(out, "%" PRIu64, args->ids[i]) : -EINVAL;
	if (len == 5 && memcmp(name, "token", 5) == 0)
		text = args->token;
	else if (len == 5 && memcmp(name, "emoji", 5) == 0)
		text = args->emoji;
	return text && *text ? route_encode(out, text) : -EINVAL;
}

/* Appends @template up to (not with) @end, placeholders filled. On failure @out is as before. */
static int fill(struct buf *out, const char *template, const char *end, const struct route_args *args)
{
	size_t start = out->len;
	int r = 0;

	while (template <end &&r >= 0) {
		const char *brace = memchr(template, '{', (size_t)(end - template));
		const char *close;

		if (!brace) {
			r = buf_append(out, template, (size_t)(end - template));
			break;
		}
		close = memchr(brace, '}', (size_t)(end - brace));
		if (!close) {
			r = -EINVAL;
			break;
		}
		r = buf_append(out, template, (size_t)(brace - template));
		if (r >= 0)
			r = append_param(out, brace + 1, (size_t)(close - brace - 1), args);
		template = close + 1;
	}
	if (r < 0)
		out->len = start;
	return r < 0 ? r : 0;
}

int route_path(enum route route, const struct route_args *args, struct buf *path)
{
	if (route < 0 || route >= ROUTE_COUNT)
		return -EINVAL;
	return fill(path, route_rows[route].path, route_rows[route].path + strlen(route_rows[route].path), args);
}

int route_major(enum route route, const struct route_args *args, struct buf *major)
{
	static const char *const tops[] = { "/channels/", "/guilds/", "/webhooks/" };
	const char *path, *end;

	if (route < 0 || route >= ROUTE_COUNT)
		return -EINVAL;
	path = route_rows[route].path;
	for (size_t i = 0; i < ARRAY_SIZE(tops); i++) {
		if (strncmp(path, tops[i], strlen(tops[i])) != 0)
			continue;
		path += strlen(tops[i]);
		end = strchrnul(path, '/');
		if (strncmp(end, "/{token}", 8) == 0)
			end += 8;
		return fill(major, path, end, args);
	}
	return 0;
}

unsigned route_variant(enum route route, const struct route_args *args, int64_t now_wall_ms)
{
	int64_t age_ms;

	if (route < 0 || route >= ROUTE_COUNT || !(route_rows[route].flags & ROUTE_BY_AGE))
		return 0;
	age_ms = now_wall_ms - ((int64_t)(args->ids[ROUTE_ID_MESSAGE] >> 22) + DISCORD_EPOCH_MS);
	return age_ms < YOUNG_MS ? 0 : age_ms < OLD_MS ? 1 : 2;
}
