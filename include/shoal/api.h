/* SPDX-License-Identifier: MIT */
/* The table of functions that a module gets. You never name it: the functions of the other headers (shoal_reply_text(),
 * shoal_message_send(), …) are wrappers over it, so module code reads the same whether it is linked into the worker or
 * loaded from a .so.
 *
 * Versions: SHOAL_ABI is major << 16 | minor. A new function goes to the end and raises the minor; any other change of
 * this table, or of a struct that crosses it, raises the major. shoal takes a module whose major is its own and whose
 * minor is not above its own. */
#ifndef SHOAL_API_H
#define SHOAL_API_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <shoal/phrase.h>

#define SHOAL_ABI_MAJOR 3
#define SHOAL_ABI_MINOR 1
#ifndef SHOAL_ABI /* a test builds another one */
#define SHOAL_ABI ((uint32_t)SHOAL_ABI_MAJOR << 16 | SHOAL_ABI_MINOR)
#endif

struct shoal_scope;
struct shoal_invocation;
struct shoal_result;
struct shoal_content;
struct shoal_modal;
struct shoal_guild_view;
struct shoal_permissions_member;
struct shoal_message_send;
struct shoal_dm_send;
struct shoal_message_edit;
struct shoal_message_remove;
struct shoal_message_ref;
struct shoal_reaction_set;
struct shoal_thread_start;
struct shoal_webhook_execute;
struct shoal_member_role;
struct shoal_member_timeout;
struct shoal_member_nick;
struct shoal_member_ref;
struct shoal_member_ban;
struct shoal_bulk_ban;
struct shoal_place;
struct shoal_setting_answer;
struct shoal_setting_change;
struct shoal_setting_outcome;
struct shoal_query;
struct shoal_write;
struct shoal_written;
struct shoal_rows;
struct shoal_bus_message;
struct shoal_http_request;
struct shoal_http_result;
struct shoal_act;
struct shoal_act_bar;
struct shoal_fetched;
struct shoal_status;
struct shoal_fleet;
struct shoal_schedule;
struct shoal_scheduled;
struct shoal_job_ref;
struct shoal_job_item;
struct shoal_job_query;
struct shoal_local;
struct shoal_when;

struct shoal_choice;
struct shoal_resolved_user;
struct shoal_resolved_role;
struct shoal_resolved_channel;
struct shoal_resolved_attachment;
struct shoal_resolved_message;

struct shoal_api {
	uint32_t abi;  /* of the worker */
	uint32_t size; /* of this table */

	/* <shoal/scope.h> */
	struct shoal_scope *(*scope_hold)(struct shoal_scope *scope);
	void (*scope_release)(struct shoal_scope *scope);
	void (*scope_cancel)(struct shoal_scope *scope);
	bool (*scope_again)(const struct shoal_scope *scope);
	struct shoal_scope *(*scope_of_module)(struct shoal_scope *scope);
	void (*set_data)(struct shoal_scope *scope, void *data);
	void *(*data)(const struct shoal_scope *scope);
	int (*timer_start)(struct shoal_scope *scope, uint64_t delay_ms, void (*fn)(void *arg, int error), void *arg,
			   uint64_t *ret_id);
	int (*timer_cancel)(struct shoal_scope *scope, uint64_t id);
	int64_t (*now_ms)(void);
	uint64_t (*clock_ns)(void);
	void *(*alloc)(struct shoal_scope *scope, size_t size);
	void (*free)(void *memory);
	void (*vlog)(struct shoal_scope *scope, int level, const char *event, const char *format, va_list args);
	const struct shoal_guild_view *(*guild_get)(struct shoal_scope *scope, uint64_t guild_id);
	uint64_t (*self)(struct shoal_scope *scope);
	uint32_t (*shard_id)(struct shoal_scope *scope);

