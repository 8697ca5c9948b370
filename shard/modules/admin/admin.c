/* The module's descriptor: welcome, farewell, roles for new members. All of it is off until a server's admin sets it.
 */
#include "shard/modules/admin/admin.h"

#include "shard/modules/admin/phrases.h"
#include "shard/modules/admin/wishes.h"

static const struct shoal_command *const commands[] = { &admin_welcome };

static const struct shoal_event_row events[] = {
	{ SHOAL_EVENT_GUILD_MEMBER_ADD, admin_member_add },
	{ SHOAL_EVENT_GUILD_MEMBER_UPDATE, admin_member_update },
	{ SHOAL_EVENT_GUILD_MEMBER_REMOVE, admin_member_remove },
};

/* Members who must accept a server's rules before they get its roles. */
static const struct shoal_statement statements[] = {
	{ .name = "pending_put",
	  .sql = "INSERT INTO shoal.admin__pending (guild_id, user_id, since) VALUES ($1, $2, $3) "
		 "ON CONFLICT (guild_id, user_id) DO UPDATE SET since = excluded.since",
	  .params = { SHOAL_SQL_GUILD, SHOAL_SQL_INT8, SHOAL_SQL_TIME } },
	{ .name = "pending_put_late",
	  .sql = "INSERT INTO shoal.admin__pending (guild_id, user_id, since) SELECT $1, $2, least($3::timestamptz, "
		 "$4) "
		 "ON CONFLICT (guild_id, user_id) DO NOTHING",
	  .params = { SHOAL_SQL_GUILD, SHOAL_SQL_INT8, SHOAL_SQL_TIME, SHOAL_SQL_TIME } },
	{ .name = "pending_drop",
	  .sql = "DELETE FROM shoal.admin__pending WHERE guild_id = $1 AND user_id = $2",
	  .params = { SHOAL_SQL_GUILD, SHOAL_SQL_INT8 } },
	{ .name = "pending_drop_late",
	  .sql = "DELETE FROM shoal.admin__pending WHERE guild_id = $1 AND user_id = $2 AND since <= $3",
	  .params = { SHOAL_SQL_GUILD, SHOAL_SQL_INT8, SHOAL_SQL_TIME } },
	{ .name = "pending_get",
	  .sql = "SELECT since FROM shoal.admin__pending WHERE guild_id = $1 AND user_id = $2",
	  .params = { SHOAL_SQL_GUILD, SHOAL_SQL_INT8 },
	  .columns = { SHOAL_SQL_TIME },
	  .flags = SHOAL_SQL_READS },
};

SHOAL_MODULE(admin, .version = "1.0", .description = "Welcome and leave messages, roles for new members",
	     .descriptions = SHOAL_LOCAL("Willkommen und Abschied, Rollen für neue Mitglieder",
					 "Bienvenidas y despedidas, roles para nuevos miembros",
					 "Benvenuti e addii, ruoli per i nuovi membri"),
	     SHOAL_PHRASES(admin_phrases),
	     .without_intents = "nobody is welcomed or given roles, and nobody is told when somebody leaves",
	     .settings_version = 1, .settings = wishes_rows, .setting_count = WISHES_ROWS, SHOAL_COMMANDS(commands),
	     SHOAL_EVENT_ROWS(events), SHOAL_STATEMENTS(statements));
