-- Settings in layers with their history, sealed values, where members are named, and what is to be removed when.
-- oldest-program: 0.1.0

-- Guild 0 is the global layer. A sensitive value stands in `sealed`, encrypted by the program; `value` is NULL then.
ALTER TABLE shoal.guild_setting
	DROP CONSTRAINT guild_setting_guild_id_check,
	ADD CONSTRAINT guild_setting_guild_id_check CHECK (guild_id >= 0),
	ADD COLUMN sealed bytea CHECK (octet_length(sealed) <= 65536),
	ADD COLUMN schema_version bigint NOT NULL DEFAULT 1 CHECK (schema_version > 0),
	ADD COLUMN names_users bigint[], -- members that the value names
	ADD COLUMN note text NOT NULL DEFAULT '' CHECK (octet_length(note) <= 200),
	ADD CONSTRAINT guild_setting_one_value CHECK (value IS NULL OR sealed IS NULL);

SELECT shoal.create_keyed_table('channel_setting', ARRAY['guild_id', 'channel_id', 'name'], $$
	guild_id       bigint      NOT NULL CHECK (guild_id > 0),
	channel_id     bigint      NOT NULL CHECK (channel_id > 0),
	name           text        NOT NULL CHECK (name ~ '^[a-z0-9_.]{1,64}$'),
	value          jsonb       CHECK (octet_length(value::text) <= 131072),
	sealed         bytea       CHECK (octet_length(sealed) <= 65536),
	schema_version bigint      NOT NULL DEFAULT 1 CHECK (schema_version > 0),
	names_users    bigint[],
	note           text        NOT NULL DEFAULT '' CHECK (octet_length(note) <= 200),
	version        bigint      NOT NULL DEFAULT 1 CHECK (version > 0),
	updated_by     bigint      NOT NULL DEFAULT 0,
	updated_at     timestamptz NOT NULL DEFAULT now(),
	CHECK (value IS NULL OR sealed IS NULL)
$$);
COMMENT ON TABLE shoal.channel_setting IS 'settings that a guild has changed for one of its channels';

-- Only the member changes these, so they have no history.
SELECT shoal.create_keyed_table('user_setting', ARRAY['user_id', 'name'], $$
	user_id        bigint      NOT NULL CHECK (user_id > 0),
	name           text        NOT NULL CHECK (name ~ '^[a-z0-9_.]{1,64}$'),
	value          jsonb       CHECK (octet_length(value::text) <= 131072),
	sealed         bytea       CHECK (octet_length(sealed) <= 65536),
	schema_version bigint      NOT NULL DEFAULT 1 CHECK (schema_version > 0),
	version        bigint      NOT NULL DEFAULT 1 CHECK (version > 0),
	updated_at     timestamptz NOT NULL DEFAULT now(),
	CHECK (value IS NULL OR sealed IS NULL)
$$);
COMMENT ON TABLE shoal.user_setting IS 'settings that a member has changed for themselves';

SELECT shoal.create_keyed_table('setting_history', ARRAY['guild_id', 'channel_id', 'name', 'version'], $$
	guild_id       bigint      NOT NULL,
	channel_id     bigint      NOT NULL, -- 0: the guild's own
	name           text        NOT NULL,
	version        bigint      NOT NULL,
	value          jsonb,
	sealed         bytea,
	schema_version bigint      NOT NULL,
	names_users    bigint[],
	note           text        NOT NULL,
	changed_by     bigint      NOT NULL, -- 0: an operator or a program
	changed_at     timestamptz NOT NULL DEFAULT now()
$$);
COMMENT ON TABLE shoal.setting_history IS 'every value that a setting of a guild or channel has had; what it was before is the row before';
CREATE INDEX setting_history_age ON shoal.setting_history (changed_at); -- retention

-- Which guilds' rows name a member, so that nothing need be searched when they ask for what is kept, or to be forgotten.
SELECT shoal.create_keyed_table('named_in', ARRAY['user_id', 'guild_id', 'table_name'], $$
	user_id    bigint NOT NULL CHECK (user_id > 0),
	guild_id   bigint NOT NULL,
	table_name text   NOT NULL CHECK (table_name ~ '^[a-z0-9_]{1,40}$')
$$);
COMMENT ON TABLE shoal.named_in IS 'the guilds, by table, whose rows name a member';

