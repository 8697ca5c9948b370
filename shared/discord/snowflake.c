/* SPDX-License-Identifier: MIT */
/* Snowflakes to and from decimal text. Pure functions, used everywhere. An id must never pass through a double. */
#include <shoal/snowflake.h>

#include <errno.h>

int shoal_snowflake_parse(const char *text, size_t len, uint64_t *ret_id)
{
	uint64_t id = 0;

	if (len == 0)
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if (__builtin_mul_overflow(id, UINT64_C(10), &id) ||
		    __builtin_add_overflow(id, (uint64_t)(text[i] - '0'), &id))
			return -ERANGE;
	*ret_id = id;
	return 0;
}

size_t shoal_snowflake_print(uint64_t id, char text[SHOAL_SNOWFLAKE_TEXT_MAX])
{
	char digits[SHOAL_SNOWFLAKE_TEXT_MAX];
	size_t count = 0;

	do
		digits[count++] = (char)('0' + id % 10);
	while ((id /= 10) != 0);
	for (size_t i = 0; i < count; i++)
		text[i] = digits[count - 1 - i];
	text[count] = '\0';
	return count;
}
