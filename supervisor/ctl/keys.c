/* shoalctl keys: a new key, what is encrypted with which, and encrypting all of it anew. Blocks; no loop. What is
 * encrypted anew is compared and set row by row, so it may run beside any traffic and be broken off at any point. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/buf.h"
#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/secrets/key_file.h"
#include "shared/secrets/keyring.h"
#include "supervisor/ctl/ctl.h"
#include "supervisor/ctl/database.h"

#define BATCH      200
#define TIMEOUT_MS 30000
#define HEX_MAX    (2 * (SEAL_TEXT_MAX + SEAL_OVERHEAD) + 3)

/* Tables with sealed values. @id, @channel: the expressions of the place; @more: the rest of the key. */
static const struct sealed_table {
	const char *table, *place;
	const char *keys;  /* as columns k1, k2, k3, k4 (text), in the order of the index */
	const char *after; /* where the next batch begins */
	const char *same;  /* the row again, $1 … $4 */
} tables[] = {
	{ "guild_setting", "setting", "guild_id::text, '0', name, '0'",
	  "(guild_id, name) > ($1::bigint, $3::text) AND $2::text IS NOT NULL AND $4::text IS NOT NULL",
	  "guild_id = $1::bigint AND $2::text IS NOT NULL AND name = $3 AND $4::text IS NOT NULL" },
	{ "channel_setting", "setting", "guild_id::text, channel_id::text, name, '0'",
	  "(guild_id, channel_id, name) > ($1::bigint, $2::bigint, $3::text) AND $4::text IS NOT NULL",
	  "guild_id = $1::bigint AND channel_id = $2::bigint AND name = $3 AND $4::text IS NOT NULL" },
	{ "user_setting", "user_setting", "user_id::text, '0', name, '0'",
	  "(user_id, name) > ($1::bigint, $3::text) AND $2::text IS NOT NULL AND $4::text IS NOT NULL",
	  "user_id = $1::bigint AND $2::text IS NOT NULL AND name = $3 AND $4::text IS NOT NULL" },
	{ "setting_history", "setting", "guild_id::text, channel_id::text, name, version::text",
	  "(guild_id, channel_id, name, version) > ($1::bigint, $2::bigint, $3::text, $4::bigint)",
	  "guild_id = $1::bigint AND channel_id = $2::bigint AND name = $3 AND version = $4::bigint" },
};

struct work {
	const struct ctl_options *options;
	PGconn *connection;
	struct keyring *ring;
	struct database_error error;
	uint64_t seen, done, stuck, changed; /* stuck: does not open; changed: somebody else was faster */
	char stuck_words[160];
};

/* --- the file ----------------------------------------------------------------------------------------------------- */

static int fail_file(const struct ctl_options *options, int error, const char *words)
{
	return ctl_fail(options, CTL_CONFIG, error_name(error), words[0] ? words : error_text(error));
}

/* The text and its ring; both the caller's. CTL_OK. */
static int read_ring(const struct ctl_options *options, char **ret_text, struct keyring **ret_ring)
{
	char problem[KEY_FILE_PROBLEM_SIZE], error[KEYRING_ERROR_SIZE],
		words[KEY_FILE_PROBLEM_SIZE + KEYRING_ERROR_SIZE];
	int r = key_file_read(options->config->secrets_key_file, ret_text, problem);

	if (r < 0)
		return fail_file(options, r, problem);
	if (problem[0])
		fprintf(stderr, "shoalctl: %s\n", problem);
	r = keyring_parse(*ret_text, ret_ring, error);
	if (r == 0)
		return CTL_OK;
	snprintf(words, sizeof(words), "%s: %s", options->config->secrets_key_file, error);
	return fail_file(options, r, words);
}

/* A key that was made and not yet put first has this line before it. */
#define NEXT "# next"

static bool is_line(const char *line, size_t len, const char *text)
{
	return len == strlen(text) && memcmp(line, text, len) == 0;
}

