/* The table of routes. Limits are plausible, not Discord's (it does not publish them): a client must learn them from
 * the headers. */
#include "tests/sim/commands.h"
#include "tests/sim/interactions.h"
#include "tests/sim/rest_guild.h"
#include "tests/sim/rest_message.h"
#include "tests/sim/rest_thread.h"

#define CHANNEL "/channels/{}"
#define MESSAGE CHANNEL "/messages/{}"
#define GUILD   "/guilds/{}"
#define APP     "/applications/{}"
#define HOOK    "/webhooks/{}/{}"
#define FREE    (REST_NO_AUTH | REST_NO_GLOBAL)

/* clang-format off */
const struct route rest_routes[] = {
	/* method, pattern, operation, bucket, limit, window_ms, flags, handler */
	{ "GET", "/gateway", "get_gateway", "gateway", 0, 0, FREE, rest_gateway },
	{ "GET", "/gateway/bot", "get_bot_gateway", "gateway_bot", 10, 5000, 0, rest_gateway_bot },
	{ "GET", "/users/@me", "get_my_user", "users_me", 30, 30000, 0, rest_user },
	{ "GET", "/users/@me/guilds", "list_my_guilds", "my_guilds", 10, 5000, 0, rest_my_guilds },
	{ "POST", "/users/@me/channels", "create_dm", "create_dm", 10, 10000, REST_BODY, rest_dm_create },
	{ "GET", "/users/{}", "get_user", "users", 30, 30000, 0, rest_user },
	{ "GET", "/applications/@me", "get_my_application", "application", 10, 5000, 0, rest_application },
	{ "GET", "/oauth2/applications/@me", "get_my_oauth2_application", "oauth2_application", 10, 5000, 0, rest_application },

	{ "GET", APP "/commands", "list_application_commands", "commands", 20, 20000, 0, rest_commands_list },
	{ "PUT", APP "/commands", "bulk_set_application_commands", "commands_put", 20, 60000, REST_BODY, rest_commands_overwrite },
	{ "POST", APP "/commands", "create_application_command", "commands_post", 20, 20000, REST_BODY, rest_command_create },
	{ "GET", APP "/commands/{}", "get_application_command", "command", 20, 20000, 0, rest_command_one },
	{ "PATCH", APP "/commands/{}", "update_application_command", "command", 20, 20000, REST_BODY, rest_command_one },
	{ "DELETE", APP "/commands/{}", "delete_application_command", "command", 20, 20000, 0, rest_command_one },
	{ "GET", APP "/guilds/{}/commands", "list_guild_application_commands", "guild_commands", 20, 20000, 0, rest_commands_list },
	{ "PUT", APP "/guilds/{}/commands", "bulk_set_guild_application_commands", "guild_commands_put", 20, 60000, REST_BODY, rest_commands_overwrite },
	{ "POST", APP "/guilds/{}/commands", "create_guild_application_command", "guild_commands_post", 20, 20000, REST_BODY, rest_command_create },
	{ "GET", APP "/guilds/{}/commands/{}", "get_guild_application_command", "guild_command", 20, 20000, 0, rest_command_one },
	{ "PATCH", APP "/guilds/{}/commands/{}", "update_guild_application_command", "guild_command", 20, 20000, REST_BODY, rest_command_one },
	{ "DELETE", APP "/guilds/{}/commands/{}", "delete_guild_application_command", "guild_command", 20, 20000, 0, rest_command_one },

	{ "POST", "/interactions/{}/{}/callback", "create_interaction_response", "interaction_callback", 5, 5000, FREE | REST_BODY, rest_interaction_callback },
	{ "GET", HOOK "/messages/@original", "get_original_webhook_message", "webhook_message", 15, 3000, FREE, rest_original },
	{ "PATCH", HOOK "/messages/@original", "update_original_webhook_message", "webhook_message", 15, 3000, FREE | REST_BODY, rest_original },
	{ "DELETE", HOOK "/messages/@original", "delete_original_webhook_message", "webhook_message", 15, 3000, FREE, rest_original },
	{ "GET", HOOK "/messages/{}", "get_webhook_message", "webhook_message", 15, 3000, FREE, rest_webhook_message },
	{ "PATCH", HOOK "/messages/{}", "update_webhook_message", "webhook_message", 15, 3000, FREE | REST_BODY, rest_webhook_message },
	{ "DELETE", HOOK "/messages/{}", "delete_webhook_message", "webhook_message", 15, 3000, FREE, rest_webhook_message },
	{ "POST", HOOK, "execute_webhook", "webhook_execute", 5, 2000, FREE | REST_BODY, rest_webhook_execute },
	{ "GET", HOOK, "get_webhook_by_token", "webhook", 10, 5000, FREE, rest_webhook_get },
	{ "DELETE", HOOK, "delete_webhook_by_token", "webhook", 10, 5000, FREE, rest_webhook_get },
	{ "GET", "/webhooks/{}", "get_webhook", "webhook", 10, 5000, 0, rest_webhook_get },
	{ "DELETE", "/webhooks/{}", "delete_webhook", "webhook", 10, 5000, 0, rest_webhook_get },

	{ "GET", CHANNEL, "get_channel", "channel", 10, 5000, 0, rest_channel_get },
	{ "GET", CHANNEL "/messages", "list_messages", "messages_list", 10, 5000, 0, rest_messages_list },
	{ "POST", CHANNEL "/messages", "create_message", "message_create", 5, 5000, REST_BODY, rest_message_create },
	{ "POST", CHANNEL "/messages/bulk-delete", "bulk_delete_messages", "bulk_delete", 1, 1000, REST_BODY, rest_messages_bulk_delete },
	{ "GET", CHANNEL "/messages/pins", "list_pins", "pins", 5, 5000, 0, rest_pins_list },
	{ "PUT", CHANNEL "/messages/pins/{}", "create_pin", "pins", 5, 5000, 0, rest_pin },
	{ "DELETE", CHANNEL "/messages/pins/{}", "delete_pin", "pins", 5, 5000, 0, rest_pin },
	{ "GET", MESSAGE, "get_message", "message", 10, 5000, 0, rest_message_get },
	{ "PATCH", MESSAGE, "update_message", "message_edit", 5, 5000, REST_BODY, rest_message_edit },
	{ "DELETE", MESSAGE, "delete_message", "delete_message", 5, 1000, 0, rest_message_delete },
	{ "POST", MESSAGE "/crosspost", "crosspost_message", "crosspost", 10, 5000, 0, rest_message_crosspost },
	{ "POST", MESSAGE "/threads", "create_thread_from_message", "threads", 10, 5000, REST_BODY, rest_thread_from_message },
	{ "POST", CHANNEL "/threads", "create_thread", "threads", 10, 5000, REST_BODY, rest_thread_create },
	{ "PUT", MESSAGE "/reactions/{}/@me", "add_my_message_reaction", "reactions", 1, 250, 0, rest_reaction_mine },
	{ "DELETE", MESSAGE "/reactions/{}/@me", "delete_my_message_reaction", "reactions", 1, 250, 0, rest_reaction_mine },
	{ "DELETE", MESSAGE "/reactions/{}/{}", "delete_user_message_reaction", "reactions", 1, 250, 0, rest_reaction_other },
	{ "GET", MESSAGE "/reactions/{}", "list_message_reactions_by_emoji", "reactions_list", 5, 5000, 0, rest_reactions_list },
	{ "DELETE", MESSAGE "/reactions/{}", "delete_all_message_reactions_by_emoji", "reactions", 1, 250, 0, rest_reactions_clear },
	{ "DELETE", MESSAGE "/reactions", "delete_all_message_reactions", "reactions", 1, 250, 0, rest_reactions_clear },
	{ "POST", CHANNEL "/typing", "trigger_typing_indicator", "typing", 5, 5000, 0, rest_typing },
	{ "GET", CHANNEL "/webhooks", "list_channel_webhooks", "webhooks", 5, 5000, 0, rest_webhook_list },
	{ "POST", CHANNEL "/webhooks", "create_webhook", "webhooks", 5, 5000, REST_BODY, rest_webhook_create },

	{ "GET", GUILD, "get_guild", "guild", 10, 5000, 0, rest_guild_get },
	{ "GET", GUILD "/channels", "list_guild_channels", "guild_channels", 10, 5000, 0, rest_guild_channels },
	{ "GET", GUILD "/threads/active", "get_active_guild_threads", "guild_threads", 10, 5000, 0, rest_guild_threads },
	{ "GET", GUILD "/roles", "list_guild_roles", "guild_roles", 10, 5000, 0, rest_guild_roles },
	{ "POST", GUILD "/roles", "create_guild_role", "guild_roles", 10, 5000, 0, rest_role_create },
	{ "GET", GUILD "/roles/member-counts", "guild_role_member_counts", "role_counts", 10, 5000, 0, rest_role_counts },
	{ "GET", GUILD "/roles/{}", "get_guild_role", "guild_role", 10, 5000, 0, rest_role_one },
	{ "PATCH", GUILD "/roles/{}", "update_guild_role", "guild_role", 10, 5000, REST_BODY, rest_role_one },
	{ "DELETE", GUILD "/roles/{}", "delete_guild_role", "guild_role", 10, 5000, 0, rest_role_one },
	{ "GET", GUILD "/members", "list_guild_members", "members", 10, 10000, 0, rest_members_list },
	{ "GET", GUILD "/members/search", "search_guild_members", "members_search", 10, 10000, 0, rest_members_list },
	{ "PATCH", GUILD "/members/@me", "update_my_guild_member", "member_edit", 10, 10000, REST_BODY, rest_member_edit },
	{ "GET", GUILD "/members/{}", "get_guild_member", "member", 5, 1000, 0, rest_member_get },
	{ "PATCH", GUILD "/members/{}", "update_guild_member", "member_edit", 10, 10000, REST_BODY, rest_member_edit },
	{ "DELETE", GUILD "/members/{}", "delete_guild_member", "member_kick", 5, 1000, 0, rest_member_kick },
	{ "PUT", GUILD "/members/{}/roles/{}", "add_guild_member_role", "member_role", 10, 10000, 0, rest_member_role },
	{ "DELETE", GUILD "/members/{}/roles/{}", "delete_guild_member_role", "member_role", 10, 10000, 0, rest_member_role },
	{ "GET", GUILD "/bans", "list_guild_bans", "bans", 5, 5000, 0, rest_bans_list },
	{ "GET", GUILD "/bans/{}", "get_guild_ban", "ban", 5, 5000, 0, rest_ban_one },
	{ "PUT", GUILD "/bans/{}", "ban_user_from_guild", "ban", 5, 5000, 0, rest_ban_one },
	{ "DELETE", GUILD "/bans/{}", "unban_user_from_guild", "ban", 5, 5000, 0, rest_ban_one },
	{ "POST", GUILD "/bulk-ban", "bulk_ban_users_from_guild", "bulk_ban", 2, 5000, REST_BODY, rest_bulk_ban },
	{ "GET", GUILD "/audit-logs", "list_guild_audit_log_entries", "audit_logs", 5, 5000, 0, rest_audit_log },
	{ "GET", GUILD "/webhooks", "get_guild_webhooks", "webhooks", 5, 5000, 0, rest_webhook_list },
};
/* clang-format on */

const size_t rest_route_count = sizeof(rest_routes) / sizeof(rest_routes[0]);
