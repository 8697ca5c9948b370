/* Preparations of shoald, before its loop runs: these calls may block. They must leave nothing secret where another
 * process could read it. */
#include "supervisor/surroundings.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/base/kill_point.h"
#include "shared/bus/subjects.h"
#include "shared/control/control.h"
#include "shared/db/conninfo.h"
#include "shared/discord/url.h"
#include "shared/log/log.h"
#include "supervisor/http.h"
#include "supervisor/intents.h"

extern char **environ;

/* Boards, caches and their lock files at their smallest. */
#define ROOM_BASE_KIB  256
#define ROOM_SHARD_KIB 96

/* Whoever starts us with these closed would have our sockets and boards take their numbers, and our log. */
static void fill_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

void surroundings_harden(void)
{
	const struct rlimit none = { 0, 0 };
	struct rlimit files;

	fill_standard_descriptors();
	/* A file size limit is then an error that is told, as a full disk is. */
	signal(SIGXFSZ, SIG_IGN);

	umask(0077);
	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		log_warn(NULL, "supervisor.not_hardened", KV_ERR(-errno),
			 KV_MSG("core dumps could not be switched off; they would hold the bot's token"));
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* "shoal.ini:12: discord.intents: …": where the key was given, if anywhere, the key, and what is wrong with it. */
__attribute__((format(printf, 4, 5))) static int refuse(const struct config *config, const char *key, char *error,
							const char *format, ...)
{
	const char *place = config_place(config, key);
	int len = snprintf(error, SURROUNDINGS_ERROR_SIZE, "%.160s%s%s: ", place, *place ? ": " : "", key);
	va_list args;

	va_start(args, format);
	vsnprintf(error + len, SURROUNDINGS_ERROR_SIZE - (size_t)len, format, args);
	va_end(args);
	return -EINVAL;
}

static int check_token(const struct config *config, char *error)
{
	if (config->discord_token[0])
		return 0;
	snprintf(error, SURROUNDINGS_ERROR_SIZE,
		 "discord.token is not set: give the bot's token by the environment (DISCORD_TOKEN), by "
		 "discord.token_file, or in shoal.ini");
	return -EINVAL;
}

static int check_ca_file(const struct config *config, char *error)
{
	static const char key[] = "discord.ca_file";
	const char *path = config->discord_ca_file;
	X509 *first;
	FILE *file;

	if (!*path)
		return 0;
	file = fopen(path, "re");
	if (!file)
		return refuse(config, key, error, "\"%.240s\" can't be read: %s", path, strerror(errno));
	first = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	if (!first)
		return refuse(config, key, error, "\"%.240s\" holds no certificate in PEM form", path);
	X509_free(first);
	return 0;
}

static int check_intents(const struct config *config, char *error)
{
	const char *bad = "";
	uint32_t intents;
	int r = intents_parse(config->discord_intents, &intents, &bad);

	if (r == 0 || r == -ENODATA)
		return 0;
	return refuse(config, "discord.intents", error,
		      "\"%.*s\" is no intent; give auto, a number, or names such as GUILDS,GUILD_MESSAGES",
		      (int)strcspn(bad, ", \t|"), bad);
}

static int check_http_listen(const struct config *config, char *error)
{
	struct sockaddr_storage address;

	if (!config->supervisor_http_listen[0] || http_address(config->supervisor_http_listen, &address) == 0)
		return 0;
	return refuse(config, "supervisor.http_listen", error,
		      "\"%s\" is no address:port such as 127.0.0.1:9470 or [::1]:9470", config->supervisor_http_listen);
}

static int check_runtime_dir(const struct config *config, char *error)
{
	char socket_path[SURROUNDINGS_PATH_SIZE];

	if (control_socket_path(config->supervisor_runtime_dir, socket_path, sizeof(socket_path)) == 0)
		return 0;
	return refuse(config, "supervisor.runtime_dir", error,
		      "the path of the control socket in \"%s\" is too long (107 bytes at most): choose a shorter "
		      "directory",
		      config->supervisor_runtime_dir);
}

static int check_cluster(const struct config *config, char *error)
{
	if (subject_check_cluster(config->supervisor_cluster) == 0)
		return 0;
	return refuse(config, "supervisor.cluster", error,
		      "\"%s\" is no name of a cluster: letters, digits, _ and - alone, %d at most",
		      config->supervisor_cluster, SUBJECT_CLUSTER_MAX);
}

static int check_conninfo(const struct config *config, const char *key, const char *text, char *error)
{
	struct conninfo *conninfo = NULL;
	char why[CONNINFO_TEXT_SIZE] = "";
	int r = *text ? conninfo_parse(text, &conninfo, why) : 0;

	conninfo_free(conninfo);
	return r == 0 ? 0 : refuse(config, key, error, "%s", why[0] ? why : error_text(r));
}

/* Only its scheme is looked at where the options are read. */
static int check_gateway_url(const struct config *config, char *error)
{
	struct url url;

	if (!config->discord_gateway_url[0] || url_parse(config->discord_gateway_url, &url) == 0)
		return 0;
	return refuse(config, "discord.gateway_url", error, "\"%s\" is not of the form wss://host[:port]/",
		      config->discord_gateway_url);
}

int surroundings_check(const struct config *config, const char *worker_path, char error[SURROUNDINGS_ERROR_SIZE])
{
	static int (*const checks[])(const struct config *config, char *error) = {
		check_token,       check_gateway_url, check_ca_file, check_http_listen,
		check_runtime_dir, check_cluster,     check_intents,
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(checks); i++)
		r = checks[i](config, error);
	if (r == 0)
		r = check_conninfo(config, "postgres.conninfo", config->postgres_conninfo, error);
	if (r == 0)
		r = check_conninfo(config, "postgres.read_conninfo", config->postgres_read_conninfo, error);
	if (r == 0 && access(worker_path, X_OK) < 0)
		r = refuse(config, "supervisor.worker", error, "\"%.240s\" can't be run: %s", worker_path,
			   strerror(errno));
	return r;
}

/* Every missing part of @path; those that are there are left as they are. */
static int make_path(const char *path)
{
	char part[SURROUNDINGS_PATH_SIZE];

	if (strlen(path) >= sizeof(part))
		return -ENAMETOOLONG;
	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		/* Others must be able to pass through what lies above ours. */
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(part, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int make_dir(const struct config *config, const char *key, const char *path, char *error)
{
	mode_t mask = umask(0022);
	struct stat st;
	int r = make_path(path);

	umask(mask);
	if (r == 0 && stat(path, &st) < 0)
		r = -errno;
	if (r == 0 && !S_ISDIR(st.st_mode))
		r = -ENOTDIR;
	if (r < 0) {
		refuse(config, key, error, "the directory \"%s\" can't be made: %s", path, error_text(r));
		return r;
	}
	if (st.st_uid != geteuid() || (st.st_mode & 0022)) {
		refuse(config, key, error,
		       "\"%s\" must belong to the user that runs shoald and not be writable by others (it is %03o of "
		       "user %u)",
		       path, st.st_mode & 0777, st.st_uid);
		return -EPERM;
	}
	if (access(path, W_OK | X_OK) < 0) {
		r = -errno;
		refuse(config, key, error, "\"%s\" is not writable: %s", path, strerror(-r));
		return r;
	}
	return 0;
}

int surroundings_make_dirs(const struct config *config, char error[SURROUNDINGS_ERROR_SIZE])
{
	int r = make_dir(config, "supervisor.runtime_dir", config->supervisor_runtime_dir, error);

	return r < 0 ? r : make_dir(config, "supervisor.state_dir", config->supervisor_state_dir, error);
}

int surroundings_check_room(const struct config *config, uint32_t shards, char error[SURROUNDINGS_ERROR_SIZE])
{
	uint64_t needed_kib = ROOM_BASE_KIB + (uint64_t)shards * ROOM_SHARD_KIB, free_kib;
	struct statvfs fs;

	if (statvfs(config->supervisor_runtime_dir, &fs) < 0)
		return -errno;
	free_kib = (uint64_t)fs.f_bavail * fs.f_frsize / 1024;
	if (free_kib >= needed_kib)
		return 0;
	snprintf(error, SURROUNDINGS_ERROR_SIZE,
		 "supervisor.runtime_dir: the file system of \"%s\" is too full: %" PRIu64 " KiB are free, %" PRIu32
		 " shards need %" PRIu64 " KiB to start",
		 config->supervisor_runtime_dir, free_kib, shards, needed_kib);
	return -ENOSPC;
}

int surroundings_worker_path(const struct config *config, char path[SURROUNDINGS_PATH_SIZE])
{
	static const char name[] = "shoal-shard";
	char self[PATH_MAX], *slash;
	ssize_t n;

	if (config->supervisor_worker[0]) {
		if (strlen(config->supervisor_worker) >= SURROUNDINGS_PATH_SIZE)
			return -ENAMETOOLONG;
		strcpy(path, config->supervisor_worker);
		return 0;
	}
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		return -errno;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (!slash || (size_t)(slash + 1 - self) + sizeof(name) > SURROUNDINGS_PATH_SIZE)
		return -ENAMETOOLONG;
	memcpy(path, self, (size_t)(slash + 1 - self));
	memcpy(path + (slash + 1 - self), name, sizeof(name));
	return 0;
}

void surroundings_host(const struct config *config, char *host, size_t size)
{
	if (config->supervisor_host_id[0])
		snprintf(host, size, "%s", config->supervisor_host_id);
	else if (gethostname(host, size) < 0)
		snprintf(host, size, "unknown");
	host[size - 1] = '\0';
}

int surroundings_owner_pid(const char *runtime_dir)
{
	CLEANUP(cleanup_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct ucred who;
	socklen_t size = sizeof(who);

	if (fd < 0 || control_socket_path(runtime_dir, address.sun_path, sizeof(address.sun_path)) < 0 ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0)
		return 0;
	return who.pid;
}

/* What a worker may inherit. A list of what may, not of what may not: a secret by a name we never heard of stays out.
 */
static const char *const inherited[] = {
	KILL_POINT_ENVIRONMENT "PATH",
	"LANG",
	"LC_ALL",
	"LC_CTYPE",
	"TZ",
	"HOME",
	"TMPDIR",
	"JOURNAL_STREAM",
	"INVOCATION_ID",
	"NO_COLOR",
	"TERM",
	"SSL_CERT_FILE",
	"SSL_CERT_DIR",
	"ASAN_OPTIONS",
	"UBSAN_OPTIONS",
	"LSAN_OPTIONS",
	"MALLOC_CONF",
	"MALLOC_ARENA_MAX",
};

/* What a worker is given, for its memory's sake: there are many of them. */
static const char *const given[] = {
	/* libcurl brings GnuTLS along (for LDAP, by which no worker goes), and loading it would initialise it: 125 KB.
	 * Whoever does use it initialises it himself. */
	"GNUTLS_NO_IMPLICIT_INIT=1",
	/* libuv's pool looks up names and nothing else: one for the gateway, one for the database. */
	"UV_THREADPOOL_SIZE=2",
};

static bool may_inherit(const char *entry)
{
	size_t len = strcspn(entry, "=");

	for (size_t i = 0; i < ARRAY_SIZE(inherited); i++)
		if (strlen(inherited[i]) == len && strncmp(entry, inherited[i], len) == 0)
			return true;
	return false;
}

#define WORKER_ENV_MAX (ARRAY_SIZE(given) + ARRAY_SIZE(inherited))

/* False: no memory. More entries of one name than there are names: the rest is left out. */
static bool add_entry(char **env, size_t *count, const char *entry)
{
	if (*count == WORKER_ENV_MAX)
		return true;
	env[*count] = strdup(entry);
	return env[(*count)++];
}

char **surroundings_worker_env(void)
{
	char **env = calloc(WORKER_ENV_MAX + 1, sizeof(*env));
	bool complete = env;
	size_t count = 0;

	for (size_t i = 0; complete && i < ARRAY_SIZE(given); i++)
		complete = add_entry(env, &count, given[i]);
	for (char **entry = environ; complete && entry && *entry; entry++)
		if (may_inherit(*entry))
			complete = add_entry(env, &count, *entry);
	if (complete)
		return env;
	surroundings_free_env(env);
	return NULL;
}

void surroundings_free_env(char **env)
{
	for (char **entry = env; entry && *entry; entry++)
		free(*entry);
	free(env);
}
