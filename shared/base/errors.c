/* Names and words for errno's numbers, libuv's extra ones, and our own. Any thread; static storage only. */
#include "shared/base/errors.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

#include <uv.h>

struct error_row {
	int error;
	const char *name;
	const char *text;
};

static const struct error_row own_rows[] = {
	{ SHOAL_EHTTP, "SHOAL_EHTTP", "the server answered with an HTTP error" },
	{ SHOAL_EDISCORD, "SHOAL_EDISCORD", "Discord answered with an error" },
	{ SHOAL_EREFUSED, "SHOAL_EREFUSED", "refused for good; repeating it changes nothing" },
	{ SHOAL_ERATE, "SHOAL_ERATE", "a rate limit would be exceeded" },
	{ SHOAL_EEXPIRED, "SHOAL_EEXPIRED", "its time is over" },
	{ SHOAL_EOFFLINE, "SHOAL_EOFFLINE", "the feature is off or its server is away" },
	{ SHOAL_EDAMAGED, "SHOAL_EDAMAGED", "stored bytes fail their check" },
	{ SHOAL_EVERSION, "SHOAL_EVERSION", "a version that this program does not speak" },
	{ SHOAL_EUNKNOWN, "SHOAL_EUNKNOWN", "it may or may not have happened" },
	{ SHOAL_ENOKEY, "SHOAL_ENOKEY", "the encryption key for it is not there" },
};
_Static_assert(sizeof(own_rows) / sizeof(own_rows[0]) == SHOAL_E_LAST - SHOAL_E_FIRST, "a row for every SHOAL_E");

/* libuv's numbers outside errno's range: these are all that its functions return besides. */
static const struct error_row uv_rows[] = {
#define X(name, text) { -UV_##name, #name, text },
	UV_ERRNO_MAP(X)
#undef X
};

static const struct error_row *find(int error)
{
	if (error >= SHOAL_E_FIRST && error < SHOAL_E_LAST)
		return &own_rows[error - SHOAL_E_FIRST];
	for (size_t i = 0; i < sizeof(uv_rows) / sizeof(uv_rows[0]); i++) {
		if (uv_rows[i].error == error)
			return &uv_rows[i];
	}
	return NULL;
}

static int magnitude(int error)
{
	/* INT_MIN has no positive; it is nobody's code either. */
	return error < 0 ? (error == INT_MIN ? INT_MAX : -error) : error;
}

const char *error_name(int error)
{
	const char *name;
	const struct error_row *row;

	if (error == 0)
		return "OK";
	error = magnitude(error);
	name = strerrorname_np(error);
	if (name)
		return name;
	row = find(error);
	return row ? row->name : "EUNRECOGNISED";
}

const char *error_text(int error)
{
	const char *text;
	const struct error_row *row;

	if (error == 0)
		return "success";
	error = magnitude(error);
	text = strerrordesc_np(error);
	if (text)
		return text;
	row = find(error);
	return row ? row->text : "an error with an unrecognised number";
}

/* Linux's numbers end here; those above 133 have no name. */
#define ERRNO_MAX 256

int error_from_name(const char *name)
{
	for (int error = 1; error < ERRNO_MAX; error++) {
		const char *known = strerrorname_np(error);

		if (known && strcmp(known, name) == 0)
			return error;
	}
	for (size_t i = 0; i < sizeof(own_rows) / sizeof(own_rows[0]); i++) {
		if (strcmp(own_rows[i].name, name) == 0)
			return own_rows[i].error;
	}
	return 0;
}
