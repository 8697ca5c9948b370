/* Guilds, their members, roles and bans over REST. Changes are laid over the computed world and told to the shards. */
#ifndef SIM_REST_GUILD_H
#define SIM_REST_GUILD_H

#include "tests/sim/rest.h"

void rest_guild_get(struct rest_call *c);
void rest_guild_channels(struct rest_call *c);
void rest_guild_threads(struct rest_call *c);
void rest_guild_roles(struct rest_call *c);
void rest_role_counts(struct rest_call *c);
void rest_role_create(struct rest_call *c);
void rest_role_one(struct rest_call *c); /* GET, PATCH, DELETE */
void rest_member_get(struct rest_call *c);
void rest_members_list(struct rest_call *c);
void rest_member_edit(struct rest_call *c);
void rest_member_kick(struct rest_call *c);
void rest_member_role(struct rest_call *c); /* PUT, DELETE */
void rest_bans_list(struct rest_call *c);
void rest_ban_one(struct rest_call *c); /* GET, PUT, DELETE */
void rest_bulk_ban(struct rest_call *c);
void rest_audit_log(struct rest_call *c);
/* Users and the application. */
void rest_user(struct rest_call *c);
void rest_application(struct rest_call *c);
void rest_dm_create(struct rest_call *c);
void rest_my_guilds(struct rest_call *c);
void rest_gateway(struct rest_call *c);
void rest_gateway_bot(struct rest_call *c);

#endif