static int put_lines(struct buf *out, const char *text, const char *first, bool keep_next)
{
	int r = 0;

	for (const char *line = text ? text : ""; *line && r == 0;) {
		size_t len = strcspn(line, "\n");

		if (len > 0 && !(first && is_line(line, len, first)) && (keep_next || !is_line(line, len, NEXT)))
			r = buf_printf(out, "%.*s\n", (int)len, line);
		line += len + (line[len] == '\n');
	}
	return r;
}

/* @text with the line @first put before all others, and no longer waiting; or with @next behind them. */
static int write_ring(const struct ctl_options *options, const char *text, const char *first, const char *next)
{
	CLEANUP(buf_finish) struct buf out = { 0 };
	char problem[KEY_FILE_PROBLEM_SIZE];
	int r = 0;

	buf_init(&out, KEY_FILE_MAX);
	if (first)
		r = buf_printf(&out, "%s\n", first);
	if (r == 0)
		r = put_lines(&out, text, first, !first);
	if (next && r == 0)
		r = buf_printf(&out, "%s%s\n", text ? NEXT "\n" : "", next);
	if (r == 0)
		r = key_file_write(options->config->secrets_key_file, buf_cstr(&out), problem);
	else
		snprintf(problem, sizeof(problem), "the file of keys would be too large: take old keys out of it");
	if (out.data)
		explicit_bzero(out.data, out.cap);
	return r < 0 ? fail_file(options, r, problem) : CTL_OK;
}

/* Workers learn of keys when they say hello to a supervisor that executed itself anew. */
static void tell_fleet(const struct ctl_options *options)
{
	char socket[PATH_MAX];
	json_t *status = NULL;
	int r = CTL_FAILED;

	if (control_socket_path(options->runtime_dir, socket, sizeof(socket)) == 0 && access(socket, F_OK) == 0)
		r = ctl_do_reload(options, NULL, &status);
	json_decref(status);
	if (!options->json)
		printf("%s\n", r == CTL_OK ? "the fleet of this host has the keys"
					   : "no fleet was told: workers take the keys at the next `shoalctl reload`");
}

static int run_new(const struct ctl_options *options)
{
	CLEANUP(key_file_wipe) char *text = NULL;
	CLEANUP(keyring_freep) struct keyring *ring = NULL;
	char line[KEYRING_LINE_SIZE], id[KEYRING_ID_SIZE];
	int r;

	if (!options->config->secrets_key_file[0])
		return ctl_fail(options, CTL_CONFIG, "EINVAL",
				"secrets.key_file is not set; a systemd credential is changed where it comes from");
	if (access(options->config->secrets_key_file, F_OK) == 0) {
		r = read_ring(options, &text, &ring);
		if (r != CTL_OK)
			return r;
	}
	if (keyring_count(ring) == KEYRING_MAX)
		return ctl_fail(options, CTL_FAILED, "E2BIG",
				"the file holds as many keys as it may: take old ones out");
	if (keyring_make_line(line) < 0)
		return ctl_fail(options, CTL_FAILED, "EIO", "no random numbers can be had");
	snprintf(id, sizeof(id), "%.16s", line);
	/* Behind the others: it decrypts from now on, and encrypts once everybody has it (rotate). */
	r = write_ring(options, text, NULL, line);
	explicit_bzero(line, sizeof(line));
	if (r != CTL_OK)
		return r;
	if (options->json)
		printf("{\"id\": \"%s\", \"keys\": %zu}\n", id, keyring_count(ring) + 1);
	else
		printf("key %s is in %s%s\n", id, options->config->secrets_key_file,
		       ring ? "; bring the file to the other hosts, then run shoalctl keys rotate" : "");
	tell_fleet(options);
	return CTL_OK;
}

/* --- the database ------------------------------------------------------------------------------------------------- */

static int fail_database(struct work *work, int error)
{
	return ctl_fail(work->options, error == -SHOAL_EOFFLINE ? CTL_AWAY : CTL_FAILED, error_name(error),
			work->error.text);
}

