/* What Discord tells the supervisor before shards can start: GET /gateway/bot, /applications/@me, /users/@me; asked
 * with back-off until they answer, the first one again now and then. Loop thread only. Source: discord-facts.md
 * section 2. */
#ifndef SHOAL_SUPERVISOR_UPSTREAM_H
#define SHOAL_SUPERVISOR_UPSTREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/board/board.h"
#include "shared/control/exit_code.h"
#include "shared/discord/rest.h"
#include "shared/loop/loop.h"
#include "supervisor/ledger.h"

#define UPSTREAM_BACKOFF_FLOOR_MS 500
#define UPSTREAM_BACKOFF_CAP_MS   30000
#define UPSTREAM_REFRESH_MS       300000
/* When the ledger waits for a new window it asks sooner, yet not faster than this. */
#define UPSTREAM_REFRESH_FLOOR_MS 15000

struct upstream;

struct upstream_info {
	char gateway_url[BOARD_URL_SIZE];
	struct ledger_limits limits;
	uint32_t recommended;
	uint64_t application_id;
	uint64_t application_flags;
	uint64_t user_id;
	uint64_t guilds; /* approximate, 0: not told */
};

struct upstream_events {
	/* All three have answered for the first time. */
	void (*complete)(void *arg, const struct upstream_info *info);
	/* GET /gateway/bot answered; it was asked at @asked_ns (boottime). Also before `complete`. */
	void (*gateway)(void *arg, const struct upstream_info *info, uint64_t asked_ns);
	/* No answer, or none of use: asked again in @wait_ms. @text for a person. */
	void (*waiting)(void *arg, const char *text, uint64_t wait_ms);
	/* Discord refused the token: asking again changes nothing. */
	void (*refused)(void *arg, const char *text);
};

/* Keeps @loop and @rest. Asks at once. -ENOMEM. */
int upstream_new(struct loop *loop, struct rest *rest, const struct upstream_events *events, void *arg,
		 struct upstream **ret_upstream);
/* Asks for /gateway/bot again, unless it was asked less than UPSTREAM_REFRESH_FLOOR_MS ago or is being asked. */
void upstream_refresh(struct upstream *upstream);
bool upstream_is_complete(const struct upstream *upstream);
const struct upstream_info *upstream_info(const struct upstream *upstream);
/* Cancels what is open; the memory goes when libuv is done. Before rest_close(). NULL is nothing to do. */
void upstream_close(struct upstream *upstream);

/* The readers of the three answers; pure. -EBADMSG: not what it should be, *ret_info is untouched then. */
int upstream_read_gateway(const json_t *body, struct upstream_info *ret_info);
int upstream_read_application(const json_t *body, struct upstream_info *ret_info);
int upstream_read_self(const json_t *body, struct upstream_info *ret_info);

#endif
