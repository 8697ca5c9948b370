/* shoalctl backup: pg_dump's custom or directory format of schema shoal and its partitions, seen at one moment, and
 * beside it a manifest that says what must be in it. Only what is whole gets its name: until then it is called .part.
 */
#include "supervisor/ctl/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/build_id.h"
#include "shared/base/clock.h"

struct copy {
	char part[PATH_MAX]; /* what is being made */
	char snapshot[64];
	json_t *manifest;
	int64_t bytes;
};

/* --- where it goes ------------------------------------------------------------------------------------------------ */

static bool is_empty_dir(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	bool empty = dir;

	while (dir && (entry = readdir(dir)))
		empty = empty && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
	if (dir)
		closedir(dir);
	return empty;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

static void remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int prepare_target(struct backup_call *call, struct copy *copy)
{
	struct stat st;

	if (stat(call->path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			call->is_dir = true;
		else if (call->is_dir)
			return backup_refuse(call, -ENOTDIR, "%s is no directory", call->path);
		if (call->is_dir ? !is_empty_dir(call->path) : !call->options->yes)
			return backup_refuse(call, -EEXIST, "%s is there already%s", call->path,
					     call->is_dir ? " and not empty: name another" : ": --yes writes over it");
	}
	snprintf(copy->part, sizeof(copy->part), "%s.part", call->path);
	if (lstat(copy->part, &st) == 0)
		remove_tree(copy->part); /* of one that was cut off */
	return 0;
}

static int check_room(struct backup_call *call)
{
	DATABASE_RESULT result = NULL;
	char folder[PATH_MAX], *slash;
	struct statvfs fs;
	int64_t needed, there;
	int r;

	r = backup_sql(call,
		       "SELECT coalesce(sum(pg_catalog.pg_table_size(c.oid)), 0)::bigint AS bytes"
		       " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
		       " WHERE n.nspname IN ('shoal', 'shoal_part') AND c.relkind = 'r'",
		       &result);
	if (r < 0)
		return r;
	snprintf(folder, sizeof(folder), "%s", call->path);
	slash = strrchr(folder, '/');
	if (!slash)
		snprintf(folder, sizeof(folder), ".");
	else
		slash[slash == folder] = '\0';
	if (statvfs(folder, &fs) < 0)
		return backup_refuse(call, -errno, "%s: %s", folder, strerror(errno));
	needed = database_int(result, 0, "bytes");
	there = (int64_t)(fs.f_bavail * (uint64_t)fs.f_frsize);
	if (there >= needed || call->options->yes)
		return 0;
	return backup_refuse(
		call, -ENOSPC,
		"%s has %s free, and the tables hold %s before they are packed: make room, or give --yes to "
		"try it all the same",
		folder, ctl_kib(there / 1024), ctl_kib(needed / 1024));
}

/* --- what is copied ----------------------------------------------------------------------------------------------- */

/* Opens the view that pg_dump and our count share, and begins the manifest. */
static int open_view(struct backup_call *call, struct copy *copy)
{
	DATABASE_RESULT facts = NULL, *snapshot = NULL;
	char at[CLOCK_ISO_SIZE];
	int r;

	r = backup_sql(call, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL);
	if (r == 0)
		r = backup_sql(call, "SELECT pg_catalog.pg_export_snapshot() AS id", &snapshot);
	if (r == 0)
		r = backup_sql(call,
			       "SELECT pg_catalog.to_regclass('shoal.migration') IS NOT NULL AS is_there,"
			       " pg_catalog.current_setting('server_version') AS server",
			       &facts);
	if (r < 0)
		return r;
	if (!database_bool(facts, 0, "is_there"))
		return backup_refuse(call, -ENODATA, "database %s has no schema shoal: there is nothing to copy",
				     PQdb(call->connection));
	snprintf(copy->snapshot, sizeof(copy->snapshot), "%s", database_text(snapshot, 0, "id"));
	copy->manifest = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s}", "format", "shoal-backup", "version", 1, "made_at",
				   clock_format_iso(clock_wall_ms(), at), "program", shoal_version, "server",
				   database_text(facts, 0, "server"), "database", PQdb(call->connection));
	return copy->manifest ? 0 : -ENOMEM;
}

