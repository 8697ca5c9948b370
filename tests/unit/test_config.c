/* Configuration: every option from every source in rising order, errors that name their place and what is right, long
 * and hostile lines, secrets that leave no trace, JSON both ways, and a sample file that is the table's own print. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/config/config.h"
#include "shared/config/options.h"
#include "shared/log/log.h"
#include "tests/unit/tmpdir.h"

static char dir[TMPDIR_SIZE], path[TMPDIR_SIZE + 32], error[CONFIG_ERROR_SIZE];
static struct config *config;

static int setup(void **state)
{
	(void)state;
	tmpdir_make(dir);
	snprintf(path, sizeof(path), "%s/shoal.ini", dir);
	for (size_t i = 0; i < config_option_count; i++) {
		char name[96];

		option_environment_name(&config_options[i], name, sizeof(name));
		unsetenv(name);
		if (config_options[i].well_known)
			unsetenv(config_options[i].well_known);
	}
	unsetenv("CREDENTIALS_DIRECTORY");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	config = config_free(config);
	tmpdir_remove(dir);
	return 0;
}

static void write_bytes(const char *name, const void *bytes, size_t len, mode_t mode)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

/* Loads @text as shoal.ini. */
static int load(const char *text)
{
	config = config_free(config);
	write_bytes(path, text, strlen(text), 0600);
	return config_load(path, NULL, NULL, &config, error);
}

static void assert_refused(const char *text, const char *why)
{
	struct config *before = NULL;
	char full[CONFIG_ERROR_SIZE];

	write_bytes(path, text, strlen(text), 0600);
	assert_int_equal(config_load(path, NULL, NULL, &before, error), -EINVAL);
	assert_null(before);
	snprintf(full, sizeof(full), "%s:%s", path, why);
	assert_string_equal(error, full);
}

/* --- defaults and the table ------------------------------------------------------------------------------------------
 */

static void test_defaults(void **state)
{
	(void)state;
	assert_int_equal(config_load(NULL, NULL, NULL, &config, error), 0);
	assert_string_equal(config->discord_api_base, "https://discord.com/api/v10");
	assert_int_equal(config->discord_compress, CONFIG_COMPRESS_ZLIB);
	assert_string_equal(config->discord_intents, "auto");
	assert_int_equal(config->discord_shard_count, 0);
	assert_string_equal(config->supervisor_runtime_dir, "/run/shoal");
	assert_string_equal(config->supervisor_state_dir, "/var/lib/shoal");
	assert_string_equal(config->supervisor_cluster, "default");
	assert_string_equal(config->supervisor_http_listen, "127.0.0.1:9470");
	assert_int_equal(config->supervisor_watchdog_timeout_ms, 10000);
	assert_int_equal(config->supervisor_orphan_timeout_s, 120);
	assert_string_equal(config->nats_url, "");
	assert_string_equal(config->postgres_conninfo, "");
	assert_true(config->postgres_prepared);
	assert_string_equal(config->log_level, "info");
	assert_string_equal(config->log_format, "auto");
	assert_string_equal(config->discord_token, "");
}

