/* shoalctl module list | reload NAME | new NAME [DIR]: what modules there are and how they fare; a changed one is taken
 * in by a rolling RESUME restart; a new one begins as a skeleton that works. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base/cleanup.h"
#include "supervisor/ctl/ctl.h"

#define ASK_TIMEOUT_MS    30000
#define RELOAD_TIMEOUT_MS (1024ULL * 130000)
#define PATH_SIZE         4096
#define NAME_MAX_BYTES    31

/* --- list ----------------------------------------------------------------------------------------------------------
 */

static void print_off(const json_t *module)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(module, "shards_off"), i, one)
		printf("  switched off on shard %" PRId64 " (time %" PRId64 "); tried again in %s\n",
		       ctl_int(one, "shard"), ctl_int(one, "times"), ctl_duration(ctl_int(one, "retry_in_s")));
}

static void print_list(const json_t *answer)
{
	const json_t *one;
	size_t i;

	printf("%-16s %-9s %9s %9s %8s %6s %5s %8s %9s  %s\n", "MODULE", "VERSION", "SHARDS ON", "ENTRIES", "FAILURES",
	       "SLOW", "HELD", "CRASHES", "MEMORY", "WHAT IT IS");
	json_array_foreach(json_object_get(answer, "modules"), i, one)
	{
		printf("%-16s %-9s %9" PRId64 " %9s %8" PRId64 " %6" PRId64 " %5" PRId64 " %8" PRId64 " %9s  %s\n",
		       ctl_clean(ctl_text(one, "name")), ctl_clean(ctl_text(one, "version")),
		       ctl_int(one, "on") + ctl_int(one, "trial"), ctl_count(ctl_int(one, "entries")),
		       ctl_int(one, "failures"), ctl_int(one, "slow"), ctl_int(one, "held"), ctl_int(one, "crashes"),
		       ctl_kib(ctl_int(one, "memory_bytes") / 1024), ctl_clean(ctl_text(one, "description")));
		print_off(one);
	}
	json_array_foreach(json_object_get(answer, "refused"), i, one)
		printf("%-16s LEFT OUT: %s\n", ctl_clean(ctl_text(one, "name")), ctl_clean(ctl_text(one, "reason")));
}

static int list(const struct ctl_options *options)
{
	json_t *answer = NULL;
	int r = ctl_ask(options, json_pack("{s:s, s:s}", "verb", "module", "op", "list"), ASK_TIMEOUT_MS, NULL, NULL,
			&answer);

	if (r != CTL_OK)
		return r;
	if (options->json)
		ctl_print_json(answer);
	else
		print_list(answer);
	json_decref(answer);
	return CTL_OK;
}

static int reload(const char *name, const struct ctl_options *options)
{
	json_t *answer = NULL;
	int r = ctl_ask(options, json_pack("{s:s, s:s, s:s}", "verb", "module", "op", "reload", "name", name),
			RELOAD_TIMEOUT_MS, ctl_restart_progress, (void *)options, &answer);

	if (r != CTL_OK)
		return r;
	ctl_restart_end(answer, options);
	json_decref(answer);
	return CTL_OK;
}

/* --- new -----------------------------------------------------------------------------------------------------------
 */

/* @ is the module's name. */
static const char source_text[] =
	"/* What this module is for. Guide: shard/modules/README.md, installed as share/doc/shoal/MODULES.md; "
	"contract: "
	"<shoal/module.h>. */\n"
	"#include <shoal/module.h>\n"
	"\n"
	"/* A server changes it by /settings set name:@.greeting, or for one channel. */\n"
	"static const struct shoal_setting settings[] = {\n"
	"\t{ .name = \"greeting\", .type = SHOAL_SETTING_TEXT, .layers = SHOAL_LAYER_GUILD | SHOAL_LAYER_CHANNEL, .min "
	"= 1,\n"
	"\t  .max = 100, .fallback = \"Hello\", .description = \"what a greeting begins with\" },\n"
	"};\n"
	"\n"
	"static void greet(struct shoal_invocation *inv)\n"
	"{\n"
	"\tconst char *whom = shoal_invocation_string(inv, \"whom\", \"you\");\n"
	"\tstruct shoal_place here = { shoal_invocation_guild_id(inv), shoal_invocation_channel_id(inv), 0 };\n"
	"\tstruct shoal_setting_answer greeting;\n"
	"\tint r = shoal_setting_peek(shoal_invocation_scope(inv), &here, \"greeting\", &greeting);\n"
	"\n"
	"\tshoal_reply_printf(inv, \"%s from @, %s!\", r == 0 ? greeting.value->text : \"Hello\", whom);\n"
	"}\n"
	"\n"
	"static const struct shoal_command_option options[] = {\n"
	"\t{ .name = \"whom\", .description = \"Whom to greet\", .type = SHOAL_OPTION_STRING, .min = 1, .max = 100 },\n"
	"};\n"
	"static const struct shoal_command command = {\n"
	"\t.name = \"@\",\n"
	"\t.description = \"Says hello\",\n"
	"\t.options = options,\n"
	"\t.option_count = SHOAL_COUNT(options),\n"
	"\t.handle = greet,\n"
	"};\n"
	"static const struct shoal_command *const commands[] = { &command };\n"
	"\n"
	"SHOAL_MODULE(@, .version = \"0.1\", .description = \"Says hello\", SHOAL_COMMANDS(commands),\n"
	"\t     SHOAL_SETTINGS(1, settings));\n";

