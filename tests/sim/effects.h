/* Every REST request that the bot made, in the order in which they came, before anything is deduped or refused. The
 * ledger says what was answered; here stands how often it was asked. */
#ifndef SIM_EFFECTS_H
#define SIM_EFFECTS_H

#include <stdint.h>

#include <jansson.h>

struct rest_call;

enum effect_fate {
	EFFECT_NONE,    /* refused, broken, or nothing that changes anything */
	EFFECT_DONE,    /* something is there, or gone, that was not before */
	EFFECT_SAME,    /* it was so already */
	EFFECT_DEDUPED, /* a nonce that was known: the earlier one was shown */
	EFFECT_FATE_COUNT,
};

int effects_init(uint64_t max_rows);
void effects_free(void);
void effects_reset(void);

/* A request is here, whatever will be done with it. Returns its number, from 1. Which event is to blame follows from a
 * text "cause-<id>.<step>" in its body or audit reason, else from the interaction, the message, the member or the
 * reference that it names. */
uint64_t effects_arrived(const struct rest_call *c);
void effects_fate(uint64_t row, enum effect_fate fate, uint64_t made_id);
/* What kind of answer an interaction got; @what is a literal. */
void effects_what(uint64_t row, const char *what);
/* A fault that was ordered has struck it; @kind is a literal. */
void effects_fault(uint64_t row, const char *kind);
/* What it was answered; 0: nothing. */
void effects_ended(uint64_t row, int status, int code);

/* Rows after number @after, at most @limit. New reference. */
json_t *effects_json(uint64_t after, uint64_t limit);
/* All rows of one cause. New reference. */
json_t *effects_of(uint64_t cause);

#endif
