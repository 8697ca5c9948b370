/* SPDX-License-Identifier: MIT */
/* All of test_envelope.c once more, against the code that processors without SSE2 run. */
#define JSON_PORTABLE 1
#include "shard/gateway/envelope.c"

#include "tests/unit/test_envelope.c"
