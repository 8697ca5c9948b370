/* Rows of a fixed head, texts and payload behind it, under a checksum. What is read is believed as little as if it came
 * from a network. */
#include "shard/schedule/agenda.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/crc32c.h"
#include "shared/base/errors.h"
#include "shared/base/random.h"
#include "shared/kv/kv.h"

#define VERSION   1
#define PATH_SIZE 512

enum { TABLE_META, TABLE_JOBS };
static const char *const table_names[] = { [TABLE_META] = "meta", [TABLE_JOBS] = "jobs" };
static const char holder_key[] = "holder";

enum { FLAG_DOUBTFUL = 1 << 0, FLAG_LATE = 1 << 1 };

/* No padding. */
struct head {
	uint32_t crc; /* of all behind it */
	uint16_t version;
	uint8_t state, end;
	uint64_t id, guild_id, user_id, tag;
	int64_t due_ms, created_ms, since_ms, next_ms;
	uint64_t run, fence, deadline_ns, at_ns;
	uint32_t payload_version, crashes, opens, missed;
	uint32_t flags, payload_len;
	char module[SHOAL_JOB_NAME_MAX + 1], name[SHOAL_JOB_NAME_MAX + 1];
	char repeat[SHOAL_JOB_REPEAT_MAX + 4], label[SHOAL_JOB_LABEL_MAX + 4];
	char reason[AGENDA_REASON_MAX + 8];
};
_Static_assert(sizeof(struct head) == 8 + 12 * 8 + 6 * 4 + 2 * 32 + 2 * 104 + 208, "it has no padding");

struct agenda {
	struct kv *kv;
	char path[PATH_SIZE];
	agenda_fn fn;
	void *arg;
};

static int put_bytes(struct agenda *agenda, size_t table, struct kv_bytes key, struct kv_bytes value)
{
	int r;

	if (!agenda)
		return -ENOSPC;
	r = kv_put(agenda->kv, table, key, value);
	if (r == 0)
		r = kv_commit(agenda->kv);
	else
		kv_cancel(agenda->kv);
	return r;
}

int agenda_put(struct agenda *agenda, const struct agenda_row *row)
{
	struct {
		struct head head;
		unsigned char payload[SHOAL_JOB_PAYLOAD_MAX];
	} bytes = { 0 };
	struct head *head = &bytes.head;

	if (row->payload_len > SHOAL_JOB_PAYLOAD_MAX)
		return -E2BIG;
	*head = (struct head){ .version = VERSION,
			       .state = (uint8_t)row->state,
			       .end = (uint8_t)row->end,
			       .id = row->id,
			       .guild_id = row->guild_id,
			       .user_id = row->user_id,
			       .tag = row->tag,
			       .due_ms = row->due_ms,
			       .created_ms = row->created_ms,
			       .since_ms = row->since_ms,
			       .next_ms = row->next_ms,
			       .run = row->run,
			       .fence = row->fence,
			       .deadline_ns = row->deadline_ns,
			       .at_ns = row->at_ns,
			       .payload_version = row->version,
			       .crashes = row->crashes,
			       .opens = row->opens,
			       .missed = row->missed,
			       .flags = (row->doubtful ? FLAG_DOUBTFUL : 0) | (row->late ? FLAG_LATE : 0),
			       .payload_len = (uint32_t)row->payload_len };
	snprintf(head->module, sizeof(head->module), "%s", row->module);
	snprintf(head->name, sizeof(head->name), "%s", row->name);
	snprintf(head->repeat, sizeof(head->repeat), "%s", row->repeat);
	snprintf(head->label, sizeof(head->label), "%s", row->label);
	snprintf(head->reason, sizeof(head->reason), "%s", row->reason);
	if (row->payload_len > 0)
		memcpy(bytes.payload, row->payload, row->payload_len);
	head->crc =
		crc32c(0, (const char *)head + sizeof(head->crc), sizeof(*head) - sizeof(head->crc) + row->payload_len);
	return put_bytes(agenda, TABLE_JOBS, (struct kv_bytes){ &row->id, sizeof(row->id) },
			 (struct kv_bytes){ &bytes, sizeof(*head) + row->payload_len });
}

int agenda_delete(struct agenda *agenda, uint64_t id)
{
	int r;

	if (!agenda)
		return 0;
	r = kv_delete(agenda->kv, TABLE_JOBS, (struct kv_bytes){ &id, sizeof(id) });
	if (r == 0)
		r = kv_commit(agenda->kv);
	else
		kv_cancel(agenda->kv);
	return r;
}

/* --- reading -------------------------------------------------------------------------------------------------------
 */

static bool is_text(const char *text, size_t size, size_t most)
{
	return strnlen(text, size) <= most;
}

static bool read_row(struct kv_bytes key, struct kv_bytes value, struct head *head)
{
	if (key.len != sizeof(head->id) || value.len < sizeof(*head))
		return false;
	memcpy(head, value.ptr, sizeof(*head));
	return head->version == VERSION && memcmp(key.ptr, &head->id, sizeof(head->id)) == 0 &&
	       head->payload_len <= SHOAL_JOB_PAYLOAD_MAX && value.len == sizeof(*head) + head->payload_len &&
	       head->crc == crc32c(0, (const char *)value.ptr + sizeof(head->crc), value.len - sizeof(head->crc)) &&
	       head->state >= AGENDA_OWN && head->state <= AGENDA_ENDED && head->end <= AGENDA_FAIL &&
	       is_text(head->module, sizeof(head->module), SHOAL_JOB_NAME_MAX) &&
	       is_text(head->name, sizeof(head->name), SHOAL_JOB_NAME_MAX) &&
	       is_text(head->repeat, sizeof(head->repeat), SHOAL_JOB_REPEAT_MAX) &&
	       is_text(head->label, sizeof(head->label), SHOAL_JOB_LABEL_MAX) &&
	       is_text(head->reason, sizeof(head->reason), AGENDA_REASON_MAX);
}