/* The oldest program that may run on it, what it takes on a server, and the roles that rights are given to. */
static int describe(struct backup_call *call, json_t *manifest)
{
	DATABASE_RESULT oldest = NULL, *roles = NULL, *size = NULL;
	json_t *names;
	int r;

	r = backup_sql(call,
		       "SELECT oldest_program, count(*) OVER () AS applied FROM shoal.migration"
		       " ORDER BY pg_catalog.string_to_array(oldest_program, '.')::int[] DESC LIMIT 1",
		       &oldest);
	if (r == 0)
		r = backup_sql(
			call,
			"SELECT DISTINCT rolname FROM (SELECT (pg_catalog.aclexplode(relacl)).grantee FROM"
			" pg_catalog.pg_class WHERE relnamespace IN (SELECT oid FROM pg_catalog.pg_namespace"
			"  WHERE nspname IN ('shoal', 'shoal_part')) UNION ALL"
			" SELECT (pg_catalog.aclexplode(nspacl)).grantee FROM pg_catalog.pg_namespace"
			"  WHERE nspname IN ('shoal', 'shoal_part') UNION ALL"
			" SELECT (pg_catalog.aclexplode(proacl)).grantee FROM pg_catalog.pg_proc WHERE"
			"  pronamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'shoal')) AS a"
			" JOIN pg_catalog.pg_roles r ON r.oid = a.grantee"
			" WHERE r.oid <> (SELECT nspowner FROM pg_catalog.pg_namespace WHERE nspname = 'shoal')"
			" ORDER BY 1",
			&roles);
	if (r == 0)
		r = backup_sql(call,
			       "SELECT coalesce(sum(pg_catalog.pg_total_relation_size(c.oid)), 0)::bigint AS bytes"
			       " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
			       " WHERE n.nspname IN ('shoal', 'shoal_part') AND c.relkind = 'r'",
			       &size);
	if (r < 0)
		return r;
	json_object_set_new(manifest, "table_bytes", json_integer(database_int(size, 0, "bytes")));
	json_object_set_new(manifest, "oldest_program", json_string(database_text(oldest, 0, "oldest_program")));
	json_object_set_new(manifest, "migrations", json_integer(database_int(oldest, 0, "applied")));
	names = json_array();
	for (int i = 0; i < PQntuples(roles); i++)
		json_array_append_new(names, json_string(database_text(roles, i, "rolname")));
	json_object_set_new(manifest, "roles", names);
	return 0;
}

static int dump(struct backup_call *call, struct copy *copy)
{
	char program[PATH_MAX], snapshot[96], jobs[32], file[PATH_MAX + 16];
	char *argv[16];
	size_t n = 0;
	struct backup_child child;
	json_t *tables = NULL;
	int r, counted;

	r = backup_find_program(call, "pg_dump", program);
	if (r < 0)
		return r;
	snprintf(snapshot, sizeof(snapshot), "--snapshot=%s", copy->snapshot);
	snprintf(file, sizeof(file), "--file=%s", copy->part);
	snprintf(jobs, sizeof(jobs), "--jobs=%u", call->jobs);
	argv[n++] = (char[]){ "pg_dump" };
	argv[n++] = call->is_dir ? (char[]){ "--format=directory" } : (char[]){ "--format=custom" };
	argv[n++] = (char[]){ "--schema=shoal" };
	argv[n++] = (char[]){ "--schema=shoal_part" };
	argv[n++] = (char[]){ "--no-password" };
	argv[n++] = snapshot;
	argv[n++] = file;
	if (call->is_dir && call->jobs)
		argv[n++] = jobs;
	argv[n] = NULL;
	r = backup_spawn(call, program, argv, &child);
	if (r < 0)
		return r;
	/* Meanwhile, in the same view. */
	counted = backup_count(call, &tables);
	if (counted == 0)
		json_object_set_new(copy->manifest, "tables", tables);
	r = backup_wait(call, &child);
	return r < 0 ? r : counted;
}

/* --- making it last ----------------------------------------------------------------------------------------------- */

static int64_t tree_bytes;

static int sync_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r;

	(void)where;
	if (fd < 0)
		return -1;
	r = fsync(fd);
	close(fd);
	tree_bytes += kind == FTW_F ? st->st_size : 0;
	return r;
}