/* Each row: its default is allowed, its place is its own, its bounds are bounds. */
static void test_every_row_of_the_table(void **state)
{
	char why[OPTION_ERROR_SIZE], text[64], number[16];

	(void)state;
	assert_int_equal(config_load(NULL, NULL, NULL, &config, error), 0);
	for (size_t i = 0; i < config_option_count; i++) {
		const struct config_option *option = &config_options[i];

		assert_non_null(strchr(option->key, '.'));
		assert_true(strlen(option->help) > 10);
		assert_ptr_equal(option_find(option->key), option);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(option->offset, config_options[j].offset);
		assert_int_equal(option_set(config, option, option->fallback, why), 0);
		assert_string_equal(option_text(config, option, number), option->fallback);
		if (option->kind == OPTION_U32) {
			snprintf(text, sizeof(text), "%llu", (unsigned long long)option->max + 1);
			assert_int_equal(option_set(config, option, text, why), -EINVAL);
			assert_non_null(strstr(why, "above"));
			snprintf(text, sizeof(text), "%u", option->max);
			assert_int_equal(option_set(config, option, text, why), 0);
			assert_int_equal(*option_u32(config, option), option->max);
			if (option->min > 0) {
				snprintf(text, sizeof(text), "%u", option->min - 1);
				assert_int_equal(option_set(config, option, text, why), -EINVAL);
			}
			assert_int_equal(option_set(config, option, "18446744073709551617", why), -EINVAL);
			assert_int_equal(option_set(config, option, "-1", why), -EINVAL);
			assert_int_equal(option_set(config, option, "0x10", why), -EINVAL);
			assert_int_equal(option_set(config, option, "", why), -EINVAL);
		}
		assert_int_equal(option_set(config, option, option->fallback, why), 0);
	}
	/* All of the struct is in the table: strings are all there, and not one is twice. */
	for (size_t i = 0; i < config_option_count; i++) {
		if (config_options[i].kind == OPTION_STR)
			assert_non_null(*option_string(config, &config_options[i]));
	}
}

/* --- sources ---------------------------------------------------------------------------------------------------------
 */

static void test_sources_in_rising_order(void **state)
{
	char a0[] = "shoald", a1[] = "--verbose", a2[] = "--log.level=error", a3[] = "--gateway.resume_attempts",
	     a4[] = "9", a5[] = "status", a6[] = "--", a7[] = "--log.level=info";
	char *argv[] = { a0, a1, a2, a3, a4, a5, a6, a7, NULL };
	int argc = 8;

	(void)state;
	write_bytes(path, "[log]\nlevel = debug\n[gateway]\nresume_attempts=2\nhello_timeout_ms=3000\n", 69, 0600);
	setenv("SHOAL_LOG_LEVEL", "warn", 1);
	setenv("LOG_LEVEL", "debug", 1);
	setenv("SHOAL_GATEWAY_HELLO_TIMEOUT_MS", "4000", 1);
	assert_int_equal(config_load(path, &argc, argv, &config, error), 0);
	assert_string_equal(config->log_level, "error");
	assert_int_equal(config->gateway_resume_attempts, 9);
	assert_int_equal(config->gateway_hello_timeout_ms, 4000);
	/* What is not ours is left, in order. */
	assert_int_equal(argc, 5);
	assert_string_equal(argv[0], "shoald");
	assert_string_equal(argv[1], "--verbose");
	assert_string_equal(argv[2], "status");
	assert_string_equal(argv[3], "--");
	assert_string_equal(argv[4], "--log.level=info");
	assert_null(argv[5]);
}

static void test_well_known_names(void **state)
{
	(void)state;
	setenv("DISCORD_TOKEN", "abcdef.token", 1);
	setenv("DATABASE_URL", "postgresql:///x", 1);
	setenv("NATS_URL", "nats://127.0.0.1:4222", 1);
	setenv("LOG_LEVEL", "WARN", 1);
	assert_int_equal(config_load(NULL, NULL, NULL, &config, error), 0);
	assert_string_equal(config->discord_token, "abcdef.token");
	assert_string_equal(config->postgres_conninfo, "postgresql:///x");
	assert_string_equal(config->nats_url, "nats://127.0.0.1:4222");
	assert_string_equal(config->log_level, "warn");
	assert_null(getenv("DISCORD_TOKEN"));
	assert_null(getenv("DATABASE_URL"));
	assert_non_null(getenv("LOG_LEVEL"));
	/* An empty well-known variable is none; an empty one of ours is a value. */
	config = config_free(config);
	setenv("DATABASE_URL", "", 1);
	setenv("SHOAL_SUPERVISOR_HTTP_LISTEN", "", 1);
	assert_int_equal(config_load(NULL, NULL, NULL, &config, error), 0);
	assert_string_equal(config->supervisor_http_listen, "");
}

