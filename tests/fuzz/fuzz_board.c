/* libFuzzer's way into a board file that somebody scribbled on. The first byte says how: bit 0, the input is the whole
 * file; else it is scribbled over a good page in pieces {offset, length, bytes}; bit 1, the header's checksum is then
 * made right. Beside not crashing: what is read back holds, and creation always leaves a page that opens. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "shared/base/errors.h"
#include "shared/board/board.h"
#include "shared/board/board_layout.h"
#include "tests/unit/tmpdir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define GENERATION 1
#define SHARD      2
#define SHARDS     16

static char dir[TMPDIR_SIZE], path[TMPDIR_SIZE + 64], aside[TMPDIR_SIZE + 80];
static unsigned char good[BOARD_SHARD_SIZE];

static void remove_dir(void)
{
	tmpdir_remove(dir);
}

static void must(int condition)
{
	if (!condition)
		abort();
}

/* A page with a session, an owner and an exit, to scribble on. */
static void prepare(void)
{
	struct board_session session = { .session_id = "abcdef", .resume_url = "wss://g", .user_id = 1 };
	struct board_exit how = { .class = EXIT_CLASS_CRASH, .text = "it ended" };
	struct board_shard *board = NULL;
	bool damaged;
	int fd;

	tmpdir_make(dir);
	atexit(remove_dir);
	board_shard_path(dir, GENERATION, SHARD, path, sizeof(path));
	snprintf(aside, sizeof(aside), "%s.damaged", path);
	must(board_shard_create(dir, GENERATION, SHARD, SHARDS, 0, &damaged) == 0);
	must(board_shard_open(dir, GENERATION, SHARD, true, &board) == 0);
	board_shard_set_owner(board, 1, 2, "build");
	board_shard_set_session(board, &session, 3);
	board_shard_set_session(board, &session, 4);
	board_shard_set_exit(board, &how);
	board_shard_close(board);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	must(read(fd, good, sizeof(good)) == (ssize_t)sizeof(good));
	close(fd);
}

static void write_file(const unsigned char *bytes, size_t size)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	close(fd);
}

static void scribble(unsigned char *page, const uint8_t *data, size_t size)
{
	while (size >= 4) {
		size_t at = ((size_t)data[0] << 8 | data[1]) % BOARD_SHARD_SIZE, len = data[2];

		data += 3;
		size -= 3;
		if (len > size)
			len = size;
		if (len > BOARD_SHARD_SIZE - at)
			len = BOARD_SHARD_SIZE - at;
		memcpy(page + at, data, len);
		data += len;
		size -= len;
	}
}

static void read_all(struct board_shard *board)
{
	struct board_session session;
	struct board_exit how;
	volatile uint64_t word; /* every read is made, whatever comes of it */
	uint64_t sequence;
	char build_id[16];

	if (board_shard_session(board, &session, &sequence))
		must(session.session_id[0] && memchr(session.session_id, '\0', sizeof(session.session_id)) &&
		     memchr(session.resume_url, '\0', sizeof(session.resume_url)));
	if (board_shard_exit(board, &how))
		must(how.class < EXIT_CLASS_COUNT && memchr(how.text, '\0', sizeof(how.text)));
	board_shard_build_id(board, build_id);
	must(memchr(build_id, '\0', sizeof(build_id)) != NULL);
	must(shard_state_name(board_shard_state(board))[0] != '\0');
	for (int i = 0; i < BOARD_COUNTER_COUNT; i++)
		word = board_shard_counter(board, (enum board_counter)i);
	word = board_shard_stamped(board);
	word = board_shard_sequence(board);
	word = board_shard_handled(board);
	word = board_shard_pid(board);
	word = board_shard_pid_start(board);
	(void)word;
}

/* A worker on whatever page it got: what it writes is what it reads. */
static void work_on(struct board_shard *board)
{
	struct board_session session = { .session_id = "new", .resume_url = "wss://new" }, read;
	uint64_t sequence = 0;

	must(board_shard_lock(board) == 0);
	board_shard_set_owner(board, 77, 78, "mine");
	must(board_shard_pid(board) == 77);
	board_shard_set_session(board, &session, 10);
	board_shard_set_sequence(board, 11);
	must(board_shard_session(board, &read, &sequence) && sequence == 11 && strcmp(read.session_id, "new") == 0);
	board_count(board_shard_counters(board), BOARD_COUNTER_resumes, 1);
	board_shard_clear_session(board);
	must(!board_shard_session(board, &read, &sequence));
}

static void open_both_ways(void)
{
	struct board_shard *board = NULL;
	int r = board_shard_open(dir, GENERATION, SHARD, false, &board);

	must(r == 0 || r == -SHOAL_EDAMAGED || r == -SHOAL_EVERSION);
	if (r == 0) {
		read_all(board);
		board = board_shard_close(board);
	}
	if (board_shard_open(dir, GENERATION, SHARD, true, &board) == 0) {
		read_all(board);
		work_on(board);
		read_all(board);
		board_shard_close(board);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char page[BOARD_SHARD_SIZE];
	struct board_page *head = (struct board_page *)page;
	bool damaged = false;

	if (!dir[0])
		prepare();
	if (size < 1 || size > 2 * BOARD_SHARD_SIZE)
		return 0;
	if (data[0] & 1) {
		write_file(data + 1, size - 1);
	} else {
		memcpy(page, good, sizeof(page));
		scribble(page, data + 1, size - 1);
		if (data[0] & 2)
			head->header_crc =
				(uint32_t)crc32(crc32(0, NULL, 0), (const Bytef *)&head->header, sizeof(head->header));
		write_file(page, sizeof(page));
	}
	open_both_ways();
	must(board_shard_create(dir, GENERATION, SHARD, SHARDS, 0, &damaged) == 0);
	if (damaged)
		must(unlink(aside) == 0);
	open_both_ways();
	return 0;
}
