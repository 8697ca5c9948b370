/* Where configuration comes from: file, environment, flags, in rising order, then the secrets' own ways. Start-up and
 * reload, main thread. Every error names its place and what would be right; no value of a secret is ever printed. */
#include "shared/config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "shared/base/errors.h"
#include "shared/config/config_file.h"
#include "shared/config/options.h"
#include "shared/log/log.h"

extern char **environ;

#define PLACE_SIZE   160
#define MISTAKE_SIZE 608

enum source { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENVIRONMENT, SOURCE_FLAG };

struct loading {
	struct config *config;
	const char *path;
	char *error; /* CONFIG_ERROR_SIZE: one mistake a line */
	size_t mistakes;
	/* Of each option: where its value came from. */
	enum source source[OPTIONS_MAX];
	char place[OPTIONS_MAX][PLACE_SIZE];
};

/* Writes a mistake down: the whole list is shown, as far as there is room for it. */
static int note(struct loading *loading, const char *text)
{
	size_t len = strlen(loading->error);

	loading->mistakes++;
	if (CONFIG_ERROR_SIZE - len > strlen(text) + 1)
		snprintf(loading->error + len, CONFIG_ERROR_SIZE - len, "%s%s", len ? "\n" : "", text);
	return -EINVAL;
}

static int refuse(struct loading *loading, const char *place, const char *key, const char *why)
{
	char text[MISTAKE_SIZE];

	snprintf(text, sizeof(text), "%s: %.80s%s%.300s", place, key, *key ? ": " : "", why);
	return note(loading, text);
}

static int refuse_unknown(struct loading *loading, const char *place, const char *key)
{
	const char *near = option_suggest(key);
	char text[MISTAKE_SIZE];

	snprintf(text, sizeof(text), "%s: %.80s: there is no such key%s%s%s", place, key,
		 near ? "; did you mean " : " (shoald --help lists them)", near ? near : "", near ? "?" : "");
	return note(loading, text);
}

static size_t index_of(const struct config_option *option)
{
	return (size_t)(option - config_options);
}

/* Sets one value and keeps in mind where it came from. */
static int take(struct loading *loading, enum source source, const char *place, const struct config_option *option,
		const char *text)
{
	char why[OPTION_ERROR_SIZE];
	int r = option_set(loading->config, option, text, why);

	if (r < 0)
		return r == -EINVAL ? refuse(loading, place, option->key, why) : r;
	loading->source[index_of(option)] = source;
	snprintf(loading->place[index_of(option)], PLACE_SIZE, "%s", place);
	return 0;
}

/* --- the file ------------------------------------------------------------------------------------------------------
 */

static int on_known_pair(struct loading *loading, const char *section, const char *key, const char *value, int line)
{
	const struct config_option *option;
	char place[PLACE_SIZE], full[128];

	snprintf(place, sizeof(place), "%.120s:%d", loading->path, line);
	snprintf(full, sizeof(full), "%s%s%s", section, *section ? "." : "", key);
	option = option_find(full);
	if (!option)
		return refuse_unknown(loading, place, full);
	if (loading->source[index_of(option)] == SOURCE_FILE) {
		char text[PLACE_SIZE + 64];

		snprintf(text, sizeof(text), "given twice, first in %s", loading->place[index_of(option)]);
		return refuse(loading, place, option->key, text);
	}
	return take(loading, SOURCE_FILE, place, option, value);
}

/* A mistake is noted, and the lines behind it are looked at, too. */
static int on_pair(void *arg, const char *section, const char *key, const char *value, int line,
		   char why[CONFIG_FILE_ERROR_SIZE])
{
	int r = on_known_pair(arg, section, key, value, line);

	(void)why; /* the whole sentence is written by refuse() */
	return r == -EINVAL ? 0 : r;
}

