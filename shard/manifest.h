/* What this worker needs and offers, for the supervisor: made from the tables, without secrets or connections. */
#ifndef SHOAL_SHARD_MANIFEST_H
#define SHOAL_SHARD_MANIFEST_H

#include <stdio.h>

/* Prints one JSON object {"version", "build_id", "intents": bits, "privileged": {"<INTENT>": what does not work without
 * it}, "events": [names], "modules": [as loader_to_json() says], "settings": [of modules, as loader_settings_to_json()
 * says], "commands": [as Discord's PUT takes them], "hash": SHA-256 of the commands in canonical form}. 0 or -ENOMEM,
 * -EIO. */
int manifest_print(FILE *out);

/* Prints the catalogue: [{"owner": "core" or a module, "en": text, "de": …, "es": …, "it": …; null: not spoken}].
 * Errors as above. */
int manifest_print_phrases(FILE *out);

#endif