static int sync_folder_of(const char *path)
{
	char folder[PATH_MAX], *slash;
	CLEANUP(cleanup_close) int fd = -1;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (!slash)
		snprintf(folder, sizeof(folder), ".");
	else
		slash[slash == folder] = '\0';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int write_manifest(struct backup_call *call, const json_t *manifest, const char *path)
{
	CLEANUP(cleanup_close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || json_dumpfd(manifest, fd, JSON_INDENT(1)) < 0 || fsync(fd) < 0)
		return backup_refuse(call, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

/* Everything of it on the disk, then its name. */
static int settle(struct backup_call *call, struct copy *copy)
{
	char manifest[PATH_MAX], inside[PATH_MAX + 32];
	json_t *files = NULL;
	int r;

	tree_bytes = 0;
	if (nftw(copy->part, sync_one, 16, FTW_PHYS) != 0)
		return backup_refuse(call, -errno, "%s: %s", copy->part, strerror(errno));
	copy->bytes = tree_bytes;
	r = backup_hash_files(call, copy->part, &files);
	if (r < 0)
		return r;
	json_object_set_new(copy->manifest, "files", files);
	json_object_set_new(copy->manifest, "bytes", json_integer(copy->bytes));
	backup_manifest_path(call, manifest);
	snprintf(inside, sizeof(inside), "%s/" BACKUP_MANIFEST_NAME, copy->part);
	r = write_manifest(call, copy->manifest, call->is_dir ? inside : manifest);
	if (r == 0 && rename(copy->part, call->path) < 0)
		r = backup_refuse(call, -errno, "%s: %s", call->path, strerror(errno));
	return r < 0 ? r : sync_folder_of(call->path);
}

/* --- all together ------------------------------------------------------------------------------------------------- */

static int print_made(const struct backup_call *call, const struct copy *copy)
{
	const json_t *tables = json_object_get(copy->manifest, "tables"), *table;
	double seconds = (double)(clock_monotonic_ns() - call->began_ns) / (double)NS_PER_S;
	int64_t rows = 0;
	json_t *answer;
	size_t i;

	json_array_foreach(tables, i, table) rows += ctl_int(table, "rows");
	answer = json_pack("{s:s, s:I, s:I, s:I, s:f, s:O}", "path", call->path, "bytes", (json_int_t)copy->bytes,
			   "rows", (json_int_t)rows, "tables", (json_int_t)json_array_size(tables), "seconds", seconds,
			   "manifest", copy->manifest);
	if (call->options->json)
		ctl_print_json(answer);
	else
		printf("%s: %s rows of %zu tables, %s, %.1f s\n", call->path, ctl_count(rows), json_array_size(tables),
		       ctl_kib(copy->bytes / 1024), seconds);
	json_decref(answer);
	return CTL_OK;
}

static int make(struct backup_call *call, struct copy *copy)
{
	int r = prepare_target(call, copy);
	mode_t mask = umask(0077); /* members' data: for its owner alone */

	if (r == 0)
		r = open_view(call, copy);
	if (r == 0)
		r = check_room(call);
	if (r == 0)
		r = describe(call, copy->manifest);
	if (r == 0)
		r = dump(call, copy);
	if (r == 0)
		r = settle(call, copy);
	if (r < 0 && copy->snapshot[0])
		remove_tree(copy->part);
	umask(mask);
	return r;
}

int ctl_backup(int argc, char **argv, const struct ctl_options *options)
{
	struct backup_call call = { .options = options };
	struct copy copy = { .manifest = NULL };
	char full[PATH_MAX];
	int r = backup_parse(&call, argc, argv);

	if (r != CTL_OK)
		return r;
	r = backup_open(&call);
	if (r == CTL_OK) {
		r = make(&call, &copy);
		if (r < 0) {
			r = backup_fail(&call, r);
		} else {
			r = backup_note_write(options->config->supervisor_state_dir,
					      realpath(call.path, full) ? full : call.path, copy.bytes);
			if (r < 0 && !options->json)
				fprintf(stderr, "shoalctl: the copy is made; doctor will not know of it (%s: %s)\n",
					options->config->supervisor_state_dir, strerror(-r));
			r = print_made(&call, &copy);
		}
	}
	json_decref(copy.manifest);
	backup_close(&call);
	return r;
}
