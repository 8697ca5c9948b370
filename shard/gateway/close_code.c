/* SPDX-License-Identifier: MIT */
/* The gateway's close codes and what each asks of us. Read by the session; nothing here acts. */
#include "shard/gateway/close_code.h"

#include <stddef.h>

#include "shared/base/cleanup.h"

/* The 120 sends are counted by connection, so a new one has all of them; but who comes back too often is locked out, so
 * a second 4008 soon after waits ever longer (session_link.c). */
#define RATE_LIMITED_PAUSE_MS 2000

/* clang-format off */
static const struct close_code_row rows[] = {
	{ 1000, CLOSE_ACTION_RESUME, 0, 0, false, "normal",
	  "the server ended the connection normally" },
	{ 1001, CLOSE_ACTION_RESUME, 0, 0, false, "going_away",
	  "the server is going away" },
	{ 1005, CLOSE_ACTION_RESUME, 0, 0, false, "no_code",
	  "the server closed without a code" },
	{ 1006, CLOSE_ACTION_RESUME, 0, 0, false, "abnormal",
	  "the connection broke" },
	{ 4000, CLOSE_ACTION_RESUME, 0, 0, false, "unknown_error",
	  "Discord had an error that it does not explain" },
	{ 4001, CLOSE_ACTION_RESUME, 0, 0, true, "unknown_opcode",
	  "we sent an opcode that Discord does not know, or a wrong payload for it" },
	{ 4002, CLOSE_ACTION_RESUME, 0, 0, true, "decode_error",
	  "we sent a payload that Discord could not decode, or one over 4096 bytes" },
	{ 4003, CLOSE_ACTION_IDENTIFY, 0, 0, true, "not_authenticated",
	  "we sent something before IDENTIFY, or Discord invalidated the session" },
	{ 4004, CLOSE_ACTION_FATAL, EXIT_CODE_TOKEN, 0, false, "authentication_failed",
	  "Discord refused the token: set discord.token to the one shown on the application's Bot page" },
	{ 4005, CLOSE_ACTION_IDENTIFY, 0, 0, true, "already_authenticated",
	  "we identified twice on one connection" },
	{ 4007, CLOSE_ACTION_IDENTIFY, 0, 0, false, "invalid_sequence",
	  "the sequence of our RESUME was not accepted" },
	{ 4008, CLOSE_ACTION_RESUME, 0, RATE_LIMITED_PAUSE_MS, true, "rate_limited",
	  "we sent more than 120 payloads in 60 s" },
	/* The docs ask for a new session; a RESUME costs one round trip and saves an IDENTIFY when it works. */
	{ 4009, CLOSE_ACTION_RESUME, 0, 0, false, "session_timed_out",
	  "the session timed out" },
	{ 4010, CLOSE_ACTION_FATAL, EXIT_CODE_SHARDING, 0, false, "invalid_shard",
	  "Discord refused the shard: discord.shard_count must be a multiple of what GET /gateway/bot recommends" },
	{ 4011, CLOSE_ACTION_FATAL, EXIT_CODE_SHARDING, 0, false, "sharding_required",
	  "this shard would have over 2500 guilds: raise discord.shard_count, or set it to auto" },
	{ 4012, CLOSE_ACTION_FATAL, EXIT_CODE_API_VERSION, 0, false, "invalid_api_version",
	  "Discord no longer speaks gateway v10: a newer shoal is needed" },
	{ 4013, CLOSE_ACTION_FATAL, EXIT_CODE_INTENTS, 0, false, "invalid_intents",
	  "discord.intents holds a bit that is no intent" },
	{ 4014, CLOSE_ACTION_FATAL, EXIT_CODE_INTENTS, 0, false, "disallowed_intents",
	  "discord.intents asks for a privileged intent that is not switched on on the application's Bot page" },
};
/* clang-format on */

static const struct close_code_row other = {
	0, CLOSE_ACTION_RESUME, 0, 0, false, "other", "the server closed with a code that is not documented"
};

const struct close_code_row *close_code_find(unsigned int code)
{
	if (!code)
		code = 1006;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].code == code)
			return &rows[i];
	}
	return &other;
}