static int open_database(struct work *work, struct config **ret_own)
{
	const struct config *config = ctl_database_config(work->options, ret_own);
	int r;

	if (!config)
		return ctl_fail(work->options, CTL_CONFIG, "EINVAL",
				"no database is configured: set postgres.conninfo, or DATABASE_URL");
	r = database_connect(config->postgres_conninfo, "shoalctl keys", config->postgres_connect_timeout_ms,
			     &work->connection, &work->error);
	return r < 0 ? fail_database(work, r) : CTL_OK;
}

/* What is sealed with which key, and whether that key is there. */
static int run_status(struct work *work)
{
	json_t *keys = json_object(), *list = json_array();
	char id[KEYRING_ID_SIZE], sql[512];
	int r = 0;

	for (size_t t = 0; t < ARRAY_SIZE(tables) && r == 0; t++) {
		DATABASE_RESULT result = NULL;

		snprintf(sql, sizeof(sql),
			 "SELECT encode(substr(sealed, 2, 8), 'hex') AS key, count(*) AS rows FROM shoal.%s"
			 " WHERE sealed IS NOT NULL GROUP BY 1",
			 tables[t].table);
		r = database_run(work->connection, TIMEOUT_MS, sql, 0, NULL, &result, &work->error);
		for (int i = 0; r == 0 && i < PQntuples(result); i++) {
			const char *key = database_text(result, i, "key");

			json_object_set_new(keys, key,
					    json_integer(json_integer_value(json_object_get(keys, key)) +
							 database_int(result, i, "rows")));
		}
	}
	for (size_t i = 0; r == 0 && i < keyring_count(work->ring); i++) {
		keyring_id(work->ring, i, id);
		json_array_append_new(list, json_pack("{s:s, s:b, s:b, s:I}", "id", id, "there", 1, "encrypts", i == 0,
						      "rows", json_integer_value(json_object_get(keys, id))));
		json_object_del(keys, id);
	}
	if (r == 0) {
		const char *missing;
		json_t *rows;

		json_object_foreach(keys, missing, rows)
			json_array_append_new(list, json_pack("{s:s, s:b, s:b, s:I}", "id", missing, "there", 0,
							      "encrypts", 0, "rows", json_integer_value(rows)));
		if (work->options->json)
			ctl_print_json(list);
		for (size_t i = 0; !work->options->json && i < json_array_size(list); i++) {
			const json_t *one = json_array_get(list, i);
			bool there = json_is_true(json_object_get(one, "there"));
			bool first = json_is_true(json_object_get(one, "encrypts"));

			printf("%s  %8s values  %s\n", ctl_text(one, "id"), ctl_count(ctl_int(one, "rows")),
			       !there                      ? "MISSING: these can't be read"
			       : first                     ? "encrypts"
			       : ctl_int(one, "rows") == 0 ? "not needed in the database (backups may need it)"
							   : "decrypts; shoalctl keys rotate");
		}
		if (json_array_size(list) == 0 && !work->options->json)
			printf("there are no keys, and nothing is encrypted\n");
	}
	json_decref(keys);
	json_decref(list);
	return r < 0 ? fail_database(work, r) : CTL_OK;
}

/* "\x0a0b" into bytes. */
static bool from_hex(const char *text, uint8_t *bytes, size_t size, size_t *ret_len)
{
	size_t len = strlen(text);

	if (len < 2 || text[0] != '\\' || text[1] != 'x' || len % 2 || (len - 2) / 2 > size)
		return false;
	for (size_t i = 2; i < len; i += 2) {
		unsigned int byte;

		if (sscanf(text + i, "%2x", &byte) != 1)
			return false;
		bytes[(i - 2) / 2] = (uint8_t)byte;
	}
	*ret_len = (len - 2) / 2;
	return true;
}

static void to_hex(const uint8_t *bytes, size_t len, char *text)
{
	static const char digits[] = "0123456789abcdef";

	*text++ = '\\';
	*text++ = 'x';
	for (size_t i = 0; i < len; i++) {
		*text++ = digits[bytes[i] >> 4];
		*text++ = digits[bytes[i] & 15];
	}
	*text = '\0';
}

