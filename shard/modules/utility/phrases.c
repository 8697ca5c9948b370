/* The phrases, out of their rows. Data only. */
#include "shard/modules/utility/phrases.h"

SHOAL_PHRASES_DEFINE(utility_phrases, UTILITY_PHRASES);
