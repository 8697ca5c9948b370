/* SPDX-License-Identifier: MIT */
/* What to do about a close code of the gateway: one table. Source: discord-facts section 5, "Close codes". */
#ifndef SHOAL_GATEWAY_CLOSE_CODE_H
#define SHOAL_GATEWAY_CLOSE_CODE_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/control/exit_code.h"

enum close_action {
	CLOSE_ACTION_RESUME,   /* back off, RESUME */
	CLOSE_ACTION_IDENTIFY, /* the session is gone: forget it, back off, IDENTIFY */
	CLOSE_ACTION_FATAL,    /* repeating changes nothing */
	CLOSE_ACTION_COUNT,
};

struct close_code_row {
	uint16_t code; /* 0: the row of all others */
	enum close_action action;
	enum exit_code exit_code; /* FATAL only */
	uint32_t pause_ms; /* wait at least so long before the next connection; longer when it comes again soon */
	bool our_fault;    /* we sent something wrong: logged as an error */
	const char *name;
	const char *text; /* a sentence for people; for FATAL what to do */
};

/* Never NULL: codes that are not listed, and no code (1005, 1006, 0), have rows too. */
const struct close_code_row *close_code_find(unsigned int code);

/* Codes that we close with. All but LOGOUT leave the session resumable (section 5, "Close codes you send"). */
enum close_code_ours {
	CLOSE_CODE_LOGOUT = 1000,
	CLOSE_CODE_LEAVE = 4000,       /* stop, reconnect, op 7, op 9 */
	CLOSE_CODE_ZOMBIE = 4900,      /* no heartbeat ACK */
	CLOSE_CODE_BAD_FRAME = 4901,   /* RFC 6455 broken */
	CLOSE_CODE_BAD_PAYLOAD = 4902, /* compression, JSON, UTF-8 */
	CLOSE_CODE_TOO_LARGE = 4903,
	CLOSE_CODE_TIMEOUT = 4904, /* no HELLO, no READY in time */
	CLOSE_CODE_BACKLOG = 4905, /* we can't take more now */
};

#endif
