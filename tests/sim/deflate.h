/* A text compressed once, with places in it that can still be changed: what GUILD_CREATE under zlib-stream is made of.
 */
#ifndef SIM_DEFLATE_H
#define SIM_DEFLATE_H

#include "tests/sim/buf.h"

enum deflate_hole_kind {
	HOLE_ID,    /* 19 digits: guild id | low */
	HOLE_INDEX, /* the guild's number with leading zeros */
};

struct deflate_hole {
	uint32_t offset; /* in the text; holes are in rising order and do not overlap */
	uint32_t low;
	uint16_t digits;
	enum deflate_hole_kind kind;
};

struct deflate_template;

/* Compresses @text (the `d` of a GUILD_CREATE). NULL when memory is short. Keeps nothing of the arguments. */
struct deflate_template *deflate_template_make(const char *text, size_t len, const struct deflate_hole *holes,
					       size_t hole_count);
void deflate_template_free(struct deflate_template *t);
/* Appends deflate blocks that inflate to {"t":"GUILD_CREATE","s":@seq,"op":0,"d":TEXT} with the holes filled, ending
 * in 00 00 FF FF and referring to nothing before themselves. */
void deflate_template_write(const struct deflate_template *t, uint64_t index, uint64_t guild_id, uint64_t seq,
			    struct buf *out);

#endif
