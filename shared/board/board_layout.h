/* How the board's pages lie in memory: read by programs of other versions, so nothing here may move. A stable core
 * grows at its end only, up to BOARD_REST_OFFSET (the inbox's head will come there); what follows is the versioned
 * rest. */
#ifndef SHOAL_SHARED_BOARD_BOARD_LAYOUT_H
#define SHOAL_SHARED_BOARD_BOARD_LAYOUT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/board/board.h"

#define BOARD_MAGIC       "SHOALBD"
#define BOARD_REST_OFFSET 4096
/* Room for counters: new ones are appended to the table and fit into files made by an older program. */
#define BOARD_COUNTERS_MAX        512
#define BOARD_MODULE_COUNTERS_MAX 16
#define BOARD_SHARD_SIZE          (BOARD_REST_OFFSET + 8192)
/* Behind the rest: the inbox, up to the end of the file. What lies in it is its owner's (shard/events/inbox.c). */
#define BOARD_INBOX_OFFSET BOARD_SHARD_SIZE
#define BOARD_HOST_SIZE    BOARD_REST_OFFSET
/* Cores of version 1. A core that grows (at its end; BOARD_CORE_VERSION is raised then) leaves these as they are: pages
 * of that version are read for ever, with zeros where they end. A field that an older program does not know may be
 * stale when one ran in between: pair it with what tells (a record's flip, a sequence). */
#define BOARD_SHARD_CORE_LEAST 1696
#define BOARD_HOST_CORE_LEAST  2520
/* No page of any version is larger: a header that says more is a lie. */
#define BOARD_SIZE_MAX (64u << 20)

/* Invalid requests are counted in windows of 30 s; 21 of them cover ten minutes whatever the moment. */
#define BOARD_INVALID_SLOTS     32
#define BOARD_INVALID_WINDOW_NS (30 * 1000000000ULL)
#define BOARD_INVALID_WINDOWS   21

/* Before each copy of a record. @crc covers length, serial and the data (zlib crc32). */
struct board_copy {
	uint32_t crc;
	uint32_t length;
	uint64_t serial;
};

struct board_page {
	struct board_header header;
	uint32_t header_crc; /* of the header */
	uint32_t core_size;  /* of the version that made the page; zeros lay beyond */
	uint64_t boot;       /* which boot the times below are of */
};

struct board_owner {
	uint32_t pid;
	uint32_t unused;
	uint64_t pid_start_ticks;
	char build_id[16];
};

struct board_owner_copy {
	struct board_copy copy;
	struct board_owner data;
};

struct board_session_copy {
	struct board_copy copy;
	struct board_session data;
};

struct board_exit_copy {
	struct board_copy copy;
	struct board_exit data;
};

struct board_ledger_copy {
	struct board_copy copy;
	struct board_ledger data;
};

struct board_module_words {
	_Atomic uint64_t name[BOARD_MODULE_NAME_SIZE / 8];
	_Atomic uint64_t state; /* trips << 32 | crashes << 8 | state */
	_Atomic uint64_t window_ns, until_ns;
	_Atomic uint64_t flags; /* 1: loading */
};

struct board_shard_core {
	struct board_page page;
	_Atomic uint64_t stamp;
	_Atomic uint64_t state;
	_Atomic uint64_t owner_flip; /* lowest bit: which copy counts */
	struct board_owner_copy owner[2];
	_Atomic uint64_t session_flip;
	struct board_session_copy session[2];
	_Atomic uint64_t sequence[2]; /* beside the session copy of the same index, so that one flip changes both */
	_Atomic uint64_t handled[2];
	_Atomic uint64_t exit_flip;
	struct board_exit_copy exit[2];
	_Atomic uint64_t applied[2]; /* beside the session copies, too; since version 2 */
	/* since version 3 */
	_Atomic uint64_t culprit; /* pid << 32 | kind << 16 | module; written last */
	_Atomic uint64_t culprit_session, culprit_sequence;
	struct board_module_words modules[BOARD_MODULES_MAX];
#if BOARD_CORE_GROWTH > 0
	_Atomic uint64_t growth[BOARD_CORE_GROWTH / 8];
#endif
};