static void test_environment_slips(void **state)
{
	(void)state;
	setenv("SHOAL_GATEWAY_HELO_TIMEOUT_MS", "1", 1);
	assert_int_equal(config_load(NULL, NULL, NULL, &config, error), -EINVAL);
	assert_string_equal(error,
			    "environment SHOAL_GATEWAY_HELO_TIMEOUT_MS: gateway.helo_timeout_ms: there is no such "
			    "key; did you mean gateway.hello_timeout_ms?");
	unsetenv("SHOAL_GATEWAY_HELO_TIMEOUT_MS");
	setenv("SHOAL_TEST_PG", "somebody else's", 1);
	assert_int_equal(config_load(NULL, NULL, NULL, &config, error), 0);
	unsetenv("SHOAL_TEST_PG");
	config = config_free(config);
	setenv("SHOAL_REST_TIMEOUT_MS", "soon", 1);
	assert_int_equal(config_load(NULL, NULL, NULL, &config, error), -EINVAL);
	assert_string_equal(error, "environment SHOAL_REST_TIMEOUT_MS: rest.timeout_ms: \"soon\" is not a number "
				   "(100 to 600000)");
}

static int load_flag(char *flag, char *value)
{
	char name[] = "shoald";
	char *argv[] = { name, flag, value, NULL };
	int argc = value ? 3 : 2;

	config = config_free(config);
	return config_load(NULL, &argc, argv, &config, error);
}

static void test_flag_slips(void **state)
{
	char secret[] = "--discord.token=abcdef", bare[] = "--log.level", unknown[] = "--log.levl=info",
	     wrong[] = "--discord.compress=gzip", split[] = "--discord.compress", value[] = "zstd-stream";

	(void)state;
	assert_int_equal(load_flag(secret, NULL), -EINVAL);
	assert_string_equal(error,
			    "command line: discord.token: a secret may not stand here, others can see it: use the "
			    "file or the environment");
	assert_int_equal(load_flag(bare, NULL), -EINVAL);
	assert_string_equal(error, "command line: log.level: needs a value");
	assert_int_equal(load_flag(unknown, NULL), -EINVAL);
	assert_string_equal(error, "command line: log.levl: there is no such key; did you mean log.level?");
	assert_int_equal(load_flag(wrong, NULL), -EINVAL);
	assert_string_equal(error, "command line: discord.compress: \"gzip\" is not one of zlib-stream, zstd-stream or "
				   "none");
	assert_int_equal(load_flag(split, value), 0);
	assert_int_equal(config->discord_compress, CONFIG_COMPRESS_ZSTD);
}

/* --- the file --------------------------------------------------------------------------------------------------------
 */

static void test_file_forms(void **state)
{
	(void)state;
	assert_int_equal(load("\xEF\xBB\xBF# comment\n; comment\n\n[gateway]\r\n  zombie_grace_ms : 77 ; why\r\n"
			      "\thello_timeout_ms\t=\t5000\n[commands]\nprefix = ?;\nsync = Off"),
			 0);
	assert_int_equal(config->gateway_zombie_grace_ms, 77);
	assert_int_equal(config->gateway_hello_timeout_ms, 5000);
	assert_string_equal(config->commands_prefix, "?;");
	assert_false(config->commands_sync);
	/* Indentation is no continuation: the line above is not lengthened by it. */
	assert_int_equal(load("[log]\nlevel = warn\n  format = json\n"), 0);
	assert_string_equal(config->log_level, "warn");
	assert_string_equal(config->log_format, "json");
	assert_int_equal(load(""), 0);
}