static int read_file(struct loading *loading)
{
	/* Not blocking: a FIFO would hold us for ever. */
	int fd = open(loading->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	CLEANUP(cleanup_free) char *others = NULL;
	char why[CONFIG_FILE_ERROR_SIZE], place[PLACE_SIZE];
	struct stat st;
	int line = 0, r;

	if (!file) {
		r = errno;
		if (fd >= 0)
			close(fd);
		return refuse(loading, loading->path, "", error_text(r));
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		fclose(file);
		return refuse(loading, loading->path, "", "not a plain file");
	}
	r = config_file_read(file, on_pair, loading, &line, why);
	fclose(file);
	if (r == 0)
		return 0;
	/* What stands behind a line that is none may only seem wrong: so the line is told first. */
	others = strdup(loading->error);
	loading->error[0] = '\0';
	snprintf(place, sizeof(place), line ? "%.120s:%d" : "%.120s", loading->path, line);
	refuse(loading, place, "", why[0] ? why : error_text(r));
	return others && *others ? note(loading, others) : -EINVAL;
}

static const char *default_path(void)
{
	static const char *const paths[] = { "./shoal.ini", "/etc/shoal/shoal.ini" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		if (access(paths[i], F_OK) == 0)
			return paths[i];
	}
	return NULL;
}

/* --- the environment -----------------------------------------------------------------------------------------------
 */

static int read_environment(struct loading *loading)
{
	for (size_t i = 0; i < config_option_count; i++) {
		const struct config_option *option = &config_options[i];
		char name[96], place[PLACE_SIZE];
		const char *text;
		int r;

		/* The precise name beats the well-known one. An empty well-known variable is one that is not set. */
		option_environment_name(option, name, sizeof(name));
		text = getenv(name);
		if (!text && option->well_known) {
			snprintf(name, sizeof(name), "%s", option->well_known);
			text = getenv(name);
			text = text && *text ? text : NULL;
		}
		if (!text)
			continue;
		snprintf(place, sizeof(place), "environment %s", name);
		r = take(loading, SOURCE_ENVIRONMENT, place, option, text);
		if (r < 0 && r != -EINVAL)
			return r;
	}
	return 0;
}

static bool is_environment_name(const char *name, size_t len)
{
	char known[96];

	for (size_t i = 0; i < config_option_count; i++) {
		option_environment_name(&config_options[i], known, sizeof(known));
		if (strlen(known) == len && strncmp(known, name, len) == 0)
			return true;
	}
	return false;
}

/* SHOAL_<a section of ours>_<no key of it> is a slip; SHOAL_ANYTHING_ELSE is somebody else's. */
static int check_environment_names(struct loading *loading)
{
	for (char **entry = environ; entry && *entry; entry++) {
		size_t len = strcspn(*entry, "=");
		char key[96], place[PLACE_SIZE];
		char *bar;

		if (strncmp(*entry, "SHOAL_", 6) != 0 || len >= sizeof(key) || is_environment_name(*entry, len))
			continue;
		snprintf(key, sizeof(key), "%.*s", (int)len - 6, *entry + 6);
		for (char *c = key; *c; c++)
			*c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 32) : *c;
		bar = strchr(key, '_');
		if (!bar || !option_section_known(key, (size_t)(bar - key)))
			continue;
		*bar = '.';
		snprintf(place, sizeof(place), "environment %.*s", (int)len, *entry);
		refuse_unknown(loading, place, key);
	}
	return 0;
}

/* --- flags ---------------------------------------------------------------------------------------------------------
 */

/* One flag of ours at argv[at]: how many words it takes, 0 when it is none of ours, negative when it is wrong. */
static int read_flag(struct loading *loading, int argc, char **argv, int at)
{
	const char *word = argv[at];
	size_t len = strcspn(word, "=");
	const struct config_option *option;
	char key[80], place[PLACE_SIZE];
	const char *text;
	int r;

	if (strncmp(word, "--", 2) != 0 || !memchr(word, '.', len))
		return 0;
	snprintf(key, sizeof(key), "%.*s", (int)(len - 2), word + 2);
	option = option_find(key);
	if (!option)
		return refuse_unknown(loading, "command line", key);
	/* Anybody may read a command line in /proc. */
	if (option->flags & OPTION_SECRET)
		return refuse(loading, "command line", option->key,
			      "a secret may not stand here, others can see it: use the file or the environment");
	text = word[len] ? word + len + 1 : at + 1 < argc ? argv[at + 1] : NULL;
	if (!text)
		return refuse(loading, "command line", option->key, "needs a value");
	snprintf(place, sizeof(place), "command line");
	r = take(loading, SOURCE_FLAG, place, option, text);
	return r < 0 ? r : word[len] ? 1 : 2;
}

static int read_flags(struct loading *loading, int *argc, char **argv)
{
	bool ended = false;
	int kept = *argc > 0, taken;

	for (int at = 1; at < *argc; at += taken) {
		ended = ended || strcmp(argv[at], "--") == 0;
		taken = ended ? 0 : read_flag(loading, *argc, argv, at);
		if (taken < 0)
			return taken;
		if (taken == 0) {
			argv[kept++] = argv[at];
			taken = 1;
		}
	}
	if (kept < *argc)
		argv[kept] = NULL;
	*argc = kept;
	return 0;
}

