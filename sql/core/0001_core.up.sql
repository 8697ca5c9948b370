-- The schema, the record of migrations, the one way to make tables of guilds and users, and guild settings.
-- oldest-program: 0.1.0
--
-- Roles. Whoever migrates owns everything. Two further roles are used if the operator has created them (roles belong to
-- the whole database server, so no migration makes one):
--   CREATE ROLE shoal_app NOLOGIN;   what the workers need: rows, no definitions
--   CREATE ROLE shoal_read NOLOGIN;  questions only (postgres.read_conninfo)
--   GRANT shoal_app TO the_workers_login;
-- shoal.apply_grants() gives them their rights; it runs when a table is made and may be called again at any time.

CREATE SCHEMA shoal;
CREATE SCHEMA shoal_part; -- the partitions, out of sight
REVOKE ALL ON SCHEMA shoal, shoal_part FROM PUBLIC;

CREATE TABLE shoal.migration (
	owner          text        NOT NULL, -- 'core', or a module's name
	number         integer     NOT NULL CHECK (number > 0),
	name           text        NOT NULL,
	sha256         text        NOT NULL, -- of the up file as it was applied
	oldest_program text        NOT NULL, -- no older program may run on this schema
	program        text        NOT NULL, -- the program that applied it
	applied_at     timestamptz NOT NULL DEFAULT now(),
	applied_by     text        NOT NULL DEFAULT session_user,
	PRIMARY KEY (owner, number)
);
COMMENT ON TABLE shoal.migration IS 'what shoalctl migrate has applied; written by it alone';

CREATE FUNCTION shoal.apply_grants() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
	IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'shoal_app') THEN
		GRANT USAGE ON SCHEMA shoal TO shoal_app;
		GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA shoal TO shoal_app;
		REVOKE INSERT, UPDATE, DELETE ON shoal.migration FROM shoal_app;
	END IF;
	IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'shoal_read') THEN
		GRANT USAGE ON SCHEMA shoal TO shoal_read;
		GRANT SELECT ON ALL TABLES IN SCHEMA shoal TO shoal_read;
	END IF;
END
$$;
REVOKE ALL ON FUNCTION shoal.apply_grants() FROM PUBLIC;

-- Every table of guilds (or of users) is made here, so that how they are spread is a matter of one place: a distributed
-- PostgreSQL would get its call in this function and nowhere else.
--
-- 64 partitions by hash of the first key column. The number can't be changed without rewriting a table, so it is chosen
-- for the largest fleet: a guild's rows lie in one partition, so vacuum, index builds and later moves to other servers
-- work on 1/64 of the data at a time, up to 64 servers can share them, and a power of two splits evenly. It is small
-- enough that the few questions across all guilds plan quickly and that making a table takes about 0.1 s.
CREATE FUNCTION shoal.create_keyed_table(table_name text, key_columns text[], columns text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
	key_list text := (SELECT string_agg(format('%I', k), ', ' ORDER BY i) FROM unnest(key_columns) WITH ORDINALITY AS t(k, i));
BEGIN
	IF key_columns[1] NOT IN ('guild_id', 'user_id') THEN
		RAISE EXCEPTION 'table %: the key must begin with guild_id or user_id, not %', table_name, key_columns[1];
	END IF;
	EXECUTE format('CREATE TABLE shoal.%I (%s, PRIMARY KEY (%s)) PARTITION BY HASH (%I)',
		table_name, columns, key_list, key_columns[1]);
	FOR part IN 0..63 LOOP
		EXECUTE format('CREATE TABLE shoal_part.%I PARTITION OF shoal.%I FOR VALUES WITH (MODULUS 64, REMAINDER %s)',
			table_name || '_' || lpad(part::text, 2, '0'), table_name, part);
	END LOOP;
	PERFORM shoal.apply_grants();
END
$$;
REVOKE ALL ON FUNCTION shoal.create_keyed_table(text, text[], text) FROM PUBLIC;

-- A setting taken back keeps its row with value NULL: its version must not start again, or a cached copy of old would
-- look newer than what is set next.
SELECT shoal.create_keyed_table('guild_setting', ARRAY['guild_id', 'name'], $$
	guild_id   bigint      NOT NULL CHECK (guild_id > 0),
	name       text        NOT NULL CHECK (name ~ '^[a-z0-9_.]{1,64}$'),
	value      jsonb       CHECK (octet_length(value::text) <= 131072),
	version    bigint      NOT NULL DEFAULT 1 CHECK (version > 0),
	updated_by bigint      NOT NULL DEFAULT 0,
	updated_at timestamptz NOT NULL DEFAULT now()
$$);
COMMENT ON TABLE shoal.guild_setting IS 'settings that a guild has changed from their defaults';
