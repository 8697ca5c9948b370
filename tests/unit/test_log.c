/* The log: three formats of the same record, hostile values, secrets, full pipes, terminals, and a journal whose socket
 * the test holds itself. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "shared/base/errors.h"
#include "shared/log/log.h"
#include "shared/log/log_format.h"

static int fds[2];
static char text[64 * 1024];

static void use(enum log_format format, int fd)
{
	log_setup(&(struct log_options){ .level = LOG_LEVEL_DEBUG, .format = format, .program = "test", .fd = fd });
}

static int setup(void **state)
{
	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	use(LOG_FORMAT_JSON, fds[1]);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	use(LOG_FORMAT_HUMAN, STDERR_FILENO);
	log_set_default(&(struct log_ctx){ .shard = -1 });
	close(fds[0]);
	close(fds[1]);
	return 0;
}

/* All that was written since. */
static const char *drain(void)
{
	size_t len = 0;
	ssize_t n;

	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	while (len < sizeof(text) - 1 && (n = read(fds[0], text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return text;
}

/* The one line that was written, as JSON. */
static json_t *drain_json(void)
{
	const char *line = drain();
	json_error_t error;
	json_t *json;

	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	json = json_loads(line, JSON_REJECT_DUPLICATES, &error);
	if (!json)
		fail_msg("%s: %s", error.text, line);
	return json;
}

static const char *string_of(const json_t *json, const char *key)
{
	const char *value = json_string_value(json_object_get(json, key));

	return value ? value : "(none)";
}

static void log_one_of_each(void)
{
	static const struct log_ctx ctx = {
		.shard = 3, .guild_id = 41771983423143937, .module = "mod", .event = "MESSAGE_CREATE"
	};

	log_warn(&ctx, "gateway.resume_refused", KV_MSG("Discord refused the resume"), KV_INT("close_code", 4009),
		 KV_MS("wait", 1200), KV_U64("id", UINT64_MAX), KV_DOUBLE("load", 0.5), KV_BOOL("again", true),
		 KV_ERR(-SHOAL_ERATE), KV_STR("host", "a b"), KV_MS("took_ms", 5), KV_INT("low", INT64_MIN));
}

/* --- formats ---------------------------------------------------------------------------------------------------------
 */

static void test_json(void **state)
{
	json_t *json;

	(void)state;
	log_one_of_each();
	json = drain_json();
	assert_int_equal(strlen(string_of(json, "ts")), 24);
	assert_string_equal(string_of(json, "level"), "warn");
	assert_string_equal(string_of(json, "program"), "test");
	assert_string_equal(string_of(json, "event"), "gateway.resume_refused");
	assert_int_equal(json_integer_value(json_object_get(json, "shard")), 3);
	assert_string_equal(string_of(json, "guild_id"), "41771983423143937");
	assert_string_equal(string_of(json, "module"), "mod");
	assert_string_equal(string_of(json, "dispatch"), "MESSAGE_CREATE");
	assert_string_equal(string_of(json, "msg"), "Discord refused the resume");
	assert_int_equal(json_integer_value(json_object_get(json, "close_code")), 4009);
	assert_int_equal(json_integer_value(json_object_get(json, "wait_ms")), 1200);
	assert_int_equal(json_integer_value(json_object_get(json, "took_ms")), 5);
	assert_string_equal(string_of(json, "id"), "18446744073709551615");
	assert_string_equal(string_of(json, "low"), "-9223372036854775808");
	assert_true(json_is_true(json_object_get(json, "again")));
	assert_true(json_real_value(json_object_get(json, "load")) == 0.5);
	assert_string_equal(string_of(json, "error"), "SHOAL_ERATE");
	assert_string_equal(string_of(json, "host"), "a b");
	json_decref(json);
	log_info(NULL, "t.none", KV_STR("null", NULL), KV_DOUBLE("inf", INFINITY), KV_DOUBLE("nan", NAN));
	json = drain_json();
	assert_null(json_object_get(json, "shard"));
	assert_null(json_object_get(json, "guild_id"));
	assert_string_equal(string_of(json, "null"), "");
	assert_true(json_is_null(json_object_get(json, "inf")));
	json_decref(json);
}

static void test_human(void **state)
{
	(void)state;
	use(LOG_FORMAT_HUMAN, fds[1]);
	log_one_of_each();
	drain();
	/* "12:34:56.789 " and then exactly this; no colour on a pipe. */
	assert_int_equal(text[2], ':');
	assert_int_equal(text[8], '.');
	assert_string_equal(text + 13,
			    "warn  gateway.resume_refused [shard 3 guild 41771983423143937 module mod MESSAGE_CREATE] "
			    "Discord refused the resume close_code=4009 wait=1200ms id=18446744073709551615 load=0.5 "
			    "again=yes error=SHOAL_ERATE (a rate limit would be exceeded) host=\"a b\" took_ms=5ms "
			    "low=-9223372036854775808\n");
	log_info(NULL, "t.quotes", KV_STR("a", ""), KV_STR("b", "x=y"), KV_STR("c", "say \"hi\"\n\\"));
	assert_non_null(strstr(drain(), "a=\"\" b=\"x=y\" c=\"say \\\"hi\\\"\\n\\\\\"\n"));
}

static void test_human_on_a_terminal_has_colour(void **state)
{
	int controller, terminal;
	ssize_t n;

	(void)state;
	assert_int_equal(openpty(&controller, &terminal, NULL, NULL, NULL), 0);
	unsetenv("NO_COLOR");
	use(LOG_FORMAT_AUTO, terminal);
	log_error(NULL, "t.red", KV_INT("a", 1));
	n = read(controller, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "\x1b[1;31merror\x1b[0m t.red a=1"));
	setenv("NO_COLOR", "1", 1);
	use(LOG_FORMAT_AUTO, terminal);
	log_error(NULL, "t.plain", KV_INT("a", 1));
	n = read(controller, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_null(strchr(text, '\x1b'));
	unsetenv("NO_COLOR");
	/* The caller's descriptor was not made non-blocking: others share it. */
	assert_int_equal(fcntl(terminal, F_GETFL) & O_NONBLOCK, 0);
	use(LOG_FORMAT_JSON, fds[1]);
	close(terminal);
	close(controller);
}

static void test_auto_is_json_on_a_pipe(void **state)
{
	(void)state;
	setenv("JOURNAL_STREAM", "1:2", 1); /* somebody else's stream */
	use(LOG_FORMAT_AUTO, fds[1]);
	log_info(NULL, "t.auto", KV_INT("a", 1));
	json_decref(drain_json());
	unsetenv("JOURNAL_STREAM");
}

static void test_levels(void **state)
{
	enum log_level level = LOG_LEVEL_ERROR;

	(void)state;
	log_setup(&(struct log_options){ .level = LOG_LEVEL_WARN, .format = LOG_FORMAT_JSON, .fd = fds[1] });
	log_debug(NULL, "t.a", KV_INT("a", 1));
	log_info(NULL, "t.a", KV_INT("a", 1));
	assert_string_equal(drain(), "");
	log_audit(NULL, "t.audit", KV_STR("who", "x"));
	assert_non_null(strstr(drain(), "\"level\":\"audit\""));
	log_setup(&(struct log_options){ .level = LOG_LEVEL_ERROR, .format = LOG_FORMAT_JSON, .fd = fds[1] });
	log_warn(NULL, "t.a", KV_INT("a", 1));
	assert_string_equal(drain(), "");
	assert_int_equal(log_level_parse("Warning", &level), 0);
	assert_int_equal(level, LOG_LEVEL_WARN);
	assert_int_equal(log_level_parse("debug", &level), 0);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_parse("audit", &level), -EINVAL);
	assert_int_equal(log_level_parse("", &level), -EINVAL);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_string_equal(log_level_name((enum log_level)99), "unknown");
}

static void test_default_context(void **state)
{
	json_t *json;

	(void)state;
	log_set_default(&(struct log_ctx){ .shard = 12 });
	log_info(NULL, "t.ctx", KV_INT("a", 1));
	json = drain_json();
	assert_int_equal(json_integer_value(json_object_get(json, "shard")), 12);
	json_decref(json);
}

static void test_errno_is_kept(void **state)
{
	(void)state;
	errno = 123;
	log_info(NULL, "t.errno", KV_INT("a", 1));
	assert_int_equal(errno, 123);
	drain();
}

/* --- hostile values --------------------------------------------------------------------------------------------------
 */

static bool is_clean_line(const char *line, size_t len)
{
	for (size_t i = 0; i + 1 < len; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			return false;
	}
	return len > 0 && line[len - 1] == '\n';
}

static void test_every_byte_is_made_harmless(void **state)
{
	char value[8];
	json_t *json;

	(void)state;
	for (int byte = 1; byte < 256; byte++) {
		snprintf(value, sizeof(value), "<%c>", byte);
		use(LOG_FORMAT_JSON, fds[1]);
		log_info(NULL, "t.byte", KV_STR("v", value));
		json = drain_json();
		if (byte < 0x80)
			assert_true(strchr(string_of(json, "v"), byte) != NULL || byte < ' ' || byte == 0x7f);
		json_decref(json);
		use(LOG_FORMAT_HUMAN, fds[1]);
		log_info(NULL, "t.byte", KV_STR("v", value), KV_MSG(value));
		drain();
		assert_true(is_clean_line(text, strlen(text)));
	}
}

static void test_bad_utf8_and_hidden_characters(void **state)
{
	static const char *const values[] = {
		"\xc3",             /* cut */
		"\xc0\xaf",         /* overlong */
		"\xed\xa0\x80",     /* surrogate */
		"\xf4\x90\x80\x80", /* above U+10FFFF */
		"\xe2\x80\xae",     /* right-to-left override */
		"\xe2\x80\xa8",     /* line separator */
		"\xc2\x9b",         /* CSI in one character */
		"\xef\xbb\xbf",     /* byte order mark */
	};
	json_t *json;

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		use(LOG_FORMAT_JSON, fds[1]);
		log_info(NULL, "t.utf8", KV_STR("v", values[i]));
		json = drain_json();
		json_decref(json);
		use(LOG_FORMAT_HUMAN, fds[1]);
		log_info(NULL, "t.utf8", KV_STR("v", values[i]));
		assert_null(strstr(drain(), values[i]));
	}
	use(LOG_FORMAT_HUMAN, fds[1]);
	log_info(NULL, "t.utf8", KV_STR("v", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x9f"));
	assert_non_null(strstr(drain(), "gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x9f"));
}

/* Whatever is too long is cut, says so, and leaves a line that can be read. */
static void test_long_values_are_cut_and_say_so(void **state)
{
	char *large = malloc(100001);

	(void)state;
	for (size_t len = 3900; len <= 100000; len = len < 4200 ? len + 1 : len * 3) {
		json_t *json;

		memset(large, '"', len); /* doubles when escaped */
		large[len] = '\0';
		use(LOG_FORMAT_JSON, fds[1]);
		log_info(NULL, "t.long", KV_STR("a", large), KV_STR("b", large), KV_STR("c", large), KV_INT("d", 1));
		json = drain_json();
		assert_true(strlen(text) <= LOG_RECORD_MAX);
		assert_non_null(strstr(string_of(json, "a"), "bytes in all)"));
		assert_true(json_object_get(json, "fields_cut") || strstr(string_of(json, "c"), "bytes in all)"));
		json_decref(json);
		use(LOG_FORMAT_HUMAN, fds[1]);
		log_info(NULL, "t.long", KV_MSG(large), KV_STR("b", large), KV_STR("c", large), KV_INT("d", 1));
		drain();
		assert_true(strlen(text) <= LOG_RECORD_MAX);
		assert_true(is_clean_line(text, strlen(text)));
		assert_non_null(strstr(text, "bytes in all)"));
	}
	free(large);
}

static void test_many_fields(void **state)
{
	struct log_field fields[600];
	char value[40];
	json_t *json;

	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	for (size_t i = 0; i < 600; i++)
		fields[i] = KV_STR("key", value);
	log_write(LOG_LEVEL_INFO, NULL, "t.many", fields, 600);
	drain();
	assert_true(strlen(text) <= LOG_RECORD_MAX);
	json = json_loads(text, 0, NULL);
	assert_non_null(json);
	assert_true(json_integer_value(json_object_get(json, "fields_cut")) > 300);
	json_decref(json);
}

static void test_secrets_in_every_form(void **state)
{
	char near[LOG_VALUE_MAX + 100], name[32];

	(void)state;
	assert_int_equal(log_add_secret("short"), -EINVAL);
	assert_int_equal(log_add_secret("hunter2-token"), 0);
	assert_int_equal(log_add_secret("hunter2-token"), 0);
	assert_int_equal(log_add_secret("hunter2-token-longer"), 0);
	assert_int_equal(log_add_secret("quote\"slash\\new\nline"), 0);
	for (enum log_format format = LOG_FORMAT_JSON; format <= LOG_FORMAT_HUMAN; format++) {
		use(format, fds[1]);
		log_info(NULL, "t.hunter2-token", KV_STR("a", "hunter2-token"), KV_MSG("xhunter2-token-longerx"),
			 KV_STR("b", "hunter2-tokenhunter2-token"), KV_STR("c", "quote\"slash\\new\nline"),
			 KV_STR("d", "hunter2-toke"));
		drain();
		assert_null(strstr(text, "hunter2-token"));
		assert_null(strstr(text, "-longer"));
		assert_null(strstr(text, "slash"));
		assert_non_null(strstr(text, "x***x"));
		assert_non_null(strstr(text, "******"));
		assert_non_null(strstr(text, "hunter2-toke")); /* a part is none */
		/* One that stands where the value is cut is not cut in two. */
		for (size_t at = LOG_VALUE_MAX - 60; at < LOG_VALUE_MAX + 20; at++) {
			memset(near, '.', sizeof(near));
			memcpy(near + at, "hunter2-token", 14);
			log_info(NULL, "t.near", KV_STR("a", near));
			assert_null(strstr(drain(), "hunter2"));
		}
	}
	for (int i = 0; i < LOG_SECRETS_MAX; i++) {
		snprintf(name, sizeof(name), "filler-secret-%d", i);
		assert_int_equal(log_add_secret(name), i < LOG_SECRETS_MAX - 3 ? 0 : -ENOBUFS);
	}
}

/* --- full pipes ------------------------------------------------------------------------------------------------------
 */

static void test_full_pipe_drops_whole_records_and_counts(void **state)
{
	uint64_t before = log_dropped();
	char *line, *rest;
	unsigned last = 0;
	int told = 0;

	(void)state;
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, 4096) >= 4096);
	for (unsigned i = 1; i <= 2000; i++)
		log_info(NULL, "t.flood", KV_U64("n", i), KV_STR("pad", "................................"));
	assert_true(log_dropped() - before > 1000);
	assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
	drain();
	rest = strdup(text);
	log_info(NULL, "t.after", KV_U64("n", 3000));
	drain();
	rest = realloc(rest, strlen(rest) + strlen(text) + 1);
	strcat(rest, text);
	/* Every line is whole, in order; the loss is told in numbers. */
	for (char *at = rest; (line = strsep(&at, "\n")) && *line;) {
		json_t *json = json_loads(line, 0, NULL);
		unsigned n;

		assert_non_null(json);
		if (strcmp(string_of(json, "event"), "log.dropped") == 0) {
			told += (int)json_integer_value(json_object_get(json, "count"));
		} else {
			n = (unsigned)json_integer_value(json_object_get(json, "n"));
			assert_true(n > last);
			last = n;
		}
		json_decref(json);
	}
	assert_int_equal(last, 3000);
	assert_int_equal(told, log_dropped() - before);
	free(rest);
}

static void test_record_larger_than_the_pipes_rest_arrives_whole(void **state)
{
	char value[3000], *all = calloc(1, 400000);
	size_t len = 0;
	int good = 0;

	(void)state;
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, 8192) >= 8192);
	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	/* The reader takes odd portions, so that records are torn at any place. */
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 200; i++) {
		ssize_t n;

		log_info(NULL, "t.torn", KV_STR("a", value), KV_STR("b", value), KV_INT("n", i));
		n = read(fds[0], all + len, 1777);
		len += n > 0 ? (size_t)n : 0;
	}
	for (ssize_t n; (n = read(fds[0], all + len, 9999)) > 0 || errno != EAGAIN;)
		len += n > 0 ? (size_t)n : 0;
	log_info(NULL, "t.end", KV_INT("n", 0));
	for (ssize_t n; (n = read(fds[0], all + len, 9999)) > 0;)
		len += (size_t)n;
	all[len] = '\0';
	for (char *at = all, *line; (line = strsep(&at, "\n")) && *line; good++) {
		json_t *json = json_loads(line, 0, NULL);

		if (!json)
			fail_msg("torn line: %.80s", line);
		json_decref(json);
	}
	assert_true(good > 20);
	free(all);
}