/* --- secrets -------------------------------------------------------------------------------------------------------
 */

#define SECRET_FILE_MAX 4096

/* Reads a file that holds one secret; white space at its end is not part of it. */
static int read_secret_file(struct loading *loading, const char *place, const char *key, const char *path,
			    const struct config_option *into)
{
	CLEANUP(cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char text[SECRET_FILE_MAX + 2], why[320];
	struct stat st;
	ssize_t len;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0 || (len = read(fd, text, sizeof(text) - 1)) < 0) {
		snprintf(why, sizeof(why), "%.240s: %s", path, error_text(errno));
		return refuse(loading, place, key, why);
	}
	if (len > SECRET_FILE_MAX) {
		snprintf(why, sizeof(why), "%.240s: too large for a secret", path);
		r = refuse(loading, place, key, why);
		goto out;
	}
	while (len > 0 && strchr(" \t\r\n", text[len - 1]))
		len--;
	text[len] = '\0';
	if (len == 0 || strlen(text) != (size_t)len) {
		snprintf(why, sizeof(why), "%.240s: %s", path, len == 0 ? "is empty" : "is no text file");
		r = refuse(loading, place, key, why);
		goto out;
	}
	if (st.st_mode & 077)
		log_warn(NULL, "config.secret_file_open", KV_STR("path", path), KV_STR("key", key),
			 KV_MSG("others may read this file: chmod 600 it"));
	r = take(loading, loading->source[index_of(into)], place, into, text);
out:
	explicit_bzero(text, sizeof(text));
	return r;
}

/* Secrets that may also be given by a file, or by a credential of systemd's. */
static const struct secret_source {
	const char *key, *file_key, *credential;
} secret_sources[] = {
	{ "discord.token", "discord.token_file", "discord-token" },
	{ "nats.url", "nats.url_file", "nats-url" },
	{ "postgres.conninfo", "postgres.conninfo_file", "postgres-conninfo" },
	{ "postgres.read_conninfo", "postgres.read_conninfo_file", "postgres-read-conninfo" },
};

static int read_credential(struct loading *loading, const char *name, const struct config_option *secret)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	char path[PATH_MAX], place[PLACE_SIZE];
	struct stat st;

	if (!directory || snprintf(path, sizeof(path), "%s/%s", directory, name) >= PATH_MAX || stat(path, &st) < 0)
		return 0;
	/* The unit's default for a credential that the host does not have: a lone line end. */
	if (st.st_size <= 1)
		return 0;
	snprintf(place, sizeof(place), "credential %s", name);
	return read_secret_file(loading, place, secret->key, path, secret);
}

/* A secret by its own ways: a file, where that was said later than the secret itself, else systemd's credential. */
static int find_secret(struct loading *loading, const struct secret_source *source)
{
	const struct config_option *secret = option_find(source->key), *file = option_find(source->file_key);
	enum source secret_source = loading->source[index_of(secret)], file_source = loading->source[index_of(file)];
	const char *path = *option_string(loading->config, file);
	bool has_secret = **option_string(loading->config, secret);
	char place[PLACE_SIZE], why[OPTION_ERROR_SIZE];

	if (has_secret && *path && secret_source == file_source) {
		snprintf(why, sizeof(why), "%s is given too: leave one of them out", secret->key);
		return refuse(loading, loading->place[index_of(file)], file->key, why);
	}
	if (*path && (!has_secret || file_source > secret_source)) {
		snprintf(place, sizeof(place), "%s", loading->place[index_of(file)]);
		return read_secret_file(loading, place, file->key, path, secret);
	}
	return has_secret ? 0 : read_credential(loading, source->credential, secret);
}

static int find_secrets(struct loading *loading)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(secret_sources); i++)
		r = find_secret(loading, &secret_sources[i]);
	return r;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* As it stands, and as it is meant where a URL's %40 or a conninfo's \' stands for something. */
static void mask_word(const char *from, size_t len)
{
	char word[256], meant[256];
	size_t at = 0;

	if (len == 0 || len >= sizeof(word))
		return;
	memcpy(word, from, len);
	word[len] = '\0';
	log_add_secret(word);
	for (const char *c = word; *c; c++) {
		if (*c == '%' && hex_digit(c[1]) >= 0 && hex_digit(c[2]) >= 0) {
			meant[at++] = (char)(hex_digit(c[1]) * 16 + hex_digit(c[2]));
			c += 2;
		} else {
			c += *c == '\\' && c[1];
			meant[at++] = *c;
		}
	}
	meant[at] = '\0';
	if (strcmp(word, meant) != 0)
		log_add_secret(meant);
	explicit_bzero(word, sizeof(word));
	explicit_bzero(meant, sizeof(meant));
}

