/* Strokes at one open gateway connection; each takes the parameters of POST /fault. */
#ifndef SIM_HOSTILE_H
#define SIM_HOSTILE_H

#include "tests/sim/gateway.h"

#include <jansson.h>

void hostile_drop(struct gateway *g, const json_t *params);
void hostile_fin(struct gateway *g, const json_t *params);
void hostile_close(struct gateway *g, const json_t *params);
void hostile_half_open(struct gateway *g, const json_t *params);
void hostile_no_ack(struct gateway *g, const json_t *params);
void hostile_mute(struct gateway *g, const json_t *params);
void hostile_slow(struct gateway *g, const json_t *params);
void hostile_op1(struct gateway *g, const json_t *params);
void hostile_op7(struct gateway *g, const json_t *params);
void hostile_op9(struct gateway *g, const json_t *params);
void hostile_fragment(struct gateway *g, const json_t *params);
void hostile_split(struct gateway *g, const json_t *params);
void hostile_truncated(struct gateway *g, const json_t *params);
void hostile_bomb(struct gateway *g, const json_t *params);
void hostile_oversized(struct gateway *g, const json_t *params);
void hostile_lying(struct gateway *g, const json_t *params);
void hostile_masked(struct gateway *g, const json_t *params);
void hostile_reserved(struct gateway *g, const json_t *params);
void hostile_bad_opcode(struct gateway *g, const json_t *params);
void hostile_non_utf8(struct gateway *g, const json_t *params);
void hostile_malformed(struct gateway *g, const json_t *params);
void hostile_unknown(struct gateway *g, const json_t *params);

#endif
