/* The phrases, out of their rows. Data only. */
#include "shard/modules/remind/phrases.h"

SHOAL_PHRASES_DEFINE(remind_phrases, REMIND_PHRASES);
