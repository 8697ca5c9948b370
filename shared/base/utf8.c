/* Strict UTF-8. Any thread, no state. */
#include "shared/base/utf8.h"

#include "shared/base/cleanup.h"

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

/* What nobody sees, or what turns the text around it about. */
static const struct {
	uint32_t first, last;
} unseen[] = {
	{ 0x0000, 0x0020 }, { 0x007F, 0x00A0 }, { 0x00AD, 0x00AD }, { 0x034F, 0x034F },   { 0x061C, 0x061C },
	{ 0x115F, 0x1160 }, { 0x1680, 0x1680 }, { 0x17B4, 0x17B5 }, { 0x180B, 0x180F },   { 0x2000, 0x200F },
	{ 0x2028, 0x202F }, { 0x205F, 0x206F }, { 0x2800, 0x2800 }, { 0x3000, 0x3000 },   { 0x3164, 0x3164 },
	{ 0xFEFF, 0xFEFF }, { 0xFFA0, 0xFFA0 }, { 0xFFF0, 0xFFFC }, { 0x1D173, 0x1D17A }, { 0xE0000, 0xE0FFF },
};

bool utf8_is_unseen(uint32_t point)
{
	for (size_t i = 0; i < ARRAY_SIZE(unseen); i++) {
		if (point >= unseen[i].first && point <= unseen[i].last)
			return true;
	}
	return false;
}