static void test_file_errors_name_line_and_key(void **state)
{
	(void)state;
	assert_refused("[gateway]\n\n\nzombie_grace_ms = 99999999\n",
		       "4: gateway.zombie_grace_ms: 99999999 is above 60000 (allowed: 0 to 60000)");
	assert_refused("[gateway]\nzombi_grace_ms = 5\n",
		       "2: gateway.zombi_grace_ms: there is no such key; did you mean gateway.zombie_grace_ms?");
	assert_refused("[rest]\nzombie_grace_ms = 5\n",
		       "2: rest.zombie_grace_ms: there is no such key; did you mean gateway.zombie_grace_ms?");
	assert_refused("[gatway]\nresume_attempts = 5\n",
		       "2: gatway.resume_attempts: there is no such key; did you mean gateway.resume_attempts?");
	assert_refused("level = info\n", "1: level: there is no such key; did you mean log.level?");
	assert_refused("[x]\ny = 1\n", "2: x.y: there is no such key (shoald --help lists them)");
	assert_refused("[log]\nlevel info\n", "2: this is neither a [section], nor key = value, nor a # comment");
	assert_refused("[log\nlevel = info\n", "1: the [section] has no closing bracket");
	assert_refused("[log]\nlevel = loud\n", "2: log.level: \"loud\" is not one of debug, info, warn or error");
	assert_refused("[commands]\nsync = maybe\n", "2: commands.sync: \"maybe\" is neither yes nor no");
	assert_refused("[supervisor]\ncluster =\n", "2: supervisor.cluster: must not be empty");
	assert_refused("[supervisor]\ncluster = a\xff\n",
		       "2: supervisor.cluster: the value holds control characters, or is not UTF-8");
	assert_refused("[supervisor]\ncluster = a\x1b[2J\n",
		       "2: supervisor.cluster: the value holds control characters, or is not UTF-8");
	assert_refused("[discord]\napi_base = discord.com\n",
		       "2: discord.api_base: must begin with https:// or http:// and a host");
	assert_refused("[discord]\ngateway_url = https://x\n",
		       "2: discord.gateway_url: must begin with wss:// or ws:// and a host");
	assert_refused("[discord]\ntoken = two words\n",
		       "2: discord.token: holds a space or another byte that no token has");
	assert_refused("[gateway]\nbackoff_cap_ms = 100\n",
		       "2: gateway.backoff_cap_ms: gateway.backoff_floor_ms (250) must not be above "
		       "gateway.backoff_cap_ms (100)");
	assert_refused("[supervisor]\nrestart_floor_ms = 60000\n",
		       "2: supervisor.restart_floor_ms: supervisor.restart_floor_ms (60000) must not be above "
		       "supervisor.restart_cap_ms (30000)");
	assert_refused("[supervisor]\nhttp_listen = 9470\n",
		       "2: supervisor.http_listen: must be address:port, or empty");
}

static void test_every_mistake_is_told(void **state)
{
	(void)state;
	assert_int_equal(load("[discord]\nshard_cuont = 4\nshard_count = many\n[foo]\nx = 1\n"), -EINVAL);
	assert_non_null(strstr(error, ":2: discord.shard_cuont: there is no such key; did you mean"));
	assert_non_null(strstr(error, "\n"));
	assert_non_null(strstr(error, ":3: discord.shard_count:"));
	assert_non_null(strstr(error, ":5: foo.x:"));
}

static void test_file_given_twice(void **state)
{
	char why[256];

	(void)state;
	snprintf(why, sizeof(why), "4: log.level: given twice, first in %s:2", path);
	assert_refused("[log]\nlevel = info\n[log]\nlevel = warn\n", why);
}

static void test_file_that_is_none(void **state)
{
	char full[CONFIG_ERROR_SIZE];

	(void)state;
	assert_int_equal(config_load(path, NULL, NULL, &config, error), -EINVAL);
	snprintf(full, sizeof(full), "%s: No such file or directory", path);
	assert_string_equal(error, full);
	assert_int_equal(config_load(dir, NULL, NULL, &config, error), -EINVAL);
	assert_non_null(strstr(error, "not a plain file"));
}