static const char test_text[] = "/* Tests of the module @, without a worker. */\n"
				"#include <setjmp.h>\n"
				"#include <stdarg.h>\n"
				"#include <stddef.h>\n"
				"\n"
				"#include <cmocka.h>\n"
				"\n"
				"#include <shoal/testing.h>\n"
				"\n"
				"#include \"^@.c\"\n"
				"\n"
				"static void greets(void **state)\n"
				"{\n"
				"\tstruct shoal_invocation inv = { .string = { { \"whom\", \"world\" } } };\n"
				"\n"
				"\t(void)state;\n"
				"\tshoal_test_begin();\n"
				"\tgreet(&inv);\n"
				"\tassert_string_equal(inv.reply, \"Hello from @, world!\");\n"
				"}\n"
				"\n"
				"static void greets_as_the_server_likes(void **state)\n"
				"{\n"
				"\tstruct shoal_invocation inv = { 0 };\n"
				"\n"
				"\t(void)state;\n"
				"\tshoal_test_begin();\n"
				"\tshoal_test_settings[0].name = \"greeting\";\n"
				"\tshoal_test_settings[0].value.text = \"Ahoy\";\n"
				"\tgreet(&inv);\n"
				"\tassert_string_equal(inv.reply, \"Ahoy from @, you!\");\n"
				"}\n"
				"\n"
				"int main(void)\n"
				"{\n"
				"\tconst struct CMUnitTest tests[] = { cmocka_unit_test(greets),\n"
				"\t\t\t\t\t   cmocka_unit_test(greets_as_the_server_likes) };\n"
				"\n"
				"\treturn cmocka_run_group_tests(tests, NULL, NULL);\n"
				"}\n";

/* Outside the tree; in it the Makefile there knows how. */
static const char makefile_text[] =
	"# make, make test, make install (modules.dir of the bot). PREFIX: where shoal is installed.\n"
	"PREFIX ?= \1\n"
	"INCLUDE ?= \2\n"
	"CFLAGS += -std=gnu11 -O2 -g -Wall -Wextra -fPIC -I$(INCLUDE)\n"
	"\n"
	"@.so: @.c\n"
	"\t$(CC) $(CFLAGS) -fvisibility=hidden -shared -Wl,--no-undefined -o $@@ $<\n"
	"test: test_@.c @.c\n"
	"\t$(CC) $(CFLAGS) -o test_@ $< -lcmocka && ./test_@\n"
	"install: @.so\n"
	"\tinstall -m 644 $< $(DESTDIR)$(PREFIX)/lib/shoal/modules/\n"
	"# Migrations (sql/NNNN_name.up.sql and .down.sql), if there are: shoalctl migrate up runs them.\n"
	"ifneq ($(wildcard sql/*.sql),)\n"
	"\tinstall -d $(DESTDIR)$(PREFIX)/lib/shoal/modules/sql/@\n"
	"\tinstall -m 644 sql/*.sql $(DESTDIR)$(PREFIX)/lib/shoal/modules/sql/@/\n"
	"endif\n"
	".PHONY: test install\n";

/* What is filled into a skeleton. */
struct fill {
	const char *name;
	char folder[128];        /* before its source in an include */
	char prefix[PATH_SIZE];  /* where shoal is installed */
	char include[PATH_SIZE]; /* where its headers are */
};