static int check_row(void *arg, struct kv_bytes key, struct kv_bytes value)
{
	struct head head;

	(void)arg;
	return read_row(key, value, &head) ? 0 : -SHOAL_EDAMAGED;
}

static int give_row(void *arg, struct kv_bytes key, struct kv_bytes value)
{
	struct agenda *agenda = arg;
	struct agenda_row row;
	struct head head;

	if (!read_row(key, value, &head))
		return -SHOAL_EDAMAGED;
	row = (struct agenda_row){ .id = head.id,
				   .state = (enum agenda_state)head.state,
				   .guild_id = head.guild_id,
				   .user_id = head.user_id,
				   .tag = head.tag,
				   .due_ms = head.due_ms,
				   .created_ms = head.created_ms,
				   .since_ms = head.since_ms,
				   .run = head.run,
				   .fence = head.fence,
				   .deadline_ns = head.deadline_ns,
				   .at_ns = head.at_ns,
				   .version = head.payload_version,
				   .crashes = head.crashes,
				   .opens = head.opens,
				   .missed = head.missed,
				   .doubtful = head.flags & FLAG_DOUBTFUL,
				   .late = head.flags & FLAG_LATE,
				   .end = (enum agenda_end)head.end,
				   .next_ms = head.next_ms,
				   .payload = (const char *)value.ptr + sizeof(head),
				   .payload_len = head.payload_len };
	strcpy(row.module, head.module);
	strcpy(row.name, head.name);
	strcpy(row.repeat, head.repeat);
	strcpy(row.label, head.label);
	strcpy(row.reason, head.reason);
	agenda->fn(agenda->arg, &row);
	return 0;
}

/* --- opening -------------------------------------------------------------------------------------------------------
 */

/* Stands while the rows are read for the first time: a scribbled tree may kill us there, and the next worker must not
 * read it again. */
static void mark_path(const struct agenda *agenda, char path[PATH_SIZE + 16])
{
	snprintf(path, PATH_SIZE + 16, "%s/checking", agenda->path);
}

static int open_files(struct agenda *agenda, bool anew, bool *ret_fresh)
{
	struct kv_options kv = { .path = agenda->path,
				 .map_bytes = AGENDA_MAP_BYTES,
				 .flags = KV_VOLATILE | (anew ? KV_ANEW : 0),
				 .tables = table_names,
				 .table_count = ARRAY_SIZE(table_names) };

	return kv_open(&kv, ret_fresh, &agenda->kv);
}

static int check(struct agenda *agenda)
{
	CLEANUP(cleanup_close) int fd = -1;
	char path[PATH_SIZE + 16];
	int r;

	mark_path(agenda, path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	r = kv_each(agenda->kv, TABLE_JOBS, check_row, NULL);
	unlink(path);
	return r;
}

/* Made once with the files. */
static int take_holder(struct agenda *agenda, uint64_t *ret_holder)
{
	const struct kv_bytes key = { holder_key, sizeof(holder_key) - 1 };
	struct kv_bytes value;
	uint64_t holder = 0;

	if (kv_get(agenda->kv, TABLE_META, key, &value) == 0 && value.len == sizeof(holder))
		memcpy(&holder, value.ptr, sizeof(holder));
	if (holder == 0 || holder > INT64_MAX) {
		holder = random_below(INT64_MAX - 1) + 1;
		*ret_holder = holder;
		return put_bytes(agenda, TABLE_META, key, (struct kv_bytes){ &holder, sizeof(holder) });
	}
	*ret_holder = holder;
	return 0;
}

int agenda_open(const char *runtime_dir, uint32_t generation, uint32_t shard_id, bool crashed, agenda_fn fn, void *arg,
		uint64_t *ret_holder, bool *ret_damaged, struct agenda **ret_agenda)
{
	struct agenda *agenda = calloc(1, sizeof(*agenda));
	char mark[PATH_SIZE + 16];
	bool fresh = false, anew;
	int r;

	if (!agenda)
		return -ENOMEM;
	agenda->fn = fn;
	agenda->arg = arg;
	if (snprintf(agenda->path, sizeof(agenda->path), "%s/agenda-%u-%u", runtime_dir, generation, shard_id) >=
	    (int)sizeof(agenda->path)) {
		free(agenda);
		return -ENAMETOOLONG;
	}
	mark_path(agenda, mark);
	anew = crashed && access(mark, F_OK) == 0;
	r = open_files(agenda, anew, &fresh);
	if (r == 0 && !fresh && check(agenda) < 0) {
		agenda->kv = kv_abandon(agenda->kv);
		anew = true;
		r = open_files(agenda, true, &fresh);
	}
	if (r == 0)
		r = take_holder(agenda, ret_holder);
	if (r < 0) {
		agenda_close(agenda);
		return r;
	}
	*ret_damaged = anew;
	kv_each(agenda->kv, TABLE_JOBS, give_row, agenda);
	*ret_agenda = agenda;
	return 0;
}

struct agenda *agenda_close(struct agenda *agenda)
{
	if (!agenda)
		return NULL;
	kv_close(agenda->kv);
	free(agenda);
	return NULL;
}