/* The packaged inih cuts at 200 bytes; ours does not, at any length around that and far above. */
static void test_long_lines(void **state)
{
	static char text[CONFIG_ERROR_SIZE + 40000], value[20000];

	(void)state;
	for (size_t len = 150; len <= 2000; len += len < 260 ? 1 : 217) {
		memset(value, 'v', len);
		value[len] = '\0';
		memcpy(value, "host=a ", 7);
		snprintf(text, sizeof(text), "[postgres]\nconninfo = %s ; and = why\nconnections = 7\n", value);
		assert_int_equal(load(text), 0);
		assert_string_equal(config->postgres_conninfo, value);
		assert_int_equal(config->postgres_connections, 7);
	}
	memset(value, 'v', 3000);
	value[3000] = '\0';
	snprintf(text, sizeof(text), "[postgres]\nconninfo = %s\n", value);
	assert_refused(text, "2: postgres.conninfo: 3000 bytes are too long (at most 2048)");
	memset(value, 'v', sizeof(value) - 1);
	snprintf(text, sizeof(text), "[postgres]\nconninfo = %s\n", value);
	assert_refused(text, "2: the line is too long");
	value[1000] = '\0';
	snprintf(text, sizeof(text), "[postgres]\n# %s\n%s = 1\n", value, value);
	assert_int_equal(load(text), -EINVAL);
	assert_non_null(strstr(error, "shoal.ini:3: "));
	snprintf(text, sizeof(text), "[postgres]\n# %s = x\n; %s = y\n", value, value);
	assert_int_equal(load(text), 0);
}

static void test_binary_and_cut_files(void **state)
{
	static const char text[] = "[discord]\ntoken = abcdefgh\n[gateway]\nzombie_grace_ms = 500\n";
	unsigned seed = 7;
	char noise[300];

	(void)state;
	write_bytes(path, "[log]\nlevel = in\0fo\n", 20, 0600);
	assert_int_equal(config_load(path, NULL, NULL, &config, error), -EINVAL);
	assert_non_null(strstr(error, "shoal.ini:2: the line holds a zero byte"));
	/* Every beginning of a good file is taken or refused in words. */
	for (size_t len = 0; len <= strlen(text); len++) {
		config = config_free(config);
		write_bytes(path, text, len, 0600);
		if (config_load(path, NULL, NULL, &config, error) < 0)
			assert_true(strlen(error) > strlen(path));
	}
	for (int round = 0; round < 300; round++) {
		for (size_t i = 0; i < sizeof(noise); i++)
			noise[i] = (char)(rand_r(&seed) % 256);
		config = config_free(config);
		write_bytes(path, noise, sizeof(noise), 0600);
		if (config_load(path, NULL, NULL, &config, error) < 0)
			assert_true(strlen(error) > strlen(path));
	}
}

/* --- secrets ---------------------------------------------------------------------------------------------------------
 */

static void test_token_file(void **state)
{
	char token_path[TMPDIR_SIZE + 16], text[256];

	(void)state;
	snprintf(token_path, sizeof(token_path), "%s/token", dir);
	write_bytes(token_path, "tok.en.from.file\r\n\n", 19, 0600);
	snprintf(text, sizeof(text), "[discord]\ntoken_file = %s\n", token_path);
	assert_int_equal(load(text), 0);
	assert_string_equal(config->discord_token, "tok.en.from.file");
	/* The environment is nearer than the file's token_file. */
	setenv("DISCORD_TOKEN", "tok.en.from.env", 1);
	assert_int_equal(load(text), 0);
	assert_string_equal(config->discord_token, "tok.en.from.env");
	/* And the environment's token_file nearer than the file's token. */
	setenv("SHOAL_DISCORD_TOKEN_FILE", token_path, 1);
	assert_int_equal(load("[discord]\ntoken = tok.en.from.ini\n"), 0);
	assert_string_equal(config->discord_token, "tok.en.from.file");
	unsetenv("SHOAL_DISCORD_TOKEN_FILE");
	snprintf(text, sizeof(text), "[discord]\ntoken_file = %s\ntoken = abcdefgh\n", token_path);
	assert_refused(text, "2: discord.token_file: discord.token is given too: leave one of them out");
	write_bytes(token_path, "\n \n", 3, 0600);
	snprintf(text, sizeof(text), "[discord]\ntoken_file = %s\n", token_path);
	assert_int_equal(load(text), -EINVAL);
	assert_non_null(strstr(error, "is empty"));
	write_bytes(token_path, "a\0b", 3, 0600);
	assert_int_equal(load(text), -EINVAL);
	assert_non_null(strstr(error, "no text file"));
	assert_int_equal(load("[discord]\ntoken_file = /nonexistent/token\n"), -EINVAL);
	assert_non_null(strstr(error, "shoal.ini:2: discord.token_file: /nonexistent/token: No such file"));
}

