/* What backup and restore have in common. Run by shoalctl. Secrets go to pg_dump and pg_restore by their environment,
 * which only the same user can read; never by arguments. */
#include "supervisor/ctl/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "shared/base/clock.h"
#include "shared/base/errors.h"

#define NOTE_NAME    "backup.json"
#define JOBS_MAX     64
#define ENV_MAX      64
#define FILES_MAX    100000
#define MANIFEST_MAX (64 * 1024 * 1024)

/* --- one run ------------------------------------------------------------------------------------------------------ */

int backup_refuse(struct backup_call *call, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(call->error, sizeof(call->error), format, args);
	va_end(args);
	return error;
}

int backup_fail(struct backup_call *call, int error)
{
	int code = error == -SHOAL_EOFFLINE ? CTL_AWAY : error == -EINVAL ? CTL_CONFIG : CTL_FAILED;

	if (!call->error[0])
		snprintf(call->error, sizeof(call->error), "%s", error_text(error));
	for (char *at = call->error; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = ' ';
	return ctl_fail(call->options, code, error_name(error), call->error);
}

int backup_sql(struct backup_call *call, const char *sql, PGresult **ret_result)
{
	struct database_error error;
	int r = database_run(call->connection, 0, sql, 0, NULL, ret_result, &error);

	return r < 0 ? backup_refuse(call, r, "%s", error.text) : 0;
}

int backup_parse(struct backup_call *call, int argc, char **argv)
{
	static char path[PATH_MAX - 64]; /* room for what is put behind it */
	const char *verb = argv[0];
	size_t len;

	for (int i = 1; i < argc; i++) {
		const char *value = strncmp(argv[i], "--jobs=", 7) == 0 ? argv[i] + 7 : NULL;

		if (strcmp(argv[i], "--jobs") == 0 && i + 1 < argc)
			value = argv[++i];
		if (value) {
			char *end;
			unsigned long jobs = strtoul(value, &end, 10);

			if (!*value || *end || jobs < 1 || jobs > JOBS_MAX)
				return ctl_usage(verb, "--jobs wants a number from 1 to 64");
			call->jobs = (uint32_t)jobs;
		} else if (argv[i][0] == '-' || call->path) {
			return ctl_usage(verb, "wants one file or directory");
		} else {
			call->path = argv[i];
		}
	}
	len = call->path ? strlen(call->path) : 0;
	if (len == 0 || len >= sizeof(path))
		return ctl_usage(verb, "wants one file or directory");
	memcpy(path, call->path, len + 1);
	call->is_dir = path[len - 1] == '/';
	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	call->path = path;
	return CTL_OK;
}

int backup_open(struct backup_call *call)
{
	struct database_error error;
	bool pooler = false;
	int r;

	call->began_ns = clock_monotonic_ns();
	call->config = ctl_database_config(call->options, &call->own);
	if (!call->config)
		return ctl_fail(call->options, CTL_CONFIG, "EINVAL",
				"no database is configured: set postgres.conninfo, or DATABASE_URL in the environment");
	r = database_connect(call->config->postgres_conninfo, "shoalctl backup",
			     call->options->timeout_given ? (uint32_t)call->options->timeout_ms : BACKUP_CONNECT_MS,
			     &call->connection, &error);
	if (r == 0)
		r = database_has_pooler(call->connection, BACKUP_CONNECT_MS, &pooler, &error);
	if (r < 0)
		return backup_fail(call,
				   backup_refuse(call, r, "%s%s%s", error.text, error.hint && *error.hint ? "; " : "",
						 error.hint ? error.hint : ""));
	if (pooler)
		return backup_fail(call, backup_refuse(call, -EOPNOTSUPP,
						       "postgres.conninfo leads to a pooler, and a copy wants the "
						       "server itself: give its address in DATABASE_URL"));
	return CTL_OK;
}

void backup_close(struct backup_call *call)
{
	PQfinish(call->connection);
	call->connection = NULL;
	call->own = config_free(call->own);
}

void backup_manifest_path(const struct backup_call *call, char path[PATH_MAX])
{
	if (call->is_dir)
		snprintf(path, PATH_MAX, "%s/" BACKUP_MANIFEST_NAME, call->path);
	else
		snprintf(path, PATH_MAX, "%s.manifest.json", call->path);
}

/* --- PostgreSQL's programs ---------------------------------------------------------------------------------------- */

/* "pg_dump (PostgreSQL) 15.8 (Debian …)": 15; 0 when it says something else. */
static int program_version(const char *path)
{
	char command[PATH_MAX + 32], line[256];
	FILE *pipe;
	int major = 0;

	/* The path is of our own making; no shell character can stand in it. */
	if (strpbrk(path, "'\\"))
		return 0;
	snprintf(command, sizeof(command), "'%s' --version 2>/dev/null", path);
	pipe = popen(command, "re");
	if (!pipe)
		return 0;
	if (!fgets(line, sizeof(line), pipe) || sscanf(line, "%*s (PostgreSQL) %d", &major) != 1)
		major = 0;
	pclose(pipe);
	return major;
}

static void try_program(const char *path, int *best, char best_path[PATH_MAX])
{
	int major = access(path, X_OK) == 0 ? program_version(path) : 0;

	if (major <= *best)
		return;
	*best = major;
	snprintf(best_path, PATH_MAX, "%s", path);
}

int backup_find_program(struct backup_call *call, const char *name, char path[PATH_MAX])
{
	int wanted = PQserverVersion(call->connection) / 10000, best = 0;
	char words[4096], candidate[PATH_MAX], *save = NULL;
	const char *folders = getenv("PATH");
	DIR *dir = opendir("/usr/lib/postgresql");
	const struct dirent *entry;

	/* Debian's own place first: what it puts on the PATH is a wrapper that looks for servers of its own. */
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && snprintf(candidate, sizeof(candidate), "/usr/lib/postgresql/%s/bin/%s",
							entry->d_name, name) < (int)sizeof(candidate))
			try_program(candidate, &best, path);
	if (dir)
		closedir(dir);
	snprintf(words, sizeof(words), "%s", folders ? folders : "/usr/bin");
	for (char *folder = strtok_r(words, ":", &save); folder && best < wanted; folder = strtok_r(NULL, ":", &save))
		if (snprintf(candidate, sizeof(candidate), "%s/%s", folder, name) < (int)sizeof(candidate))
			try_program(candidate, &best, path);
	if (best >= wanted)
		return 0;
	return backup_refuse(call, -ENOENT, "%s of version %d or later is not here: install postgresql-client-%d", name,
			     wanted, wanted);
}

