-- Takes away what only the newer program knows: global and channel settings, members' own, sealed values, the history.
DROP TABLE shoal.job_lease;
DROP TABLE shoal.forget_request;
DROP TABLE shoal.guild_gone;
DROP TRIGGER note ON shoal.guild_setting;
DROP TABLE shoal.user_setting;
DROP TABLE shoal.channel_setting;
DROP FUNCTION shoal.note_setting();
DROP FUNCTION shoal.name_members(bigint, text, bigint[]);
DROP TABLE shoal.named_in;
DROP TABLE shoal.setting_history;
DROP INDEX shoal.guild_setting_sealed;
DROP INDEX shoal.guild_setting_history_days;
DELETE FROM shoal.guild_setting WHERE guild_id = 0 OR sealed IS NOT NULL;
ALTER TABLE shoal.guild_setting
	DROP CONSTRAINT guild_setting_one_value,
	DROP COLUMN sealed,
	DROP COLUMN schema_version,
	DROP COLUMN names_users,
	DROP COLUMN note,
	DROP CONSTRAINT guild_setting_guild_id_check,
	ADD CONSTRAINT guild_setting_guild_id_check CHECK (guild_id > 0);