static void test_credential(void **state)
{
	char credential[TMPDIR_SIZE + 16];

	(void)state;
	snprintf(credential, sizeof(credential), "%s/discord-token", dir);
	write_bytes(credential, "tok.from.systemd\n", 17, 0400);
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	assert_int_equal(load(""), 0);
	assert_string_equal(config->discord_token, "tok.from.systemd");
	assert_int_equal(load("[discord]\ntoken = given.otherwise\n"), 0);
	assert_string_equal(config->discord_token, "given.otherwise");
	/* The unit's default for a host without that file: no token, and no complaint about an empty one. */
	write_bytes(credential, "\n", 1, 0400);
	assert_int_equal(load(""), 0);
	assert_string_equal(config->discord_token, "");
	assert_int_equal(load("[discord]\ntoken = given.otherwise\n"), 0);
}

/* Every secret that has such ways, by its file and by its credential. */
static void test_other_secret_files(void **state)
{
	static const struct {
		const char *section, *file_key, *credential, *value;
		size_t offset;
	} rows[] = {
		{ "nats", "url_file", "nats-url", "nats://u:p@10.0.0.1", offsetof(struct config, nats_url) },
		{ "postgres", "conninfo_file", "postgres-conninfo", "host=a,b target_session_attrs=read-write",
		  offsetof(struct config, postgres_conninfo) },
		{ "postgres", "read_conninfo_file", "postgres-read-conninfo", "host=c user=reader",
		  offsetof(struct config, postgres_read_conninfo) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char file[TMPDIR_SIZE + 32], text[256];

		snprintf(file, sizeof(file), "%s/%s", dir, rows[i].credential);
		write_bytes(file, rows[i].value, strlen(rows[i].value), 0600);
		snprintf(text, sizeof(text), "[%s]\n%s = %s\n", rows[i].section, rows[i].file_key, file);
		assert_int_equal(load(text), 0);
		assert_string_equal(*(char **)(void *)((char *)config + rows[i].offset), rows[i].value);
		setenv("CREDENTIALS_DIRECTORY", dir, 1);
		assert_int_equal(load(""), 0);
		assert_string_equal(*(char **)(void *)((char *)config + rows[i].offset), rows[i].value);
		unsetenv("CREDENTIALS_DIRECTORY");
	}
	assert_refused("[postgres]\nconninfo_file = /x\nconninfo = host=y\n",
		       "2: postgres.conninfo_file: postgres.conninfo is given too: leave one of them out");
}

/* What the log wrote while @fn ran. */
static size_t log_of(void (*fn)(void), char *text, size_t size)
{
	int fds[2];
	ssize_t n;

	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	log_setup(&(struct log_options){ .level = LOG_LEVEL_INFO, .format = LOG_FORMAT_JSON, .fd = fds[1] });
	fn();
	log_setup(&(struct log_options){ .level = LOG_LEVEL_INFO, .format = LOG_FORMAT_HUMAN, .fd = 2 });
	n = read(fds[0], text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	close(fds[0]);
	close(fds[1]);
	return n > 0 ? (size_t)n : 0;
}

static void tell_secrets(void)
{
	log_info(NULL, "t.secrets", KV_STR("token", "x the.bots.token y"), KV_STR("url", "sw0rdfish"),
		 KV_STR("db", "pass h0rsebattery"), KV_STR("file", "pass st'aple"), KV_STR("meant", "c@rrect"),
		 KV_STR("plain", "nats://10.0.0.1:4222"));
}

static void load_open_file(void)
{
	char token_path[TMPDIR_SIZE + 16], text[256];

	snprintf(token_path, sizeof(token_path), "%s/token", dir);
	write_bytes(token_path, "tok.en.from.file", 16, 0644);
	snprintf(text, sizeof(text), "[discord]\ntoken_file = %s\n", token_path);
	assert_int_equal(load(text), 0);
}

static void test_secrets_are_masked_and_forgotten(void **state)
{
	char text[2000];
	char *before;

	(void)state;
	setenv("DISCORD_TOKEN", "the.bots.token", 1);
	before = getenv("DISCORD_TOKEN");
	setenv("DATABASE_URL", "host=x password='h0rsebattery' user=y", 1);
	assert_int_equal(load("[nats]\nurl = nats://me:sw0rdfish@10.0.0.1:4222\n"
			      "[postgres]\nread_conninfo = password = 'st\\'aple' host=z sslpassword=c%40rrect\n"),
			 0);
	/* Not even its old place holds it (that is what /proc/<pid>/environ shows). */
	assert_string_equal(before, "");
	assert_true(log_of(tell_secrets, text, sizeof(text)) > 0);
	assert_null(strstr(text, "bots.token"));
	assert_null(strstr(text, "sw0rdfish"));
	assert_null(strstr(text, "h0rsebattery"));
	assert_null(strstr(text, "st'aple"));
	assert_null(strstr(text, "c@rrect"));
	assert_non_null(strstr(text, "nats://10.0.0.1:4222"));
	/* An error names the key of a secret, never its value. */
	assert_int_equal(load("[discord]\ntoken = s3cret\x01word\n"), -EINVAL);
	assert_null(strstr(error, "s3cret"));
	assert_true(log_of(load_open_file, text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "config.secret_file_open"));
}

/* --- JSON, help, sample ----------------------------------------------------------------------------------------------
 */

static void test_json_both_ways(void **state)
{
	struct config *back = NULL;
	json_t *json, *again;

	(void)state;
	assert_int_equal(
		load("[discord]\ntoken = abcdefgh\ncompress = none\nshard_count = 12\n[commands]\nsync = no\n"), 0);
	json = config_to_json(config);
	assert_int_equal(json_object_size(json), config_option_count);
	assert_string_equal(json_string_value(json_object_get(json, "discord.token")), "abcdefgh");
	assert_string_equal(json_string_value(json_object_get(json, "discord.compress")), "none");
	assert_int_equal(json_integer_value(json_object_get(json, "discord.shard_count")), 12);
	assert_true(json_is_false(json_object_get(json, "commands.sync")));
	json_object_set_new(json, "of.a_newer_supervisor", json_true());
	json_object_del(json, "rest.timeout_ms");
	assert_int_equal(config_from_json(json, &back, error), 0);
	assert_int_equal(back->rest_timeout_ms, 15000);
	again = config_to_json(back);
	json_object_del(json, "of.a_newer_supervisor");
	json_object_set_new(json, "rest.timeout_ms", json_integer(15000));
	assert_true(json_equal(json, again));
	json_decref(again);
	json_decref(json);
	config_free(back);
}

static void test_hostile_json(void **state)
{
	static const struct {
		const char *json, *error;
	} rows[] = {
		{ "[]", "configuration: not a JSON object" },
		{ "{\"rest.timeout_ms\": \"5000\"}", "configuration: rest.timeout_ms: a value of the wrong type" },
		{ "{\"rest.timeout_ms\": -5}", "configuration: rest.timeout_ms: a value of the wrong type" },
		{ "{\"rest.timeout_ms\": 5e3}", "configuration: rest.timeout_ms: a value of the wrong type" },
		{ "{\"rest.timeout_ms\": 4294967396}",
		  "configuration: rest.timeout_ms: 4294967396 is above 600000 (allowed: 100 to 600000)" },
		{ "{\"commands.sync\": 1}", "configuration: commands.sync: a value of the wrong type" },
		{ "{\"commands.prefix\": null}", "configuration: commands.prefix: a value of the wrong type" },
		{ "{\"commands.prefix\": \"a\\u0000b\"}", "configuration: commands.prefix: a value of the wrong type" },
		{ "{\"discord.compress\": \"gzip\"}",
		  "configuration: discord.compress: \"gzip\" is not one of zlib-stream, zstd-stream or none" },
		{ "{\"discord.compress\": 1}", "configuration: discord.compress: a value of the wrong type" },
	};
	struct config *back = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *json = json_loads(rows[i].json, JSON_ALLOW_NUL, NULL);

		assert_non_null(json);
		assert_int_equal(config_from_json(json, &back, error), -EINVAL);
		assert_string_equal(error, rows[i].error);
		assert_null(back);
		json_decref(json);
	}
	assert_int_equal(config_from_json(NULL, &back, error), -EINVAL);
}

static char *print(void (*printer)(FILE *))
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	printer(out);
	fclose(out);
	return text;
}