struct child_env {
	char *entries[ENV_MAX + 1];
	size_t count;
};

static void env_add(struct child_env *env, const char *name, const char *value)
{
	if (!value || !*value || env->count == ENV_MAX)
		return;
	if (asprintf(&env->entries[env->count], "%s=%s", name, value) < 0)
		env->entries[env->count] = NULL;
	else
		env->count++;
}

/* Its commits need not be waited for: the one of ours behind them, which is, takes them along. */
static void env_add_unwaited(struct child_env *env, const char *given)
{
	char options[1024];

	if (snprintf(options, sizeof(options), "%s%s-c synchronous_commit=off", given ? given : "", given ? " " : "") <
	    (int)sizeof(options))
		env_add(env, "PGOPTIONS", options);
	else
		env_add(env, "PGOPTIONS", given);
}

/* Everything that our own connection was made with, narrowed to the one server that it reached. */
static void env_make(const struct backup_call *call, struct child_env *env)
{
	static const char *const kept[] = { "PATH", "HOME", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR" };
	static const char *const replaced[] = { "host",
						"hostaddr",
						"port",
						"dbname",
						"target_session_attrs",
						"fallback_application_name",
						"application_name",
						"options" };
	PQconninfoOption *options = PQconninfo(call->connection);

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		env_add(env, kept[i], getenv(kept[i]));
	for (const PQconninfoOption *option = options; option && option->keyword; option++) {
		bool skip = !option->envvar;

		for (size_t i = 0; i < ARRAY_SIZE(replaced); i++)
			skip = skip || strcmp(option->keyword, replaced[i]) == 0;
		if (!skip)
			env_add(env, option->envvar, option->val);
	}
	for (const PQconninfoOption *option = options; option && option->keyword; option++)
		if (strcmp(option->keyword, "options") == 0)
			env_add_unwaited(env, option->val);
	PQconninfoFree(options);
	env_add(env, "PGHOST", PQhost(call->connection));
	env_add(env, "PGHOSTADDR", PQhostaddr(call->connection));
	env_add(env, "PGPORT", PQport(call->connection));
	env_add(env, "PGDATABASE", PQdb(call->connection));
	env_add(env, "PGAPPNAME", "shoalctl backup");
	env_add(env, "LC_ALL", "C"); /* its words are read by us */
}

static void env_finish(struct child_env *env)
{
	for (size_t i = 0; i < env->count; i++) {
		explicit_bzero(env->entries[i], strlen(env->entries[i]));
		free(env->entries[i]);
	}
}

__attribute__((noreturn)) static void become(const char *program, char *const argv[], char *const env[], int errors,
					     int parent)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* Whoever ends us ends it: a half-made copy by itself is of no use. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent || null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(errors, STDERR_FILENO) < 0)
		_exit(126);
	execve(program, argv, env);
	dprintf(STDERR_FILENO, "%s: %s\n", program, strerror(errno));
	_exit(127);
}

