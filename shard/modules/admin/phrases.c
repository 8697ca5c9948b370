/* The phrases, out of their rows. Data only. */
#include "shard/modules/admin/phrases.h"

SHOAL_PHRASES_DEFINE(admin_phrases, ADMIN_PHRASES);