/* Opens with the old key and seals with the first. 0, or why it stays as it is. */
static int seal_anew(struct work *work, const struct sealed_table *table, const char *const key[4], const char *old,
		     char *fresh)
{
	static uint8_t sealed[SEAL_TEXT_MAX + SEAL_OVERHEAD];
	static char text[SEAL_TEXT_MAX + 1];
	bool user = strcmp(table->place, "user_setting") == 0;
	uint64_t id = strtoull(key[0], NULL, 10);
	struct seal_place place = { .table = table->place,
				    .guild_id = user ? 0 : id,
				    .user_id = user ? id : 0,
				    .channel_id = strtoull(key[1], NULL, 10),
				    .name = key[2] };
	size_t len, text_len = 0;
	int r;

	if (!from_hex(old, sealed, sizeof(sealed), &len))
		return -EPROTO;
	r = keyring_open(work->ring, &place, sealed, len, text, &text_len);
	if (r == 0)
		r = keyring_seal(work->ring, &place, text, text_len, sealed, &len);
	explicit_bzero(text, text_len + 1);
	if (r == 0)
		to_hex(sealed, len, fresh);
	return r;
}

static int rotate_row(struct work *work, const struct sealed_table *table, const char *const key[4], const char *old)
{
	static char fresh[HEX_MAX];
	const char *values[] = { key[0], key[1], key[2], key[3], old, fresh };
	DATABASE_RESULT result = NULL;
	char sql[512];
	int r = seal_anew(work, table, key, old, fresh);

	work->seen++;
	if (r < 0) {
		work->stuck++;
		snprintf(work->stuck_words, sizeof(work->stuck_words), "shoal.%s: %s", table->table,
			 r == -SHOAL_ENOKEY ? "its key is not in the file"
					    : "damaged, moved, or another key of that id");
		return 0;
	}
	/* The version stays: nothing that anybody sees has changed. */
	snprintf(sql, sizeof(sql), "UPDATE shoal.%s SET sealed = $6::bytea WHERE %s AND sealed = $5::bytea",
		 table->table, table->same);
	r = database_run(work->connection, TIMEOUT_MS, sql, 6, values, &result, &work->error);
	if (r < 0)
		return r;
	if (strcmp(PQcmdTuples(result), "1") == 0)
		work->done++;
	else
		work->changed++;
	return 0;
}

static void say_progress(const struct work *work, const char *table)
{
	if (!work->options->json && isatty(STDERR_FILENO))
		fprintf(stderr, "\r%-16s %" PRIu64 " encrypted anew", table, work->done);
}

static int rotate_table(struct work *work, const struct sealed_table *table, const char *first)
{
	char key[4][96] = { "-1", "-1", "", "-1" }, sql[1024];
	int r, count;

	do {
		const char *values[] = { key[0], key[1], key[2], key[3], first };
		DATABASE_RESULT result = NULL;

		snprintf(sql, sizeof(sql),
			 "SELECT k1, k2, k3, k4, sealed FROM (SELECT %s, sealed FROM shoal.%s WHERE sealed IS NOT NULL"
			 " AND %s AND encode(substr(sealed, 2, 8), 'hex') <> $5::text ORDER BY %s LIMIT %d)"
			 " AS t (k1, k2, k3, k4, sealed)",
			 table->keys, table->table, table->after,
			 strcmp(table->table, "guild_setting") == 0     ? "guild_id, name"
			 : strcmp(table->table, "user_setting") == 0    ? "user_id, name"
			 : strcmp(table->table, "channel_setting") == 0 ? "guild_id, channel_id, name"
									: "guild_id, channel_id, name, version",
			 BATCH);
		r = database_run(work->connection, TIMEOUT_MS, sql, 5, values, &result, &work->error);
		count = r == 0 ? PQntuples(result) : 0;
		for (int i = 0; i < count && r == 0; i++) {
			for (int k = 0; k < 4; k++)
				snprintf(key[k], sizeof(key[k]), "%s", PQgetvalue(result, i, k));
			r = rotate_row(work, table, (const char *const[]){ key[0], key[1], key[2], key[3] },
				       PQgetvalue(result, i, 4));
		}
		say_progress(work, table->table);
	} while (r == 0 && count == BATCH);
	return r;
}

