/* The phrases, out of their rows. Data only. */
#include "shard/modules/utility/texts.h"

#define P(id, en, de, es, it) const struct shoal_phrase utility_##id = SHOAL_PHRASE(en, de, es, it);
UTILITY_TEXTS(P)
#undef P
