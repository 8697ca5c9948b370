/* SPDX-License-Identifier: MIT */
/* Interactions, entitlements and subscriptions (source: facts sections 9 and 14). How to read a row:
 * <shoal/fields.h>. */
#ifndef SHOAL_INTERACTION_H
#define SHOAL_INTERACTION_H

#include <shoal/message.h>

enum shoal_interaction_type {
	SHOAL_INTERACTION_PING = 1,
	SHOAL_INTERACTION_COMMAND = 2,
	SHOAL_INTERACTION_COMPONENT = 3,
	SHOAL_INTERACTION_AUTOCOMPLETE = 4,
	SHOAL_INTERACTION_MODAL = 5,
};

enum shoal_option_type {
	SHOAL_OPTION_SUB_COMMAND = 1,
	SHOAL_OPTION_SUB_COMMAND_GROUP = 2,
	SHOAL_OPTION_STRING = 3,
	SHOAL_OPTION_INTEGER = 4,
	SHOAL_OPTION_BOOLEAN = 5,
	SHOAL_OPTION_USER = 6,
	SHOAL_OPTION_CHANNEL = 7,
	SHOAL_OPTION_ROLE = 8,
	SHOAL_OPTION_MENTIONABLE = 9,
	SHOAL_OPTION_NUMBER = 10,
	SHOAL_OPTION_ATTACHMENT = 11,
};

/* clang-format off */
/* DELETE is a refund or a removal, not an expiry; UPDATE comes when a subscription ends. Shard 0 only. */
#define SHOAL_ENTITLEMENT(F, T) \
	F(T, ID,    id, ) \
	F(T, ID,    sku_id, ) \
	F(T, ID,    application_id, ) \
	F(T, ID,    user_id, ) \
	F(T, ID,    guild_id, ) \
	F(T, ID,    promotion_id, ) \
	F(T, ID,    subscription_id, ) \
	F(T, ID,    gifter_user_id, ) \
	F(T, ID,    parent_id, ) \
	F(T, U32,   type, ) \
	F(T, BOOL,  deleted, ) \
	F(T, BOOL,  consumed, ) \
	F(T, TIME,  starts_at, ) \
	F(T, TIME,  ends_at, ) \
	F(T, TIME,  fulfilled_at, )
SHOAL_STRUCT(shoal_entitlement, SHOAL_ENTITLEMENT);

/* status: 0 active, 1 inactive, 2 ending. Grant nothing by it: entitlements do that. */
#define SHOAL_SUBSCRIPTION(F, T) \
	F(T, ID,    id, ) \
	F(T, ID,    user_id, ) \
	F(T, IDS,   sku_ids, ) \
	F(T, IDS,   entitlement_ids, ) \
	F(T, IDS,   renewal_sku_ids, ) \
	F(T, TIME,  current_period_start, ) \
	F(T, TIME,  current_period_end, ) \
	F(T, U32,   status, ) \
	F(T, TIME,  canceled_at, ) \
	F(T, STR,   country, )
SHOAL_STRUCT(shoal_subscription, SHOAL_SUBSCRIPTION);

/* An id in value is a text. A focused option's value may be of any type. */
#define SHOAL_OPTION(F, T) \
	F(T, STR,   name, ) \
	F(T, U32,   type, )			/* enum shoal_option_type */ \
	F(T, VALUE, value, ) \
	F(T, LIST,  options, shoal_option) \
	F(T, BOOL,  focused, )
struct shoal_option;
SHOAL_STRUCT(shoal_option, SHOAL_OPTION);

/* Commands and autocomplete use id to target_id, components and modals the rest (and id, a small number, for a
 * component). */
#define SHOAL_INTERACTION_DATA(F, T) \
	F(T, ID,    id, ) \
	F(T, STR,   name, ) \
	F(T, U32,   type, )			/* 1 slash, 2 user, 3 message, 4 entry point */ \
	F(T, PTR,   resolved, shoal_resolved) \
	F(T, LIST,  options, shoal_option) \
	F(T, ID,    guild_id, ) \
	F(T, ID,    target_id, ) \
	F(T, STR,   custom_id, )		/* the user's own client sends it back: not to be trusted */ \
	F(T, U32,   component_type, ) \
	F(T, STRS,  values, ) \
	F(T, LIST,  components, shoal_component)
SHOAL_STRUCT(shoal_interaction_data, SHOAL_INTERACTION_DATA);

#define SHOAL_INTERACTION_GUILD(F, T) \
	F(T, ID,    id, ) \
	F(T, STR,   locale, ) \
	F(T, STRS,  features, )
SHOAL_STRUCT(shoal_interaction_guild, SHOAL_INTERACTION_GUILD);

/* Answer within 3 s of id's time; the token is good for 15 minutes and is a secret. The invoker is member->user in a
 * guild, else user. The guild may be unknown to the bot. */
#define SHOAL_INTERACTION(F, T) \
	F(T, ID,    id, ) \
	F(T, ID,    application_id, ) \
	F(T, U32,   type, )			/* enum shoal_interaction_type, or unknown: don't answer */ \
	F(T, PTR,   data, shoal_interaction_data) \
	F(T, PTR,   guild, shoal_interaction_guild) \
	F(T, ID,    guild_id, ) \
	F(T, PTR,   channel, shoal_channel) \
	F(T, ID,    channel_id, ) \
	F(T, PTR,   member, shoal_member) \
	F(T, PTR,   user, shoal_user) \
	F(T, STR,   token, ) \
	F(T, U32,   version, ) \
	F(T, PTR,   message, shoal_message) \
	F(T, PERMS, app_permissions, ) \
	F(T, STR,   locale, ) \
	F(T, STR,   guild_locale, ) \
	F(T, LIST,  entitlements, shoal_entitlement) \
	F(T, PTR,   authorizing_integration_owners, shoal_owners) \
	F(T, U32,   context, )			/* 0 guild, 1 DM with the bot, 2 other DM */ \
	F(T, U64,   attachment_size_limit, )	/* bytes */
SHOAL_STRUCT(shoal_interaction, SHOAL_INTERACTION);

#define SHOAL_COMMAND_PERMISSION(F, T) \
	F(T, ID,    id, )			/* guild id: everyone; guild id - 1: all channels */ \
	F(T, U32,   type, )			/* 1 role, 2 user, 3 channel */ \
	F(T, BOOL,  permission, )
SHOAL_STRUCT(shoal_command_permission, SHOAL_COMMAND_PERMISSION);

/* APPLICATION_COMMAND_PERMISSIONS_UPDATE; id == application_id: it applies to all commands. */
#define SHOAL_COMMAND_PERMISSIONS(F, T) \
	F(T, ID,    id, ) \
	F(T, ID,    application_id, ) \
	F(T, ID,    guild_id, ) \
	F(T, LIST,  permissions, shoal_command_permission)
SHOAL_STRUCT(shoal_command_permissions, SHOAL_COMMAND_PERMISSIONS);
/* clang-format on */

#endif