/* The newest key that waits for it becomes the first; none waits: everything stays. */
static int promote(const struct ctl_options *options, char **text, struct keyring **ring)
{
	char line[KEYRING_LINE_SIZE] = "";
	const char *at = *text, *found = NULL;
	int r;

	while (at && (at = strstr(at, NEXT "\n")))
		found = at += strlen(NEXT "\n");
	if (!found || !options->config->secrets_key_file[0])
		return CTL_OK;
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(found, "\r\n"), found);
	r = write_ring(options, *text, line, NULL);
	explicit_bzero(line, sizeof(line));
	if (r != CTL_OK)
		return r;
	key_file_wipe(text);
	*ring = keyring_free(*ring);
	r = read_ring(options, text, ring);
	if (r == CTL_OK)
		tell_fleet(options);
	return r;
}

static bool is_finished(struct work *work)
{
	char first[KEYRING_ID_SIZE], sql[512];

	keyring_id(work->ring, 0, first);
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		DATABASE_RESULT result = NULL;
		const char *values[] = { first };

		snprintf(sql, sizeof(sql),
			 "SELECT 1 FROM shoal.%s WHERE sealed IS NOT NULL AND encode(substr(sealed, 2, 8), 'hex') <>"
			 " $1::text LIMIT 1",
			 tables[t].table);
		if (database_run(work->connection, TIMEOUT_MS, sql, 1, values, &result, &work->error) < 0 ||
		    PQntuples(result) > 0)
			return false;
	}
	return true;
}

static int run_rotate(struct work *work, char **text)
{
	char first[KEYRING_ID_SIZE];
	int r;

	if (keyring_count(work->ring) == 0)
		return ctl_fail(work->options, CTL_CONFIG, "ENOENT", "there is no key: shoalctl keys new makes one");
	/* One that was broken off goes on with the key that it had put first. */
	if (is_finished(work)) {
		r = promote(work->options, text, &work->ring);
		if (r != CTL_OK)
			return r;
	}
	keyring_id(work->ring, 0, first);
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		r = rotate_table(work, &tables[t], first);
		if (r < 0)
			return fail_database(work, r);
	}
	if (work->options->json)
		printf("{\"key\": \"%s\", \"done\": %" PRIu64 ", \"changed_meanwhile\": %" PRIu64
		       ", \"stuck\": %" PRIu64 "}\n",
		       first, work->done, work->changed, work->stuck);
	else
		printf("%s%" PRIu64 " values are now encrypted with key %s%s\n", isatty(STDERR_FILENO) ? "\n" : "",
		       work->done, first, work->changed ? "; some were changed meanwhile, run it again" : "");
	if (work->stuck) {
		fprintf(stderr, "shoalctl: %" PRIu64 " values could not be opened and stay as they are (%s)\n",
			work->stuck, work->stuck_words);
		return CTL_FAILED;
	}
	return CTL_OK;
}

int ctl_keys(int argc, char **argv, const struct ctl_options *options)
{
	CLEANUP(config_freep) struct config *own = NULL;
	CLEANUP(key_file_wipe) char *text = NULL;
	struct work work = { .options = options };
	bool rotate = argc == 2 && strcmp(argv[1], "rotate") == 0;
	int r;

	if (argc == 2 && strcmp(argv[1], "new") == 0)
		return run_new(options);
	if (!rotate && !(argc == 2 && strcmp(argv[1], "status") == 0))
		return ctl_usage("keys", "wants new, rotate or status");
	r = read_ring(options, &text, &work.ring);
	if (r == CTL_OK)
		r = open_database(&work, &own);
	if (r == CTL_OK)
		r = rotate ? run_rotate(&work, &text) : run_status(&work);
	PQfinish(work.connection);
	keyring_free(work.ring);
	return r;
}
