/* The phrases, out of their rows. Data only. */
#include "shard/modules/admin/texts.h"

#define P(id, en, de, es, it) const struct shoal_phrase admin_##id = SHOAL_PHRASE(en, de, es, it);
ADMIN_TEXTS(P)
#undef P