	/* <shoal/command.h> */
	struct shoal_invocation *(*invocation_hold)(struct shoal_invocation *inv);
	void (*invocation_release)(struct shoal_invocation *inv);
	struct shoal_scope *(*invocation_scope)(struct shoal_invocation *inv);
	uint64_t (*invocation_guild_id)(const struct shoal_invocation *inv);
	uint64_t (*invocation_channel_id)(const struct shoal_invocation *inv);
	uint64_t (*invocation_user_id)(const struct shoal_invocation *inv);
	uint64_t (*invocation_event_id)(const struct shoal_invocation *inv);
	uint64_t (*invocation_message_id)(const struct shoal_invocation *inv);
	bool (*invocation_permissions)(const struct shoal_invocation *inv, uint64_t *ret_bits);
	const char *(*invocation_string)(const struct shoal_invocation *inv, const char *option, const char *fallback);
	int64_t (*invocation_integer)(const struct shoal_invocation *inv, const char *option, int64_t fallback);
	bool (*invocation_boolean)(const struct shoal_invocation *inv, const char *option, bool fallback);
	double (*invocation_number)(const struct shoal_invocation *inv, const char *option, double fallback);
	uint64_t (*invocation_id)(const struct shoal_invocation *inv, const char *option, uint64_t fallback);
	const char *(*invocation_custom_id)(const struct shoal_invocation *inv);
	const char *(*invocation_custom_rest)(const struct shoal_invocation *inv);
	size_t (*invocation_value_count)(const struct shoal_invocation *inv);
	const char *(*invocation_value)(const struct shoal_invocation *inv, size_t i);
	const char *(*invocation_field)(const struct shoal_invocation *inv, const char *custom_id);
	int (*reply)(struct shoal_invocation *inv, const struct shoal_content *content);
	int (*reply_vprintf)(struct shoal_invocation *inv, bool is_error, const char *format, va_list args);
	int (*update)(struct shoal_invocation *inv, const struct shoal_content *content);
	int (*modal_show)(struct shoal_invocation *inv, const struct shoal_modal *modal);
	int (*defer)(struct shoal_invocation *inv, uint32_t flags);
	int (*followup)(struct shoal_invocation *inv, const struct shoal_content *content,
			void (*fn)(void *arg, const struct shoal_result *result), void *arg);
	int (*followup_edit)(struct shoal_invocation *inv, uint64_t message_id, const struct shoal_content *content,
			     void (*fn)(void *arg, const struct shoal_result *result), void *arg);
	int (*followup_delete)(struct shoal_invocation *inv, uint64_t message_id,
			       void (*fn)(void *arg, const struct shoal_result *result), void *arg);
	int (*original_edit)(struct shoal_invocation *inv, const struct shoal_content *content,
			     void (*fn)(void *arg, const struct shoal_result *result), void *arg);
	int (*original_delete)(struct shoal_invocation *inv, void (*fn)(void *arg, const struct shoal_result *result),
			       void *arg);

	/* <shoal/effects.h> */
#define SHOAL_EFFECT(name, request)                                            \
	int (*name)(struct shoal_scope * scope, const struct request *request, \
		    void (*fn)(void *arg, const struct shoal_result *result), void *arg)
	SHOAL_EFFECT(message_send, shoal_message_send);
	SHOAL_EFFECT(dm_send, shoal_dm_send);
	SHOAL_EFFECT(message_edit, shoal_message_edit);
	SHOAL_EFFECT(message_remove, shoal_message_remove);
	SHOAL_EFFECT(message_crosspost, shoal_message_ref);
	SHOAL_EFFECT(reaction_set, shoal_reaction_set);
	SHOAL_EFFECT(thread_start, shoal_thread_start);
	SHOAL_EFFECT(webhook_execute, shoal_webhook_execute);
	SHOAL_EFFECT(member_role, shoal_member_role);
	SHOAL_EFFECT(member_timeout, shoal_member_timeout);
	SHOAL_EFFECT(member_nick, shoal_member_nick);
	SHOAL_EFFECT(member_kick, shoal_member_ref);
	SHOAL_EFFECT(member_ban, shoal_member_ban);
	SHOAL_EFFECT(member_unban, shoal_member_ref);
	SHOAL_EFFECT(bulk_ban, shoal_bulk_ban);
#undef SHOAL_EFFECT