/* By where this program lies: PREFIX/bin, or the folder into which a tree is built. */
static void find_shoal(struct fill *fill)
{
	char self[PATH_SIZE - 64], *slash;
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	snprintf(fill->prefix, sizeof(fill->prefix), "/usr/local");
	snprintf(fill->include, sizeof(fill->include), "$(PREFIX)/include");
	self[len > 0 ? len : 0] = '\0';
	slash = strrchr(self, '/'); /* of the program */
	if (slash)
		*slash = '\0';
	slash = strrchr(self, '/'); /* of its folder */
	if (!slash || slash == self)
		return;
	*slash = '\0';
	if (strcmp(slash + 1, "bin") == 0)
		snprintf(fill->prefix, sizeof(fill->prefix), "%s", self);
	else
		snprintf(fill->include, sizeof(fill->include), "%s/include", self);
}

static const char *filled(const struct fill *fill, char mark)
{
	switch (mark) {
	case '@':
		return fill->name;
	case '^':
		return fill->folder;
	case '\1':
		return fill->prefix;
	case '\2':
		return fill->include;
	default:
		return NULL;
	}
}

/* '@' becomes the name, '^', 1 and 2 (which no text has) the rest; "@@" one '@'. */
static int write_file(const char *dir, const char *file, const char *text, const struct fill *fill)
{
	char path[PATH_SIZE + 128];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	out = fopen(path, "wxe");
	if (!out)
		return -errno;
	for (; *text; text++) {
		if (*text == '@' && text[1] == '@') {
			fputc('@', out);
			text++;
		} else if (filled(fill, *text)) {
			fputs(filled(fill, *text), out);
		} else {
			fputc(*text, out);
		}
	}
	return fclose(out) == 0 ? 0 : -errno;
}

static bool is_name(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= NAME_MAX_BYTES && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len &&
	       name[0] >= 'a' && strcmp(name, "core") != 0;
}

static int begin(const char *name, const char *given, const struct ctl_options *options)
{
	bool in_tree = !given && access("shard/modules", F_OK) == 0;
	char dir[PATH_SIZE], file[64], text[PATH_SIZE + 256];
	struct fill fill = { .name = name };
	int r;

	if (!is_name(name))
		return ctl_fail(
			options, CTL_USAGE, "EINVAL",
			"a module's name is 1 to 31 of a-z, 0-9 and '_', begins with a letter, and is not core");
	snprintf(dir, sizeof(dir), "%s%s%s", in_tree ? "shard/modules/" : given ? given : "./", given ? "" : name, "");
	if (in_tree)
		snprintf(fill.folder, sizeof(fill.folder), "shard/modules/%s/", name);
	find_shoal(&fill);
	r = mkdir(dir, 0777) < 0 ? -errno : 0;
	snprintf(file, sizeof(file), "%s.c", name);
	if (r == 0)
		r = write_file(dir, file, source_text, &fill);
	snprintf(file, sizeof(file), "test_%s.c", name);
	if (r == 0)
		r = write_file(dir, file, test_text, &fill);
	if (r == 0 && !in_tree)
		r = write_file(dir, "Makefile", makefile_text, &fill);
	if (r < 0) {
		snprintf(text, sizeof(text), "%s can't be written: %s", dir, strerror(-r));
		return ctl_fail(options, CTL_FAILED, r == -EEXIST ? "EEXIST" : "EIO", text);
	}
	if (options->json) {
		json_t *answer = json_pack("{s:s, s:s}", "module", name, "dir", dir);

		ctl_print_json(answer);
		json_decref(answer);
	} else if (in_tree) {
		printf("%s/%s.c and its test are written. Next:\n"
		       "  make modules                          (builds it, and runs its test)\n"
		       "  make run                              (another terminal)\n"
		       "  build/shoalctl module reload %s     (after each make, while it runs)\n",
		       dir, name, name);
	} else {
		printf("%s: %s.c, its test and a Makefile are written. Next:\n"
		       "  make -C %s test && sudo make -C %s install\n"
		       "  shoalctl plan module load %s\n"
		       "  shoalctl module reload %s\n",
		       dir, name, dir, dir, name, name);
	}
	return CTL_OK;
}

int ctl_module(int argc, char **argv, const struct ctl_options *options)
{
	const char *op = argc > 1 ? argv[1] : "";

	if (strcmp(op, "list") == 0 && argc == 2)
		return list(options);
	if (strcmp(op, "reload") == 0 && argc == 3)
		return reload(argv[2], options);
	if (strcmp(op, "new") == 0 && (argc == 3 || argc == 4))
		return begin(argv[2], argc == 4 ? argv[3] : NULL, options);
	return ctl_usage("module", "list | reload NAME | new NAME [DIR]");
}