int backup_spawn(struct backup_call *call, const char *program, char *const argv[], struct backup_child *ret_child)
{
	struct child_env env = { .count = 0 };
	int fds[2], parent = getpid();
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	env_make(call, &env);
	pid = fork();
	if (pid == 0)
		become(program, argv, env.entries, fds[1], parent);
	env_finish(&env);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return -errno;
	}
	*ret_child = (struct backup_child){ .pid = pid, .errors = fds[0], .name = argv[0] };
	return 0;
}

/* The first line that says what went wrong: what follows it are consequences. */
static void first_error(char *text, char *line, size_t size)
{
	char *error = strstr(text, "error: ");
	bool locks = strstr(text, "max_locks_per_transaction");

	error = error ? error + strlen("error: ") : text;
	snprintf(line, size, "%.*s", (int)strcspn(error, "\n"), error);
	if (strstr(text, "DETAIL:  ")) {
		const char *detail = strstr(text, "DETAIL:  ") + strlen("DETAIL:  ");
		size_t len = strlen(line);

		snprintf(line + len, size - len, " (%.*s)", (int)strcspn(detail, "\n"), detail);
	}
	if (locks) {
		size_t len = strlen(line);

		snprintf(line + len, size - len, ": raise the server's max_locks_per_transaction");
	}
}