static void test_help_names_every_key(void **state)
{
	char *help = print(config_print_help);

	(void)state;
	for (size_t i = 0; i < config_option_count; i++)
		assert_non_null(strstr(help, config_options[i].key));
	assert_non_null(strstr(help, "also DISCORD_TOKEN"));
	assert_non_null(strstr(help, "0 to 60000"));
	assert_non_null(strstr(help, "--log.level"));
	assert_null(strstr(help, "--discord.token "));
	free(help);
}

#define SAMPLE "deploy/shoal.ini.sample"

static void test_sample_is_the_tables_print(void **state)
{
	char *sample = print(config_print_sample), *file;
	size_t len = strlen(sample);
	FILE *in;

	(void)state;
	if (getenv("SHOAL_WRITE_SAMPLE"))
		write_bytes(SAMPLE, sample, len, 0644);
	in = fopen(SAMPLE, "re");
	if (!in)
		fail_msg("%s: not there; run this test from the top of the tree", SAMPLE);
	file = calloc(1, len + 2);
	(void)!fread(file, 1, len + 1, in);
	fclose(in);
	if (strcmp(file, sample) != 0)
		fail_msg("%s differs from the table: SHOAL_WRITE_SAMPLE=1 with this test writes it anew", SAMPLE);
	free(file);
	/* As it is, and with every key's comment sign taken away, it says what the defaults say. */
	for (int round = 0; round < 2; round++) {
		char number[16], other[16];
		struct config *plain = NULL;

		assert_int_equal(load(sample), 0);
		assert_int_equal(config_load(NULL, NULL, NULL, &plain, error), 0);
		for (size_t i = 0; i < config_option_count; i++)
			assert_string_equal(option_text(config, &config_options[i], number),
					    option_text(plain, &config_options[i], other));
		config_free(plain);
		for (char *c = sample; (c = strstr(c, "\n#")); c++) {
			if (c[2] != ' ')
				c[1] = ' ';
		}
	}
	free(sample);
}

#define CONFIG_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONFIG_TEST(test_defaults),
		CONFIG_TEST(test_every_row_of_the_table),
		CONFIG_TEST(test_sources_in_rising_order),
		CONFIG_TEST(test_well_known_names),
		CONFIG_TEST(test_environment_slips),
		CONFIG_TEST(test_flag_slips),
		CONFIG_TEST(test_file_forms),
		CONFIG_TEST(test_file_errors_name_line_and_key),
		CONFIG_TEST(test_every_mistake_is_told),
		CONFIG_TEST(test_file_given_twice),
		CONFIG_TEST(test_file_that_is_none),
		CONFIG_TEST(test_long_lines),
		CONFIG_TEST(test_binary_and_cut_files),
		CONFIG_TEST(test_token_file),
		CONFIG_TEST(test_credential),
		CONFIG_TEST(test_other_secret_files),
		CONFIG_TEST(test_secrets_are_masked_and_forgotten),
		CONFIG_TEST(test_json_both_ways),
		CONFIG_TEST(test_hostile_json),
		CONFIG_TEST(test_help_names_every_key),
		CONFIG_TEST(test_sample_is_the_tables_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