/* How many bytes the value at @text has, and where it begins (behind a quote). */
static const char *value_at(const char *text, size_t *ret_len)
{
	bool quoted = *text == '\'';
	size_t len = 0;

	text += quoted;
	while (text[len] && (quoted ? text[len] != '\'' : !strchr(" \t&", text[len])))
		len += text[len] == '\\' && text[len + 1] ? 2 : 1;
	*ret_len = len;
	return text;
}

/* The passwords within a URL or a conninfo: a library's message may quote them alone. */
static void mask_password(const char *text)
{
	const char *at = strrchr(text, '@'), *scheme = strstr(text, "://");

	if (scheme && at && at > scheme + 3) {
		const char *colon = memchr(scheme + 3, ':', (size_t)(at - scheme - 3));

		if (colon)
			mask_word(colon + 1, (size_t)(at - colon - 1));
	}
	for (const char *word = text; (word = strstr(word, "password"));) {
		size_t len;

		word += strlen("password");
		word += strspn(word, " \t");
		if (*word != '=')
			continue;
		word++;
		word = value_at(word + strspn(word, " \t"), &len);
		mask_word(word, len);
	}
}

static void mask_secrets(const struct config *config)
{
	if (config->discord_token[0] && log_add_secret(config->discord_token) < 0)
		log_warn(NULL, "config.secret_not_masked", KV_STR("key", "discord.token"),
			 KV_MSG("the token is too short, or there are too many secrets, for the log to mask it"));
	for (size_t i = 0; i < config_option_count; i++) {
		char number[16];
		const char *text = option_text(config, &config_options[i], number);

		/* An address without a password is none of a secret, and is of use in the log. */
		if ((config_options[i].flags & OPTION_SECRET) && (strchr(text, '@') || strstr(text, "password"))) {
			log_add_secret(text);
			mask_password(text);
		}
	}
}

static void forget_variable(const char *name)
{
	char *text = getenv(name);

	if (!text)
		return;
	/* Also out of /proc/<pid>/environ, which unsetenv leaves as it was. */
	explicit_bzero(text, strlen(text));
	unsetenv(name);
}

static void forget_environment(void)
{
	char name[96];

	for (size_t i = 0; i < config_option_count; i++) {
		if (!(config_options[i].flags & OPTION_SECRET))
			continue;
		option_environment_name(&config_options[i], name, sizeof(name));
		forget_variable(name);
		if (config_options[i].well_known)
			forget_variable(config_options[i].well_known);
	}
}

/* --- what must fit together ----------------------------------------------------------------------------------------
 */

static bool begins(const char *text, const char *a, const char *b)
{
	return strncasecmp(text, a, strlen(a)) == 0 || strncasecmp(text, b, strlen(b)) == 0;
}

/* One of the schemes, and something of a host behind it. */
static bool is_url(const char *text, const char *a, const char *b)
{
	const char *host = strstr(text, "://");

	return begins(text, a, b) && strcspn(host + 3, "/?#:") > 0;
}

static int refuse_key(struct loading *loading, const char *key, const char *why)
{
	const struct config_option *option = option_find(key);

	return refuse(loading, loading->place[index_of(option)], key, why);
}

static int check_order(struct loading *loading, uint32_t floor, uint32_t cap, const char *floor_key,
		       const char *cap_key)
{
	char why[160];
	bool blame_cap = loading->source[index_of(option_find(cap_key))] != SOURCE_DEFAULT;

	if (floor <= cap)
		return 0;
	snprintf(why, sizeof(why), "%s (%u) must not be above %s (%u)", floor_key, floor, cap_key, cap);
	return refuse_key(loading, blame_cap ? cap_key : floor_key, why);
}

/* A host without a scheme is one too; nats.c would take any other scheme for nats. */
static bool is_nats_url(const char *url)
{
	while (*(url += strspn(url, ", "))) {
		size_t len = strcspn(url, ", ");

		if (memmem(url, len, "://", 3) && !begins(url, "nats://", "tls://"))
			return false;
		url += len;
	}
	return true;
}

/* Digits of an id, joined by commas and spaces. */
static bool is_id_list(const char *text)
{
	size_t len;

	while (*(text += strspn(text, ", \t"))) {
		len = strspn(text, "0123456789");
		if (len < 1 || len > 20 || !strchr(", \t", text[len]))
			return false;
		text += len;
	}
	return true;
}