	/* pure helpers, <shoal/snowflake.h>, <shoal/permissions.h>, <shoal/event.h> */
	int (*snowflake_parse)(const char *text, size_t len, uint64_t *ret_id);
	size_t (*snowflake_print)(uint64_t id, char *text);
	uint64_t (*permissions_in_guild)(const struct shoal_guild_view *guild,
					 const struct shoal_permissions_member *member, int64_t now_ms);
	bool (*permissions_in_channel)(const struct shoal_guild_view *guild,
				       const struct shoal_permissions_member *member, uint64_t channel_id,
				       int64_t now_ms, uint64_t *ret_bits);
	bool (*permissions_of_bot)(const struct shoal_guild_view *guild, uint64_t user_id, uint64_t channel_id,
				   int64_t now_ms, uint64_t *ret_bits);
	bool (*permissions_outrank)(const struct shoal_guild_view *guild, const struct shoal_permissions_member *member,
				    const struct shoal_permissions_member *other);
	bool (*permissions_above_role)(const struct shoal_guild_view *guild,
				       const struct shoal_permissions_member *member, uint64_t role_id);
	const char *(*permission_words)(uint64_t bits, enum shoal_language language);
	const char *(*event_name)(int type);
	const char *(*error_text)(int error);

	/* <shoal/settings.h> */
	int (*setting_get)(struct shoal_scope *scope, const struct shoal_place *place, const char *name,
			   void (*fn)(void *arg, const struct shoal_setting_answer *answer), void *arg);
	int (*setting_peek)(struct shoal_scope *scope, const struct shoal_place *place, const char *name,
			    struct shoal_setting_answer *ret_answer);
	int (*setting_set)(struct shoal_scope *scope, const struct shoal_setting_change *change,
			   void (*fn)(void *arg, const struct shoal_setting_outcome *outcome), void *arg);

	/* <shoal/store.h> */
	int (*query)(struct shoal_scope *scope, const struct shoal_query *query,
		     void (*fn)(void *arg, int error, const struct shoal_rows *rows), void *arg);
	int (*write)(struct shoal_scope *scope, const struct shoal_write *write,
		     void (*fn)(void *arg, const struct shoal_written *written), void *arg);
	bool (*pending)(struct shoal_scope *scope, uint64_t guild_id, const char *key, uint64_t asked_ns,
			const char **ret_value, size_t *ret_len);
	size_t (*rows_count)(const struct shoal_rows *rows);
	uint64_t (*rows_affected)(const struct shoal_rows *rows);
	bool (*rows_is_null)(const struct shoal_rows *rows, size_t row, size_t column);
	int64_t (*rows_int8)(const struct shoal_rows *rows, size_t row, size_t column);
	bool (*rows_bool)(const struct shoal_rows *rows, size_t row, size_t column);
	double (*rows_double)(const struct shoal_rows *rows, size_t row, size_t column);
	int64_t (*rows_time)(const struct shoal_rows *rows, size_t row, size_t column);
	const char *(*rows_text)(const struct shoal_rows *rows, size_t row, size_t column, size_t *ret_len);
	const void *(*rows_bytes)(const struct shoal_rows *rows, size_t row, size_t column, size_t *ret_len);

	/* <shoal/bus.h> */
	int (*bus_publish)(struct shoal_scope *scope, const char *topic, const void *payload, size_t len);
	int (*bus_subscribe)(struct shoal_scope *scope, const char *topic,
			     void (*fn)(void *arg, int error, const struct shoal_bus_message *message), void *arg,
			     uint64_t *ret_id);
	int (*bus_unsubscribe)(struct shoal_scope *scope, uint64_t id);

	/* <shoal/http.h> */
	int (*http_request)(struct shoal_scope *scope, const struct shoal_http_request *request,
			    void (*fn)(void *arg, const struct shoal_http_result *result), void *arg);

