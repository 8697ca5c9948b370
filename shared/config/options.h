/* The table of options, and a single option's value: from text, to text. For the other files of this folder. */
#ifndef SHOAL_SHARED_CONFIG_OPTIONS_H
#define SHOAL_SHARED_CONFIG_OPTIONS_H

#include "shared/config/config.h"

/* Room for what is wrong with one value, without the place it stands in. */
#define OPTION_ERROR_SIZE 256
/* No more options than this: tables beside the table have this many rows. */
#define OPTIONS_MAX 128

/* All zero but every option at its default. -ENOMEM. */
int config_new(struct config **ret_config);

/* NULL when @key ("section.key") is none. */
const struct config_option *option_find(const char *key);
/* Has any option this section (the first @len bytes)? */
bool option_section_known(const char *section, size_t len);
/* The option whose key is nearest to a misspelt one; NULL when none is near. */
const char *option_suggest(const char *key);
/* "SHOAL_GATEWAY_ZOMBIE_GRACE_MS". */
void option_environment_name(const struct config_option *option, char *name, size_t size);

/* Checks @text and stores it. -EINVAL with @error naming the allowed range or choices (never a secret's value),
 * -ENOMEM. */
int option_set(struct config *config, const struct config_option *option, const char *text,
	       char error[OPTION_ERROR_SIZE]);
/* The value as text that option_set() takes; a string is borrowed from @config, anything else is written to @number. */
const char *option_text(const struct config *config, const struct config_option *option, char number[16]);

char **option_string(struct config *config, const struct config_option *option);
uint32_t *option_u32(struct config *config, const struct config_option *option);
bool *option_bool(struct config *config, const struct config_option *option);

/* "0 to 60000", "zlib-stream, zstd-stream or none", "yes or no"; "" for free text. */
void option_allowed(const struct config_option *option, char *text, size_t size);

#endif
