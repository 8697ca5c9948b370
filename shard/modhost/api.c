/* The table that modules get. Its functions live where their matter does; here they only meet. */
#include "shard/modhost/api.h"

#include <stdio.h>

#include <shoal/event.h>
#include <shoal/permissions.h>
#include <shoal/scope.h>
#include <shoal/snowflake.h>

#include "shard/commands/followup.h"
#include "shard/commands/gate.h"
#include "shard/commands/invocation.h"
#include "shard/commands/suggest.h"
#include "shard/modhost/actions.h"
#include "shard/modhost/fetch.h"
#include "shard/modhost/jobs.h"
#include "shard/modhost/modhost.h"
#include "shard/modhost/module_bus.h"
#include "shard/modhost/module_http.h"
#include "shard/modhost/module_settings.h"
#include "shard/modhost/module_store.h"
#include "shard/modhost/status.h"
#include "shard/modhost/timers.h"
#include "shared/base/cleanup.h"
#include "shared/base/clock.h"
#include "shared/base/errors.h"
#include "shared/discord/hierarchy.h"
#include "shared/log/log.h"
#include "shared/phrases/clean.h"
#include "shared/phrases/phrases.h"
#include "shared/schedule/when.h"

#define LOG_TEXT_SIZE 1024

static struct shoal_scope *hold_scope(struct shoal_scope *scope)
{
	if (culprit_is_astray(scope->module, "shoal_scope_hold"))
		return scope;
	scope->hold(scope->owner);
	return scope;
}

static void release_scope(struct shoal_scope *scope)
{
	if (scope && !culprit_is_astray(scope->module, "shoal_scope_release"))
		scope->release(scope->owner);
}

static bool is_again(const struct shoal_scope *scope)
{
	return ticket_again(scope->ticket);
}

static struct shoal_scope *of_module(struct shoal_scope *scope)
{
	struct loaded_module *module = modhost_module(scope->module);

	return module ? &module->scope : NULL;
}

static void set_data(struct shoal_scope *scope, void *data)
{
	if (scope->module)
		scope->module->data = data;
}

static void effect_number(struct shoal_scope *scope, uint32_t number)
{
	effect_scope_place(&scope->effects, number);
}

static void *get_data(const struct shoal_scope *scope)
{
	return scope->module ? scope->module->data : NULL;
}

static int64_t now_ms(void)
{
	return clock_wall_ms();
}

static __attribute__((format(printf, 4, 0))) void vlog(struct shoal_scope *scope, int level, const char *event,
						       const char *format, va_list args)
{
	static const enum log_level levels[] = { [SHOAL_LOG_DEBUG] = LOG_LEVEL_DEBUG,
						 [SHOAL_LOG_INFO] = LOG_LEVEL_INFO,
						 [SHOAL_LOG_WARN] = LOG_LEVEL_WARN,
						 [SHOAL_LOG_ERROR] = LOG_LEVEL_ERROR };
	struct log_ctx ctx = { .shard = modhost_services() ? (int32_t)modhost_services()->shard_id : -1,
			       .guild_id = scope->guild_id,
			       .module = scope->module ? scope->module->name : NULL,
			       .event = scope->ticket ? scope->what : NULL };
	struct log_field text = KV_MSG("");
	char buffer[LOG_TEXT_SIZE];

	if (level < 0 || (size_t)level >= ARRAY_SIZE(levels))
		level = SHOAL_LOG_ERROR;
	if (levels[level] < log_get_level())
		return;
	vsnprintf(buffer, sizeof(buffer), format, args);
	text.value.text = buffer;
	log_write(levels[level], &ctx, event ? event : "modules.log", &text, 1);
}

static const struct shoal_guild_view *guild_get(struct shoal_scope *scope, uint64_t guild_id)
{
	struct cache *cache = modhost_services()->cache;

	(void)scope;
	return cache ? cache_guild(cache, guild_id) : NULL;
}

static uint64_t self(struct shoal_scope *scope)
{
	struct cache *cache = modhost_services()->cache;

	(void)scope;
	return cache ? cache_self(cache) : 0;
}

static uint32_t shard_id(struct shoal_scope *scope)
{
	(void)scope;
	return modhost_services()->shard_id;
}

static int invocation_level(const struct shoal_invocation *inv)
{
	return (int)gate_level(inv);
}

static enum shoal_language guild_language(struct shoal_scope *scope, uint64_t guild_id)
{
	struct commands *commands = modhost_services()->commands;

	(void)scope;
	return commands ? gate_guild_language(commands, guild_id) : SHOAL_ENGLISH;
}

static const char *event_name(int type)
{
	return (shoal_event_name)((enum shoal_event_type)type); /* not the module's way round */
}