CREATE FUNCTION shoal.name_members(p_guild bigint, p_table text, p_users bigint[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog AS $$
	INSERT INTO shoal.named_in (user_id, guild_id, table_name)
	SELECT DISTINCT u, p_guild, p_table FROM unnest(p_users) AS u WHERE u > 0 ORDER BY u
	ON CONFLICT DO NOTHING
$$;

-- The history is written here and not by the program: whoever changes a setting, with whatever version of the program,
-- leaves a trace. What keeps the version (encrypting anew) is no change.
CREATE FUNCTION shoal.note_setting() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
	channel bigint := 0;
BEGIN
	IF TG_OP = 'UPDATE' AND NEW.version = OLD.version THEN
		RETURN NULL;
	END IF;
	IF TG_ARGV[0] = 'channel' THEN
		channel := NEW.channel_id;
	END IF;
	INSERT INTO shoal.setting_history (guild_id, channel_id, name, version, value, sealed, schema_version, names_users,
		note, changed_by, changed_at)
	VALUES (NEW.guild_id, channel, NEW.name, NEW.version, NEW.value, NEW.sealed, NEW.schema_version, NEW.names_users,
		NEW.note, NEW.updated_by, NEW.updated_at)
	ON CONFLICT DO NOTHING;
	PERFORM shoal.name_members(NEW.guild_id, 'setting', array_append(coalesce(NEW.names_users, '{}'), NEW.updated_by));
	RETURN NULL;
END
$$;

CREATE TRIGGER note AFTER INSERT OR UPDATE ON shoal.guild_setting FOR EACH ROW EXECUTE FUNCTION shoal.note_setting('guild');
CREATE TRIGGER note AFTER INSERT OR UPDATE ON shoal.channel_setting FOR EACH ROW
	EXECUTE FUNCTION shoal.note_setting('channel');

-- What was set before there was a history.
INSERT INTO shoal.setting_history (guild_id, channel_id, name, version, value, schema_version, note, changed_by, changed_at)
SELECT guild_id, 0, name, version, value, 1, '', updated_by, updated_at FROM shoal.guild_setting;
INSERT INTO shoal.named_in (user_id, guild_id, table_name)
SELECT DISTINCT updated_by, guild_id, 'setting' FROM shoal.guild_setting WHERE updated_by > 0;

-- Rotation of keys looks at these alone.
CREATE INDEX guild_setting_sealed ON shoal.guild_setting (guild_id, name) WHERE sealed IS NOT NULL;
CREATE INDEX channel_setting_sealed ON shoal.channel_setting (guild_id, channel_id, name) WHERE sealed IS NOT NULL;
CREATE INDEX user_setting_sealed ON shoal.user_setting (user_id, name) WHERE sealed IS NOT NULL;
CREATE INDEX setting_history_sealed ON shoal.setting_history (guild_id, channel_id, name, version) WHERE sealed IS NOT NULL;
-- Guilds that keep their history for a shorter time than the operator says.
CREATE INDEX guild_setting_history_days ON shoal.guild_setting (guild_id) WHERE name = 'privacy.history_days';

-- Guilds that the bot was removed from, and when what is kept of them goes.
SELECT shoal.create_keyed_table('guild_gone', ARRAY['guild_id'], $$
	guild_id bigint      NOT NULL CHECK (guild_id > 0),
	gone_at  timestamptz NOT NULL DEFAULT now(),
	due_at   timestamptz NOT NULL
$$);
CREATE INDEX guild_gone_due ON shoal.guild_gone (due_at);

-- Members who asked to be forgotten: each worker looks here and empties its own files (outbox, parked events, dead
-- letters). Not keyed: every worker reads the newest, whoever asked.
CREATE TABLE shoal.forget_request (
	id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	user_id      bigint      NOT NULL CHECK (user_id > 0),
	requested_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX forget_request_age ON shoal.forget_request (requested_at);

-- Work that one worker of the whole fleet does at a time.
CREATE TABLE shoal.job_lease (
	name       text        PRIMARY KEY,
	holder     bigint      NOT NULL,
	until      timestamptz NOT NULL,
	next_at    timestamptz NOT NULL DEFAULT now() -- not before this does the work begin again
);

SELECT shoal.apply_grants();
