/* Strict UTF-8. Any thread, no state. */
#include "shared/base/utf8.h"

size_t utf8_decode(const char *text, uint32_t *ret_point)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)text;
	uint32_t point;
	size_t len;

	if (s[0] < 0x80) {
		*ret_point = s[0];
		return 1;
	}
	len = s[0] >= 0xF0 && s[0] < 0xF5 ? 4 : s[0] >= 0xE0 && s[0] < 0xF0 ? 3 : s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : 0;
	if (!len)
		return 0;
	point = s[0] & (0x7Fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xC0) != 0x80)
			return 0;
		point = point << 6 | (s[i] & 0x3Fu);
	}
	if (point < least[len] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000))
		return 0;
	*ret_point = point;
	return len;
}
