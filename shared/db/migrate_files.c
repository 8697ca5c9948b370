/* The files' side of migrations: names, headers, checksums, the sorted list. Run by command-line tools; blocks on
 * files. Must not run SQL. */
#include "shared/db/migrate.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "shared/base/cleanup.h"
#include "shared/db/migrate_files.h"

#define NUMBER_DIGITS 4
#define HEADER        "-- oldest-program:"

static const char *const state_names[MIGRATE_STATE_COUNT] = {
	[MIGRATE_PENDING] = "pending", [MIGRATE_APPLIED] = "applied", [MIGRATE_CHANGED] = "changed",
	[MIGRATE_MISSING] = "missing", [MIGRATE_LEFT] = "left",
};

const char *migrate_state_name(enum migrate_state state)
{
	return (unsigned int)state < MIGRATE_STATE_COUNT ? state_names[state] : "unknown";
}

void migration_list_finish(struct migration_list *list)
{
	free(list->rows);
	*list = (struct migration_list){ 0 };
}

void migrate_sha256(const void *bytes, size_t len, char hex[MIGRATE_SHA256_SIZE])
{
	unsigned char digest[SHA256_DIGEST_LENGTH];

	SHA256(bytes, len, digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

/* Length of a word of [a-z0-9_] at @text. */
static size_t word_len(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
}

int migrate_parse_name(const char *file, uint32_t *ret_number, char name[64], bool *ret_up)
{
	uint32_t number = 0;
	const char *rest;
	size_t len;
	bool up;

	for (size_t i = 0; i < NUMBER_DIGITS; i++) {
		if (file[i] < '0' || file[i] > '9')
			return -EINVAL;
		number = number * 10 + (uint32_t)(file[i] - '0');
	}
	if (number == 0 || file[NUMBER_DIGITS] != '_')
		return -EINVAL;
	rest = file + NUMBER_DIGITS + 1;
	len = word_len(rest);
	if (len == 0 || len >= 64)
		return -EINVAL;
	up = strcmp(rest + len, ".up.sql") == 0;
	if (!up && strcmp(rest + len, ".down.sql") != 0)
		return -EINVAL;
	*ret_number = number;
	memcpy(name, rest, len);
	name[len] = '\0';
	*ret_up = up;
	return 0;
}

/* Reads "X.Y.Z" of at most six digits a part; the length, or -EINVAL. */
static int version_len(const char *text, size_t max)
{
	size_t at = 0;

	for (int part = 0; part < 3; part++) {
		size_t digits = 0;

		if (part > 0 && (at >= max || text[at++] != '.'))
			return -EINVAL;
		while (at < max && isdigit((unsigned char)text[at]) && digits < 7) {
			at++;
			digits++;
		}
		if (digits == 0 || digits > 6)
			return -EINVAL;
	}
	return (int)at;
}

/* The version behind the header's colon: nothing but blanks may follow it on its line. */
static int parse_version(const char *line, size_t len, char version[MIGRATE_VERSION_SIZE])
{
	size_t at = 0;
	int size;

	while (at < len && (line[at] == ' ' || line[at] == '\t'))
		at++;
	size = version_len(line + at, len - at);
	if (size < 0)
		return size;
	for (size_t i = at + (size_t)size; i < len; i++)
		if (!strchr(" \t\r", line[i]))
			return -EINVAL;
	memcpy(version, line + at, (size_t)size);
	version[size] = '\0';
	return 0;
}

int migrate_parse_header(const char *text, size_t len, char version[MIGRATE_VERSION_SIZE])
{
	size_t header = strlen(HEADER);

	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t line = end ? (size_t)(end - text) : len;

		if (line < 2 || text[0] != '-' || text[1] != '-')
			return -ENOENT;
		if (line >= header && memcmp(text, HEADER, header) == 0)
			return parse_version(text + header, line - header, version);
		text += line + (end != NULL);
		len -= line + (end != NULL);
	}
	return -ENOENT;
}

int migrate_compare_versions(const char *a, const char *b)
{
	unsigned int left[3] = { 0 }, right[3] = { 0 };

	sscanf(a, "%u.%u.%u", &left[0], &left[1], &left[2]);
	sscanf(b, "%u.%u.%u", &right[0], &right[1], &right[2]);
	for (size_t i = 0; i < 3; i++)
		if (left[i] != right[i])
			return left[i] < right[i] ? -1 : 1;
	return 0;
}

int migrate_read_file(const char *path, char **ret_text, size_t *ret_len, struct migrate_error *error)
{
	CLEANUP(cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP(cleanup_free) char *text = NULL;
	struct stat about;
	size_t len = 0;
	ssize_t r;

	if (fd < 0 || fstat(fd, &about) < 0) {
		snprintf(error->text, sizeof(error->text), "%s can't be read: %s", path, strerror(errno));
		return -errno;
	}
	if (about.st_size > MIGRATE_FILE_MAX) {
		snprintf(error->text, sizeof(error->text), "%s is larger than %d bytes", path, MIGRATE_FILE_MAX);
		return -EFBIG;
	}
	text = malloc((size_t)about.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (len < (size_t)about.st_size && (r = read(fd, text + len, (size_t)about.st_size - len)) > 0)
		len += (size_t)r;
	text[len] = '\0';
	if (memchr(text, '\0', len)) {
		snprintf(error->text, sizeof(error->text), "%s holds a NUL byte", path);
		return -EINVAL;
	}
	*ret_text = TAKE(text);
	*ret_len = len;
	return 0;
}

/* The next of the folders joined by ':'; moves *at. False: there is none. */
static bool next_dir(const char **at, char *dir, size_t size)
{
	size_t len;

	*at += strspn(*at, ":");
	len = strcspn(*at, ":");
	if (len == 0)
		return false;
	snprintf(dir, size, "%.*s", (int)len, *at);
	*at += len;
	return true;
}

int migrate_path(const char *sql_dir, const struct migration *migration, bool up, char *path, size_t size)
{
	char dir[MIGRATE_PATH_SIZE];
	int n = -1;

	while (next_dir(&sql_dir, dir, sizeof(dir))) {
		n = snprintf(path, size, "%s/%s", dir, migration->owner);
		if (n < 0 || (size_t)n >= size)
			return -ENAMETOOLONG;
		if (access(path, F_OK) < 0 && *sql_dir)
			continue;
		n = snprintf(path, size, "%s/%s/%04u_%s.%s.sql", dir, migration->owner, migration->number,
			     migration->name, up ? "up" : "down");
		break;
	}
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* --- the folder --------------------------------------------------------------------------------------------------- */

int migration_list_add(struct migration_list *list, const struct migration *migration)
{
	struct migration *rows;

	if (list->count >= MIGRATE_FILES_MAX)
		return -EFBIG;
	rows = realloc(list->rows, (list->count + 1) * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	list->rows = rows;
	rows[list->count++] = *migration;
	return 0;
}

static int compare_rows(const void *a, const void *b)
{
	const struct migration *left = a, *right = b;
	int core_left = strcmp(left->owner, "core") == 0, core_right = strcmp(right->owner, "core") == 0;

	if (core_left != core_right)
		return core_right - core_left;
	if (strcmp(left->owner, right->owner) != 0)
		return strcmp(left->owner, right->owner);
	return left->number < right->number ? -1 : left->number > right->number;
}

void migration_list_sort(struct migration_list *list)
{
	if (list->count)
		qsort(list->rows, list->count, sizeof(list->rows[0]), compare_rows);
}

static struct migration *find(struct migration_list *list, const char *owner, uint32_t number)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->rows[i].number == number && strcmp(list->rows[i].owner, owner) == 0)
			return &list->rows[i];
	return NULL;
}

/* Fills in what the up file itself says. */
static int read_up(const char *sql_dir, struct migration *migration, struct migrate_error *error)
{
	CLEANUP(cleanup_free) char *text = NULL;
	char path[MIGRATE_PATH_SIZE];
	size_t len;
	int r;

	r = migrate_path(sql_dir, migration, true, path, sizeof(path));
	if (r < 0)
		return r;
	r = migrate_read_file(path, &text, &len, error);
	if (r < 0)
		return r;
	r = migrate_parse_header(text, len, migration->oldest_program);
	if (r < 0) {
		snprintf(error->text, sizeof(error->text),
			 "%s: %s a line \"-- oldest-program: X.Y.Z\" among its first comment lines", path,
			 r == -ENOENT ? "has not" : "is malformed:");
		return -EINVAL;
	}
	migrate_sha256(text, len, migration->sha256);
	migration->size_bytes = len;
	return 0;
}

int migrate_locks_of(const char *sql_dir, const struct migration *migration, struct migrate_locks *ret_locks,
		     struct migrate_error *error)
{
	CLEANUP(cleanup_free) char *text = NULL;
	char path[MIGRATE_PATH_SIZE];
	size_t len;
	int r;

	r = migrate_path(sql_dir, migration, true, path, sizeof(path));
	if (r == 0)
		r = migrate_read_file(path, &text, &len, error);
	if (r == 0)
		migrate_locks_read(text, len, ret_locks);
	return r;
}

static int take_file(struct migration_list *list, const char *owner, const char *file, struct migrate_error *error)
{
	struct migration fresh = { .number = 0 }, *known;
	bool up = false;

	if (migrate_parse_name(file, &fresh.number, fresh.name, &up) < 0) {
		snprintf(error->text, sizeof(error->text),
			 "%s/%s: a migration is named NNNN_name.up.sql or NNNN_name.down.sql", owner, file);
		return -EINVAL;
	}
	memcpy(fresh.owner, owner, strnlen(owner, sizeof(fresh.owner) - 1));
	known = find(list, owner, fresh.number);
	if (known && strcmp(known->name, fresh.name) != 0) {
		snprintf(error->text, sizeof(error->text), "%s: number %04u is taken twice: by %s and by %s", owner,
			 fresh.number, known->name, fresh.name);
		return -EINVAL;
	}
	if (!known) {
		int r = migration_list_add(list, &fresh);

		if (r < 0)
			return r;
		known = &list->rows[list->count - 1];
	}
	if (up)
		known->sha256[0] = '?'; /* there; read once all names are known */
	else
		known->has_down = true;
	return 0;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), tail = strlen(end);

	return len >= tail && strcmp(text + len - tail, end) == 0;
}

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int scan_owner(const char *sql_dir, const char *owner, struct migration_list *list, struct migrate_error *error)
{
	CLEANUP(close_dir) DIR *dir = NULL;
	struct dirent *entry;
	char path[MIGRATE_PATH_SIZE];
	int r;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", sql_dir, owner) >= sizeof(path))
		return -ENAMETOOLONG;
	dir = opendir(path);
	if (!dir) {
		r = -errno;
		if (r == -ENOTDIR)
			return 0; /* a file beside the owners' folders */
		snprintf(error->text, sizeof(error->text), "%s can't be read: %s", path, strerror(-r));
		return r;
	}
	while ((entry = readdir(dir))) {
		if (!ends_with(entry->d_name, ".sql"))
			continue;
		r = take_file(list, owner, entry->d_name, error);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Numbers run from 1 without a gap, and every one has an up file. */
static int check_chain(const struct migration_list *list, struct migrate_error *error)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct migration *row = &list->rows[i];
		bool first = i == 0 || strcmp(list->rows[i - 1].owner, row->owner) != 0;
		uint32_t expected = first ? 1 : list->rows[i - 1].number + 1;

		if (row->number != expected) {
			snprintf(error->text, sizeof(error->text), "%s: %04u_%s follows, but %04u is not there",
				 row->owner, row->number, row->name, expected);
			return -EINVAL;
		}
		if (!row->sha256[0]) {
			snprintf(error->text, sizeof(error->text), "%s/%04u_%s has a .down.sql and no .up.sql",
				 row->owner, row->number, row->name);
			return -EINVAL;
		}
	}
	return 0;
}

/* @before: how many rows the folders before this one have brought. */
static int scan_dir(const char *sql_dir, size_t before, struct migration_list *list, struct migrate_error *error)
{
	CLEANUP(close_dir) DIR *dir = opendir(sql_dir);
	struct dirent *entry;
	int r;

	if (!dir) {
		r = -errno;
		snprintf(error->text, sizeof(error->text), "%.900s can't be read: %s", sql_dir, strerror(-r));
		return r;
	}
	while ((entry = readdir(dir))) {
		size_t len = word_len(entry->d_name);

		if (len == 0 || len >= sizeof(((struct migration *)0)->owner) || entry->d_name[len] != '\0')
			continue;
		for (size_t i = 0; i < before; i++) {
			if (strcmp(list->rows[i].owner, entry->d_name) != 0)
				continue;
			snprintf(error->text, sizeof(error->text),
				 "%.900s/%s: migrations of that owner lie in another folder too", sql_dir,
				 list->rows[i].owner);
			return -EINVAL;
		}
		r = scan_owner(sql_dir, entry->d_name, list, error);
		if (r < 0)
			return r;
	}
	return 0;
}

int migrate_scan(const char *sql_dir, struct migration_list *ret_list, struct migrate_error *error)
{
	CLEANUP(migration_list_finish) struct migration_list list = { 0 };
	const char *at = sql_dir;
	char dir[MIGRATE_PATH_SIZE];
	int r;

	*error = (struct migrate_error){ 0 };
	while (next_dir(&at, dir, sizeof(dir))) {
		r = scan_dir(dir, list.count, &list, error);
		if (r < 0)
			return r;
	}
	migration_list_sort(&list);
	r = check_chain(&list, error);
	for (size_t i = 0; i < list.count && r == 0; i++)
		r = read_up(sql_dir, &list.rows[i], error);
	if (r < 0)
		return r;
	*ret_list = list;
	list = (struct migration_list){ 0 };
	return 0;
}

/* --- where the files lie ------------------------------------------------------------------------------------------ */

int migrate_add_modules_dir(const char *modules_dir, char *path, size_t size)
{
	static const char *const places[] = { "modules/sql", "../lib/shoal/modules/sql" };
	char program[4096], dir[4096 + 64];
	size_t used = strlen(path);
	ssize_t len;
	char *slash;

	snprintf(dir, sizeof(dir), "%s/sql", modules_dir);
	if (!modules_dir[0]) {
		len = readlink("/proc/self/exe", program, sizeof(program) - 1);
		if (len < 0)
			return -errno;
		program[len] = '\0';
		slash = strrchr(program, '/');
		if (slash)
			*slash = '\0';
		for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
			snprintf(dir, sizeof(dir), "%s/%s", program, places[i]);
			if (access(dir, R_OK | X_OK) == 0)
				break;
		}
	}
	if (access(dir, R_OK | X_OK) < 0)
		return 0;
	return (size_t)snprintf(path + used, size - used, ":%s", dir) < size - used ? 0 : -ENAMETOOLONG;
}

int migrate_find_sql_dir(const char *given, char *path, size_t size, struct migrate_error *error)
{
	/* The tree's build/, its variants one deeper (build/sanitize), and an installed <prefix>/bin. */
	static const char *const places[] = { "../sql", "../../sql", "../share/shoal/sql" };
	char program[4096], candidate[4096 + 64], core[4096 + 80];
	ssize_t len;
	char *slash;

	*error = (struct migrate_error){ 0 };
	if (given && given[0]) {
		if ((size_t)snprintf(path, size, "%s", given) >= size)
			return -ENAMETOOLONG;
		if (access(path, R_OK | X_OK) == 0)
			return 0;
		snprintf(error->text, sizeof(error->text), "%s (--sql-dir) can't be read: %s", given, strerror(errno));
		return -ENOENT;
	}
	len = readlink("/proc/self/exe", program, sizeof(program) - 1);
	if (len < 0)
		return -errno;
	program[len] = '\0';
	slash = strrchr(program, '/');
	if (slash)
		*slash = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(candidate, sizeof(candidate), "%s/%s", program, places[i]);
		snprintf(core, sizeof(core), "%s/core", candidate);
		if (access(core, R_OK | X_OK) == 0)
			return (size_t)snprintf(path, size, "%s", candidate) < size ? 0 : -ENAMETOOLONG;
	}
	snprintf(error->text, sizeof(error->text),
		 "no SQL files found: looked into %s, %s and %s from %.512s; --sql-dir DIR names another place",
		 places[0], places[1], places[2], program);
	return -ENOENT;
}