struct board_shard_rest {
	_Atomic uint32_t version;
	_Atomic uint32_t counter_count;
	_Atomic uint64_t counters[BOARD_COUNTERS_MAX];
	_Atomic uint64_t module_counters[BOARD_MODULES_MAX][BOARD_MODULE_COUNTERS_MAX];
};

struct board_host_core {
	struct board_page page;
	_Atomic uint64_t token_invalid;
	_Atomic uint64_t rest_due; /* GCRA: when the budget would be whole again, boottime ns */
	_Atomic uint64_t rest_blocked_until;
	_Atomic uint64_t invalid[BOARD_INVALID_SLOTS]; /* window number << 32 | count */
	_Atomic uint64_t bucket_free[BOARD_LEDGER_BUCKETS];
	_Atomic uint64_t ledger_flip;
	struct board_ledger_copy ledger[2];
	_Atomic uint64_t discord_offset; /* ms, as an int64_t; 0: not known; since version 2 */
};

#define BOARD_AT(type_, member_, offset_) \
	_Static_assert(offsetof(struct type_, member_) == (offset_), #type_ "." #member_ " moved")
BOARD_AT(board_header, core_version, 8);
BOARD_AT(board_header, kind, 16);
BOARD_AT(board_header, rest_offset, 24);
BOARD_AT(board_header, shard_id, 28);
BOARD_AT(board_header, build_id, 40);
BOARD_AT(board_page, header_crc, 56);
BOARD_AT(board_page, core_size, 60);
BOARD_AT(board_page, boot, 64);
BOARD_AT(board_shard_core, stamp, 72);
BOARD_AT(board_shard_core, state, 80);
BOARD_AT(board_shard_core, owner_flip, 88);
BOARD_AT(board_shard_core, owner, 96);
BOARD_AT(board_shard_core, session_flip, 192);
BOARD_AT(board_shard_core, session, 200);
BOARD_AT(board_shard_core, sequence, 1064);
BOARD_AT(board_shard_core, handled, 1080);
BOARD_AT(board_shard_core, exit_flip, 1096);
BOARD_AT(board_shard_core, exit, 1104);
BOARD_AT(board_shard_core, culprit, 1712);
BOARD_AT(board_shard_core, modules, 1736);
BOARD_AT(board_shard_core, applied, 1696);
BOARD_AT(board_host_core, token_invalid, 72);
BOARD_AT(board_host_core, rest_due, 80);
BOARD_AT(board_host_core, rest_blocked_until, 88);
BOARD_AT(board_host_core, invalid, 96);
BOARD_AT(board_host_core, bucket_free, 352);
BOARD_AT(board_host_core, ledger_flip, 2400);
BOARD_AT(board_host_core, ledger, 2408);
BOARD_AT(board_host_core, discord_offset, 2520);
_Static_assert(sizeof(struct board_session) == 416 && sizeof(struct board_exit) == 280 &&
		       sizeof(struct board_ledger) == 40 && sizeof(struct board_owner) == 32,
	       "records have no padding: their bytes are checksummed");
_Static_assert(sizeof(struct board_shard_core) == 3272 + BOARD_CORE_GROWTH && sizeof(struct board_host_core) == 2528,
	       "core sizes");
_Static_assert(BOARD_COUNTER_COUNT <= BOARD_COUNTERS_MAX && BOARD_MODULE_COUNTER_COUNT <= BOARD_MODULE_COUNTERS_MAX,
	       "counters fit");
_Static_assert(sizeof(struct board_shard_rest) <= BOARD_SHARD_SIZE - BOARD_REST_OFFSET, "rest fits");
_Static_assert(sizeof(_Atomic uint64_t) == 8 && ATOMIC_LLONG_LOCK_FREE == 2, "words are shared between processes");

#endif