const struct shoal_api api_table = {
	.abi = SHOAL_ABI,
	.size = sizeof(struct shoal_api),

	.scope_hold = hold_scope,
	.scope_release = release_scope,
	.scope_cancel = scope_end,
	.scope_again = is_again,
	.scope_of_module = of_module,
	.set_data = set_data,
	.data = get_data,
	.timer_start = timers_start,
	.timer_cancel = timers_cancel,
	.now_ms = now_ms,
	.clock_ns = clock_monotonic_ns,
	.alloc = memory_alloc,
	.free = memory_free,
	.vlog = vlog,
	.guild_get = guild_get,
	.self = self,
	.shard_id = shard_id,

	.invocation_hold = invocation_hold,
	.invocation_release = invocation_release,
	.invocation_scope = invocation_scope,
	.invocation_guild_id = invocation_guild_id,
	.invocation_channel_id = invocation_channel_id,
	.invocation_user_id = invocation_user_id,
	.invocation_event_id = invocation_event_id,
	.invocation_message_id = invocation_message_id,
	.invocation_permissions = invocation_permissions,
	.invocation_string = invocation_string,
	.invocation_integer = invocation_integer,
	.invocation_boolean = invocation_boolean,
	.invocation_number = invocation_number,
	.invocation_id = invocation_id,
	.invocation_custom_id = invocation_custom_id,
	.invocation_custom_rest = invocation_custom_rest,
	.invocation_value_count = invocation_value_count,
	.invocation_value = invocation_value,
	.invocation_field = invocation_field,
	.reply = invocation_reply,
	.reply_vprintf = invocation_reply_vprintf,
	.update = invocation_update,
	.modal_show = invocation_modal,
	.defer = invocation_defer,
	.followup = followup_create,
	.followup_edit = followup_edit,
	.followup_delete = followup_delete,
	.original_edit = followup_edit_original,
	.original_delete = followup_delete_original,

	.message_send = action_message_send,
	.dm_send = action_dm_send,
	.message_edit = action_message_edit,
	.message_remove = action_message_remove,
	.message_crosspost = action_message_crosspost,
	.reaction_set = action_reaction_set,
	.thread_start = action_thread_start,
	.webhook_execute = action_webhook_execute,
	.member_role = action_member_role,
	.member_timeout = action_member_timeout,
	.member_nick = action_member_nick,
	.member_kick = action_member_kick,
	.member_ban = action_member_ban,
	.member_unban = action_member_unban,
	.bulk_ban = action_bulk_ban,

	.snowflake_parse = shoal_snowflake_parse,
	.snowflake_print = shoal_snowflake_print,
	.permissions_in_guild = shoal_permissions_in_guild,
	.permissions_in_channel = shoal_permissions_in_channel,
	.permissions_of_bot = shoal_permissions_of_bot,
	.permissions_outrank = shoal_permissions_outrank,
	.permissions_above_role = shoal_permissions_above_role,
	.permission_words = shoal_permission_words,
	.event_name = event_name,
	.error_text = error_text,

	.job_schedule = jobs_schedule,
	.job_cancel = jobs_cancel,
	.job_list = jobs_list,
	.job_again = jobs_again,
	.zone_known = jobs_zone_known,
	.zone_local = jobs_zone_local,
	.when_parse = when_parse,

	.invocation_has = invocation_has,
	.invocation_language = invocation_language,
	.resolved_user = invocation_user,
	.resolved_role = invocation_role,
	.resolved_channel = invocation_channel,
	.resolved_attachment = invocation_attachment,
	.target_id = invocation_target_id,
	.target_message = invocation_target_message,
	.suggest_typed = suggest_typed,
	.suggest_option = suggest_option,
	.suggest = suggest_give,
	.reply_phrase = invocation_phrase,
	.reply_incident = invocation_incident,
	.refuse_result = invocation_refuse_result,
	.custom_id = invocation_custom_id_make,

	.invocation_level = invocation_level,
	.invocation_by_operator = gate_by_operator,
	.invocation_member = gate_member,
	.act_allowed = hierarchy_allows,
	.phrase_print = phrases_print_text,
	.guild_language = guild_language,
	.clean = phrases_clean,

	.fetch = fetch_begin,
	.status_get = status_get,
	.fleet_ask = status_fleet,
	.effect_number = effect_number,

	.setting_get = module_setting_get,
	.setting_peek = module_setting_peek,
	.setting_set = module_setting_set,
	.query = module_store_query,
	.write = module_store_write,
	.pending = module_store_pending,
	.rows_count = module_store_rows_count,
	.rows_affected = module_store_rows_affected,
	.rows_is_null = module_store_rows_is_null,
	.rows_int8 = module_store_rows_int8,
	.rows_bool = module_store_rows_bool,
	.rows_double = module_store_rows_double,
	.rows_time = module_store_rows_time,
	.rows_text = module_store_rows_text,
	.rows_bytes = module_store_rows_bytes,
	.bus_publish = module_bus_publish,
	.bus_subscribe = module_bus_subscribe,
	.bus_unsubscribe = module_bus_unsubscribe,
	.http_request = module_http_request,
};