	/* <shoal/job.h> */
	int (*job_schedule)(struct shoal_scope *scope, const struct shoal_schedule *request,
			    void (*fn)(void *arg, const struct shoal_scheduled *result), void *arg);
	int (*job_cancel)(struct shoal_scope *scope, const struct shoal_job_ref *ref,
			  void (*fn)(void *arg, const struct shoal_scheduled *result), void *arg);
	int (*job_list)(struct shoal_scope *scope, const struct shoal_job_query *query,
			void (*fn)(void *arg, int error, const struct shoal_job_item *items, size_t count,
				   bool complete),
			void *arg);
	int (*job_again)(struct shoal_scope *scope, int64_t at_ms);
	bool (*zone_known)(const char *zone);
	int (*zone_local)(const char *zone, int64_t at_ms, struct shoal_local *ret_local);
	int (*when_parse)(const char *text, const char *zone, int64_t now_ms, struct shoal_when *ret_when);

	/* <shoal/command.h>, continued */
	bool (*invocation_has)(const struct shoal_invocation *inv, const char *option);
	enum shoal_language (*invocation_language)(const struct shoal_invocation *inv);
	const struct shoal_resolved_user *(*resolved_user)(const struct shoal_invocation *inv, uint64_t id);
	const struct shoal_resolved_role *(*resolved_role)(const struct shoal_invocation *inv, uint64_t id);
	const struct shoal_resolved_channel *(*resolved_channel)(const struct shoal_invocation *inv, uint64_t id);
	const struct shoal_resolved_attachment *(*resolved_attachment)(const struct shoal_invocation *inv, uint64_t id);
	uint64_t (*target_id)(const struct shoal_invocation *inv);
	const struct shoal_resolved_message *(*target_message)(const struct shoal_invocation *inv);
	const char *(*suggest_typed)(const struct shoal_invocation *inv);
	const char *(*suggest_option)(const struct shoal_invocation *inv);
	int (*suggest)(struct shoal_invocation *inv, const struct shoal_choice *choices, size_t count);
	int (*reply_phrase)(struct shoal_invocation *inv, const struct shoal_phrase *phrase,
			    const struct shoal_word *words, size_t word_count, bool is_error);
	int (*reply_incident)(struct shoal_invocation *inv, const char *why);
	int (*refuse_result)(struct shoal_invocation *inv, const struct shoal_result *result);
	int (*custom_id)(const struct shoal_invocation *inv, const char *prefix, const char *rest, char *text);

	/* <shoal/level.h>, <shoal/hierarchy.h>, <shoal/say.h> */
	int (*invocation_level)(const struct shoal_invocation *inv);
	bool (*invocation_by_operator)(const struct shoal_invocation *inv);
	bool (*invocation_member)(const struct shoal_invocation *inv, struct shoal_permissions_member *ret_member);
	bool (*act_allowed)(const struct shoal_act *act, struct shoal_act_bar *ret_bar);
	const char *(*phrase_print)(const struct shoal_phrase *phrase, enum shoal_language language,
				    const struct shoal_word *words, size_t word_count, char *text, size_t size);
	enum shoal_language (*guild_language)(struct shoal_scope *scope, uint64_t guild_id);
	const char *(*clean)(const char *from, size_t most_characters, char *text, size_t size);

	/* <shoal/fetch.h>, <shoal/status.h> */
	int (*fetch)(struct shoal_scope *scope, int what, uint64_t guild_id, uint64_t id,
		     void (*fn)(void *arg, const struct shoal_result *result, const struct shoal_fetched *got),
		     void *arg);
	void (*status_get)(struct shoal_scope *scope, struct shoal_status *ret_status, uint32_t size);
	int (*fleet_ask)(struct shoal_scope *scope, void (*fn)(void *arg, int error, const struct shoal_fleet *fleet),
			 void *arg);

	/* since 3.1: <shoal/effects.h> */
	void (*effect_number)(struct shoal_scope *scope, uint32_t number);
};

/* Set by the worker before setup(). A module's own, so nothing of it is looked up by name. */
extern const struct shoal_api *shoal_api_table __attribute__((visibility("hidden")));

#endif