static void test_closed_reader_and_socket(void **state)
{
	uint64_t before = log_dropped();
	int pair[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	use(LOG_FORMAT_JSON, pair[1]);
	for (int i = 0; i < 20000; i++)
		log_info(NULL, "t.socket", KV_INT("n", i));
	assert_true(log_dropped() > before);
	close(pair[0]);
	before = log_dropped();
	log_info(NULL, "t.gone", KV_INT("n", 1));
	assert_int_equal(log_dropped(), before + 1);
	close(pair[1]);
	/* The next reader is told of the loss. */
	use(LOG_FORMAT_JSON, fds[1]);
	log_info(NULL, "t.next", KV_INT("n", 1));
	assert_non_null(strstr(drain(), "log.dropped"));
	assert_non_null(strstr(text, "t.next"));
}

static void test_plain_file(void **state)
{
	FILE *file = tmpfile();
	char line[400];

	(void)state;
	assert_non_null(file);
	use(LOG_FORMAT_JSON, fileno(file));
	log_info(NULL, "t.file", KV_INT("n", 1));
	log_info(NULL, "t.file", KV_INT("n", 2));
	use(LOG_FORMAT_JSON, fds[1]);
	rewind(file);
	assert_non_null(fgets(line, sizeof(line), file));
	assert_non_null(fgets(line, sizeof(line), file));
	assert_non_null(strstr(line, "\"n\":2"));
	fclose(file);
}

static void *log_many(void *arg)
{
	for (int i = 0; i < 2000; i++)
		log_info(NULL, "t.thread", KV_INT("t", (intptr_t)arg), KV_INT("n", i));
	return NULL;
}

static void test_threads_do_not_mix_lines(void **state)
{
	FILE *file = tmpfile();
	pthread_t threads[4];
	char line[400];
	int lines = 0;

	(void)state;
	use(LOG_FORMAT_JSON, fileno(file));
	for (intptr_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, log_many, (void *)i), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	use(LOG_FORMAT_JSON, fds[1]);
	rewind(file);
	for (; fgets(line, sizeof(line), file); lines++) {
		json_t *json = json_loads(line, 0, NULL);

		assert_non_null(json);
		json_decref(json);
	}
	assert_int_equal(lines, 8000);
	fclose(file);
}

/* --- journal ---------------------------------------------------------------------------------------------------------
 */

#define NO_NAMESPACE 77

/* In a child with a /run of its own: holds the journal's socket, logs, and looks at what came. 0 when all is right. */
static int journal_in_a_namespace(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ssize_t n;

	if ((geteuid() == 0 ? unshare(CLONE_NEWNS) : unshare(CLONE_NEWUSER | CLONE_NEWNS)) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0)
		return NO_NAMESPACE;
	if (mkdir("/run/systemd", 0755) < 0 || mkdir("/run/systemd/journal", 0755) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return 2;
	use(LOG_FORMAT_JOURNAL, STDERR_FILENO);
	log_one_of_each();
	n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	if (n <= 0)
		return 3;
	text[n] = '\0';
	for (size_t i = 0;; i++) {
		static const char *const wanted[] = {
			"PRIORITY=4\n",
			"EVENT=gateway.resume_refused\n",
			"SYSLOG_IDENTIFIER=test\n",
			"SHARD=3\n",
			"GUILD_ID=41771983423143937\n",
			"MODULE=mod\n",
			"WAIT_MS=1200\n",
			"CLOSE_CODE=4009\n",
			"DISPATCH=MESSAGE_CREATE\n",
			"ERROR=SHOAL_ERATE\n",
			"TOOK_MS=5\n",
			"HOST=a b\n",
			"MESSAGE=gateway.resume_refused [shard 3 guild 41771983423143937 module mod MESSAGE_CREATE] "
			"Discord refused the resume close_code=4009 ",
			NULL,
		};

		if (!wanted[i])
			break;
		if (!strstr(text, wanted[i])) {
			print_message("journal: %s is not in:\n%s\n", wanted[i], text);
			return 4;
		}
	}
	/* A value cannot bring a field of its own along. */
	log_info(NULL, "t.inject", KV_STR("a", "x\nPRIORITY=0\nUSER=root"), KV_STR("message", "y"));
	n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	text[n > 0 ? n : 0] = '\0';
	return n > 0 && !strstr(text, "\nUSER=root") && strstr(text, "FIELD_MESSAGE=y\n") ? 0 : 5;
}

static void test_journal(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (child == 0)
		_exit(journal_in_a_namespace());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == NO_NAMESPACE) {
		print_message("skipped: a mount namespace of one's own is not allowed here\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* The same record without a namespace: the fields as they are handed to the journal. */
static void test_journal_fields(void **state)
{
	static char out[2 * LOG_RECORD_MAX];
	static char large[9000];
	struct iovec iov[LOG_JOURNAL_FIELDS_MAX];
	struct log_field fields[100];
	struct log_record record = { .level = LOG_LEVEL_AUDIT,
				     .ctx = &(struct log_ctx){ .shard = -1 },
				     .event = "t.fields",
				     .fields = fields,
				     .field_count = 100 };
	int count;

	(void)state;
	memset(large, '\n', sizeof(large) - 1);
	for (size_t i = 0; i < 100; i++)
		fields[i] = KV_STR(i % 2 ? "0weird key" : "shard", large);
	count = log_format_journal(&record, out, iov);
	assert_in_range(count, 4, LOG_JOURNAL_FIELDS_MAX);
	for (int i = 0; i < count; i++) {
		const char *field = iov[i].iov_base;

		assert_true(iov[i].iov_len > 0 && field + iov[i].iov_len <= out + sizeof(out));
		assert_null(memchr(field, '\n', iov[i].iov_len));
		assert_true(field[0] >= 'A' && field[0] <= 'Z');
		assert_non_null(memchr(field, '=', iov[i].iov_len));
	}
	assert_memory_equal(iov[1].iov_base, "PRIORITY=5", 10);
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(test_json),
		LOG_TEST(test_human),
		LOG_TEST(test_human_on_a_terminal_has_colour),
		LOG_TEST(test_auto_is_json_on_a_pipe),
		LOG_TEST(test_levels),
		LOG_TEST(test_default_context),
		LOG_TEST(test_errno_is_kept),
		LOG_TEST(test_every_byte_is_made_harmless),
		LOG_TEST(test_bad_utf8_and_hidden_characters),
		LOG_TEST(test_long_values_are_cut_and_say_so),
		LOG_TEST(test_many_fields),
		LOG_TEST(test_full_pipe_drops_whole_records_and_counts),
		LOG_TEST(test_record_larger_than_the_pipes_rest_arrives_whole),
		LOG_TEST(test_closed_reader_and_socket),
		LOG_TEST(test_plain_file),
		LOG_TEST(test_threads_do_not_mix_lines),
		LOG_TEST(test_journal),
		LOG_TEST(test_journal_fields),
		LOG_TEST(test_secrets_in_every_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