static int check(struct loading *loading)
{
	struct config *config = loading->config;
	size_t len = strlen(config->discord_api_base);
	int r;

	while (len > 0 && config->discord_api_base[len - 1] == '/')
		config->discord_api_base[--len] = '\0';
	if (!is_url(config->discord_api_base, "https://", "http://"))
		return refuse_key(loading, "discord.api_base", "must begin with https:// or http:// and a host");
	if (config->discord_gateway_url[0] && !is_url(config->discord_gateway_url, "wss://", "ws://"))
		return refuse_key(loading, "discord.gateway_url", "must begin with wss:// or ws:// and a host");
	for (const char *c = config->discord_token; *c; c++) {
		/* It goes into a header line. */
		if ((unsigned char)*c <= ' ' || (unsigned char)*c > '~')
			return refuse_key(loading, "discord.token", "holds a space or another byte that no token has");
	}
	if (!is_nats_url(config->nats_url))
		return refuse_key(loading, "nats.url",
				  "must be nats://host:port or tls://host:port, or several of them joined by commas");
	if (config->supervisor_http_listen[0] && !strchr(config->supervisor_http_listen, ':'))
		return refuse_key(loading, "supervisor.http_listen", "must be address:port, or empty");
	if (!is_id_list(config->commands_guilds))
		return refuse_key(loading, "commands.guilds", "must be ids of servers, joined by commas");
	r = check_order(loading, config->supervisor_restart_floor_ms, config->supervisor_restart_cap_ms,
			"supervisor.restart_floor_ms", "supervisor.restart_cap_ms");
	if (r < 0)
		return r;
	r = check_order(loading, config->gateway_backoff_floor_ms, config->gateway_backoff_cap_ms,
			"gateway.backoff_floor_ms", "gateway.backoff_cap_ms");
	return r;
}

/* --- all together --------------------------------------------------------------------------------------------------
 */

static int read_sources(struct loading *loading, int *argc, char **argv)
{
	int r = loading->path ? read_file(loading) : 0;

	if (r == 0)
		r = check_environment_names(loading);
	if (r == 0)
		r = read_environment(loading);
	if (r == 0 && argc && argv)
		r = read_flags(loading, argc, argv);
	if (r == 0)
		r = find_secrets(loading);
	if (r == 0 && loading->mistakes == 0)
		r = check(loading);
	return r == 0 && loading->mistakes > 0 ? -EINVAL : r;
}

const char *config_place(const struct config *config, const char *key)
{
	const struct config_option *option = option_find(key);
	const char *place = option && config->places ? config->places[index_of(option)] : NULL;

	return place ? place : "";
}

const char *config_file(const struct config *config)
{
	return config->file ? config->file : "";
}

/* What comes after loading has the places too. */
static int keep_places(struct loading *loading)
{
	struct config *config = loading->config;

	config->places = calloc(config_option_count, sizeof(*config->places));
	config->file = loading->path ? strdup(loading->path) : NULL;
	if (!config->places || (loading->path && !config->file))
		return -ENOMEM;
	for (size_t i = 0; i < config_option_count; i++) {
		if (loading->source[i] == SOURCE_DEFAULT)
			continue;
		config->places[i] = strdup(loading->place[i]);
		if (!config->places[i])
			return -ENOMEM;
	}
	return 0;
}

int config_load(const char *path, int *argc, char **argv, struct config **ret_config, char error[CONFIG_ERROR_SIZE])
{
	CLEANUP(config_freep) struct config *config = NULL;
	CLEANUP(cleanup_free) struct loading *loading = calloc(1, sizeof(*loading));
	int r;

	error[0] = '\0';
	r = loading ? config_new(&config) : -ENOMEM;
	if (r < 0) {
		snprintf(error, CONFIG_ERROR_SIZE, "configuration: %s", error_text(r));
		return r;
	}
	loading->config = config;
	loading->path = path && !*path ? default_path() : path;
	loading->error = error;
	for (size_t i = 0; i < config_option_count; i++)
		snprintf(loading->place[i], PLACE_SIZE, "default");
	r = read_sources(loading, argc, argv);
	if (r == 0)
		r = keep_places(loading);
	if (r < 0) {
		if (!error[0])
			snprintf(error, CONFIG_ERROR_SIZE, "configuration: %s", error_text(r));
		return r;
	}
	mask_secrets(config);
	forget_environment();
	*ret_config = TAKE(config);
	return 0;
}