int backup_wait(struct backup_call *call, struct backup_child *child)
{
	char text[8192] = "", line[BACKUP_TEXT_SIZE / 2], drop[1024];
	size_t len = 0;
	ssize_t n;
	int status = 0;

	for (;;) {
		bool full = len == sizeof(text) - 1;

		n = full ? read(child->errors, drop, sizeof(drop))
			 : read(child->errors, text + len, sizeof(text) - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += full ? 0 : (size_t)n;
	}
	text[len] = '\0';
	close(child->errors);
	while (waitpid(child->pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	first_error(text, line, sizeof(line));
	if (WIFSIGNALED(status))
		return backup_refuse(call, -EREMOTEIO, "%s was killed by signal %d%s%s", child->name, WTERMSIG(status),
				     line[0] ? ": " : "", line);
	return backup_refuse(call, -EREMOTEIO, "%s: %s", child->name, line[0] ? line : "failed without a word");
}

/* --- what is in the tables ---------------------------------------------------------------------------------------- */

/* Within a transaction its locks are given back at once (a subtransaction that is undone does): those of all tables and
 * their partitions together would be more than a server has room for. */
static int count_one(struct backup_call *call, const char *name, json_t *tables)
{
	bool within = PQtransactionStatus(call->connection) == PQTRANS_INTRANS;
	char *quoted = PQescapeIdentifier(call->connection, name, strlen(name));
	CLEANUP(cleanup_free) char *sql = NULL;
	DATABASE_RESULT result = NULL;
	int r;

	if (!quoted || asprintf(&sql,
				"SELECT count(*) AS rows,"
				" coalesce(sum(pg_catalog.hashtextextended(t::text, 0)::numeric), 0)::text AS digest"
				" FROM shoal.%s AS t",
				quoted) < 0)
		sql = NULL;
	PQfreemem(quoted);
	r = !sql ? -ENOMEM : within ? backup_sql(call, "SAVEPOINT one_table", NULL) : 0;
	if (r == 0)
		r = backup_sql(call, sql, &result);
	if (r == 0 && within)
		r = backup_sql(call, "ROLLBACK TO SAVEPOINT one_table", NULL);
	if (r < 0)
		return r;
	json_array_append_new(tables, json_pack("{s:s, s:I, s:s}", "name", name, "rows",
						(json_int_t)database_int(result, 0, "rows"), "digest",
						database_text(result, 0, "digest")));
	return 0;
}

int backup_count(struct backup_call *call, json_t **ret_tables)
{
	DATABASE_RESULT names = NULL;
	json_t *tables;
	int r;

	/* A row's text depends on these. */
	r = backup_sql(call,
		       "SET search_path = pg_catalog; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD';"
		       " SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; SET extra_float_digits = 1",
		       NULL);
	if (r == 0)
		r = backup_sql(
			call,
			"SELECT relname FROM pg_catalog.pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
			" AND relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'shoal')"
			" ORDER BY relname",
			&names);
	if (r < 0)
		return r;
	tables = json_array();
	for (int i = 0; r == 0 && i < PQntuples(names); i++)
		r = count_one(call, database_text(names, i, "relname"), tables);
	if (r < 0)
		json_decref(tables);
	else
		*ret_tables = tables;
	return r;
}

/* --- checksums of files ------------------------------------------------------------------------------------------- */

static int hash_file(struct backup_call *call, const char *path, char hex[65])
{
	CLEANUP(cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	CLEANUP(cleanup_free) unsigned char *bytes = malloc(1 << 20);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int digest_len = 0;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	ssize_t n = -1;

	if (fd >= 0 && bytes && context && EVP_DigestInit_ex(context, EVP_sha256(), NULL))
		while ((n = read(fd, bytes, 1 << 20)) > 0)
			EVP_DigestUpdate(context, bytes, (size_t)n);
	if (n == 0)
		EVP_DigestFinal_ex(context, digest, &digest_len);
	EVP_MD_CTX_free(context);
	if (n != 0)
		return backup_refuse(call, errno ? -errno : -EIO, "%s: %s", path, strerror(errno ? errno : EIO));
	for (unsigned int i = 0; i < digest_len; i++)
		snprintf(hex + 2 * (size_t)i, 3, "%02x", digest[i]);
	return 0;
}

static int hash_into(struct backup_call *call, const char *path, const char *name, json_t *files)
{
	char hex[65];
	int r = hash_file(call, path, hex);

	if (r == 0)
		json_object_set_new(files, name, json_string(hex));
	return r;
}

int backup_hash_files(struct backup_call *call, const char *path, json_t **ret_files)
{
	json_t *files = json_object();
	const struct dirent *entry;
	char file[PATH_MAX];
	DIR *dir = NULL;
	int r = 0;

	if (!call->is_dir) {
		r = hash_into(call, path, "dump", files);
	} else {
		dir = opendir(path);
		if (!dir)
			r = backup_refuse(call, -errno, "%s: %s", path, strerror(errno));
	}
	while (r == 0 && dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, BACKUP_MANIFEST_NAME) == 0)
			continue;
		if (json_object_size(files) == FILES_MAX ||
		    snprintf(file, sizeof(file), "%s/%s", path, entry->d_name) >= (int)sizeof(file))
			r = backup_refuse(call, -E2BIG, "%s holds more than a copy does", path);
		else
			r = hash_into(call, file, entry->d_name, files);
	}
	if (dir)
		closedir(dir);
	if (r < 0)
		json_decref(files);
	else
		*ret_files = files;
	return r;
}

/* --- when the last one was made ----------------------------------------------------------------------------------- */

int backup_note_read(const char *state_dir, struct backup_note *ret_note)
{
	char path[PATH_MAX];
	json_t *note;
	int r = -EBADMSG;

	if (snprintf(path, sizeof(path), "%s/" NOTE_NAME, state_dir) >= (int)sizeof(path) || access(path, R_OK) < 0)
		return -ENOENT;
	note = json_load_file(path, 0, NULL);
	if (json_is_integer(json_object_get(note, "at_s")) && json_is_string(json_object_get(note, "path"))) {
		*ret_note = (struct backup_note){ .at_s = ctl_int(note, "at_s"), .bytes = ctl_int(note, "bytes") };
		snprintf(ret_note->path, sizeof(ret_note->path), "%s", ctl_text(note, "path"));
		r = 0;
	}
	json_decref(note);
	return r;
}

int backup_note_write(const char *state_dir, const char *path, int64_t bytes)
{
	char to[PATH_MAX], fresh[PATH_MAX];
	json_t *note;
	int r;

	if (snprintf(to, sizeof(to), "%s/" NOTE_NAME, state_dir) >= (int)sizeof(to) ||
	    snprintf(fresh, sizeof(fresh), "%s/" NOTE_NAME ".new", state_dir) >= (int)sizeof(fresh))
		return -ENAMETOOLONG;
	note = json_pack("{s:I, s:s, s:I}", "at_s", (json_int_t)time(NULL), "path", path, "bytes", (json_int_t)bytes);
	errno = 0;
	r = !note || json_dump_file(note, fresh, JSON_INDENT(1)) < 0 || rename(fresh, to) < 0 ? -(errno ? errno : EIO)
											      : 0;
	json_decref(note);
	return r;
}
