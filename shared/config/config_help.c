/* The table of options for people: --help's list and the sample file. Any thread; writes to the stream it is given. */
#include "shared/config/config.h"

#include <string.h>

#include "shared/config/options.h"

static int section_length(const char *key)
{
	return (int)strcspn(key, ".");
}

static bool same_section(const struct config_option *a, const struct config_option *b)
{
	return section_length(a->key) == section_length(b->key) &&
	       strncmp(a->key, b->key, (size_t)section_length(a->key)) == 0;
}

static bool begins_section(size_t i)
{
	return i == 0 || !same_section(&config_options[i], &config_options[i - 1]);
}

/* "(default 5000; 0 to 60000; also DISCORD_TOKEN)", whatever of it there is. */
static void print_remarks(FILE *out, const struct config_option *option, const char *before)
{
	char allowed[128];
	const char *gap = "";

	option_allowed(option, allowed, sizeof(allowed));
	if (!option->fallback[0] && !allowed[0] && !option->well_known && !(option->flags & OPTION_SECRET))
		return;
	fprintf(out, "%s(", before);
	if (option->fallback[0]) {
		fprintf(out, "default %s", option->fallback);
		gap = "; ";
	}
	if (allowed[0]) {
		fprintf(out, "%s%s", gap, allowed);
		gap = "; ";
	}
	if (option->well_known) {
		fprintf(out, "%salso %s", gap, option->well_known);
		gap = "; ";
	}
	if (option->flags & OPTION_SECRET)
		fprintf(out, "%ssecret: never a flag", gap);
	fputs(")", out);
}

void config_print_help(FILE *out)
{
	fputs("Options stand in shoal.ini, in the environment as SHOAL_<SECTION>_<KEY>, or here as "
	      "--section.key=value;\n"
	      "the later one counts.\n",
	      out);
	for (size_t i = 0; i < config_option_count; i++) {
		const struct config_option *option = &config_options[i];

		if (begins_section(i))
			fputs("\n", out);
		/* A secret is no flag: its key alone. */
		fprintf(out, "  %s%-32s %s", option->flags & OPTION_SECRET ? "  " : "--", option->key, option->help);
		print_remarks(out, option, "\n                                     ");
		fputs("\n", out);
	}
}

void config_print_sample(FILE *out)
{
	fputs("# shoal's configuration. Every key is here with its default, as a comment; take the # away to change "
	      "one.\n"
	      "# Beside this file stand the environment (SHOAL_<SECTION>_<KEY>) and flags (--section.key=value); the "
	      "later\n"
	      "# one counts. `shoald --check` says what is wrong, and where. Keep the token out of this file if others "
	      "may\n"
	      "# read it.\n",
	      out);
	for (size_t i = 0; i < config_option_count; i++) {
		const struct config_option *option = &config_options[i];

		if (begins_section(i))
			fprintf(out, "\n[%.*s]\n", section_length(option->key), option->key);
		fprintf(out, "# %s", option->help);
		print_remarks(out, option, "\n# ");
		fprintf(out, "\n#%s =%s%s\n", option->key + section_length(option->key) + 1,
			option->fallback[0] ? " " : "", option->fallback);
	}
}
