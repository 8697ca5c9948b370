-- Takes everything of shoal's away, the guilds' settings with it. The record of this migration goes with the schema.
DROP TABLE shoal.guild_setting;
DROP FUNCTION shoal.create_keyed_table(text, text[], text);
DROP FUNCTION shoal.apply_grants();
DROP TABLE shoal.migration;
DROP SCHEMA shoal_part;
DROP SCHEMA shoal;
