/* From a module's names to settings of the core's cache, and back. */
#include "shard/modhost/module_settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shard/modhost/modhost.h"
#include "shard/modhost/module_call.h"
#include "shared/base/cleanup.h"
#include "shared/settings/settings_write.h"

/* "poll.channel". -ENOENT: no module, or no such row. */
static int full_name(const struct shoal_scope *scope, const char *name, char full[SCHEMA_NAME_SIZE])
{
	const struct loaded_module *module = modhost_module(scope->module);

	if (!module || !name || !modhost_services()->settings)
		return -ENOENT;
	for (size_t i = 0; i < module->rows.setting_count; i++) {
		if (strcmp(module->rows.settings[i].name, name) != 0)
			continue;
		snprintf(full, SCHEMA_NAME_SIZE, "%s.%s", module->name, name);
		return 0;
	}
	return -ENOENT;
}

static struct settings_place place_of(const struct shoal_place *place)
{
	return (struct settings_place){ place->guild_id, place->channel_id, place->user_id };
}

static const enum shoal_setting_from layers[SETTINGS_LAYER_COUNT] = { [SETTINGS_DEFAULT] = SHOAL_FROM_DEFAULT,
								      [SETTINGS_GLOBAL] = SHOAL_FROM_GLOBAL,
								      [SETTINGS_GUILD] = SHOAL_FROM_GUILD,
								      [SETTINGS_CHANNEL] = SHOAL_FROM_CHANNEL,
								      [SETTINGS_USER] = SHOAL_FROM_USER };

static struct shoal_setting_answer answer_of(const struct setting_answer *answer)
{
	return (struct shoal_setting_answer){
		.value = answer->value, .from = layers[answer->from], .sure = answer->sure, .problem = answer->problem
	};
}

/* --- reading -------------------------------------------------------------------------------------------------------
 */

struct get_call {
	struct module_call call;
	shoal_setting_fn fn;
	void *arg;
};

static void tell_value(struct module_call *call, int error, const void *answer)
{
	struct get_call *get = (struct get_call *)call;
	struct shoal_setting_answer ours = { .error = error };

	if (error == 0)
		ours = answer_of(answer);
	get->fn(get->arg, &ours);
}

static void on_value(void *arg, const struct setting_answer *answer)
{
	module_call_settle(arg, 0, answer);
}

int module_setting_get(struct shoal_scope *scope, const struct shoal_place *place, const char *name,
		       shoal_setting_fn fn, void *arg)
{
	struct settings_place at = place_of(place);
	char full[SCHEMA_NAME_SIZE];
	struct get_call *call;
	void *begun;
	int r;

	r = fn ? full_name(scope, name, full) : -EINVAL;
	if (r < 0)
		return r;
	r = module_call_begin(scope, sizeof(*call), tell_value, &begun);
	if (r < 0)
		return r;
	call = begun;
	call->fn = fn;
	call->arg = arg;
	r = settings_get(modhost_services()->settings, &at, full, on_value, call);
	if (r < 0)
		module_call_drop(&call->call);
	return r;
}

int module_setting_peek(struct shoal_scope *scope, const struct shoal_place *place, const char *name,
			struct shoal_setting_answer *ret_answer)
{
	struct settings_place at = place_of(place);
	char full[SCHEMA_NAME_SIZE];
	struct setting_answer answer;
	int r = full_name(scope, name, full);

	if (r == 0)
		r = settings_peek(modhost_services()->settings, &at, full, &answer);
	if (r == 0)
		*ret_answer = answer_of(&answer);
	return r;
}

/* --- changing ------------------------------------------------------------------------------------------------------
 */

struct set_call {
	struct module_call call;
	shoal_setting_done_fn fn;
	void *arg;
};

static void tell_outcome(struct module_call *call, int error, const void *answer)
{
	const struct settings_outcome *outcome = answer;
	struct set_call *set = (struct set_call *)call;
	struct shoal_setting_outcome ours = { .error = error };

	if (outcome)
		ours = (struct shoal_setting_outcome){ .error = outcome->error,
						       .kept = outcome->kept,
						       .version = outcome->version,
						       .phrase = outcome->phrase,
						       .words = outcome->said,
						       .word_count = outcome->said_count };
	if (set->fn)
		set->fn(set->arg, &ours);
}

static void on_outcome(void *arg, const struct settings_outcome *outcome)
{
	module_call_settle(arg, outcome->error, outcome);
}

static bool layer_of(enum shoal_setting_layers layer, enum settings_layer *ret_layer)
{
	static const struct {
		enum shoal_setting_layers bit;
		enum settings_layer layer;
	} known[] = { { SHOAL_LAYER_GLOBAL, SETTINGS_GLOBAL },
		      { SHOAL_LAYER_GUILD, SETTINGS_GUILD },
		      { SHOAL_LAYER_CHANNEL, SETTINGS_CHANNEL },
		      { SHOAL_LAYER_USER, SETTINGS_USER } };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (known[i].bit != layer)
			continue;
		*ret_layer = known[i].layer;
		return true;
	}
	return false;
}

int module_setting_set(struct shoal_scope *scope, const struct shoal_setting_change *asked, shoal_setting_done_fn fn,
		       void *arg)
{
	struct settings_change change = { .place = place_of(&asked->place), .by = asked->by, .note = asked->note };
	char full[SCHEMA_NAME_SIZE];
	struct set_call *call;
	void *begun;
	int r = layer_of(asked->layer, &change.layer) ? full_name(scope, asked->name, full) : -EINVAL;

	if (r < 0)
		return r;
	r = module_call_begin(scope, sizeof(*call), tell_outcome, &begun);
	if (r < 0)
		return r;
	call = begun;
	call->fn = fn;
	call->arg = arg;
	change.name = full;
	change.token = scope_token(scope);
	if (asked->text)
		settings_set(modhost_services()->settings, &change, asked->text, on_outcome, call);
	else
		settings_reset(modhost_services()->settings, &change, on_outcome, call);
	return 0;
}
