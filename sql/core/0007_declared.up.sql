-- What the owner of a table says of it, modules' too: where members stand in it, what becomes of a row when one wants to
-- be forgotten, and when it is too old. Export, erasure, retention and the removal of a guild go by this; nothing else
-- need be written for a table of one's own.
-- oldest-program: 0.1.0

CREATE TABLE shoal.declared_table (
	table_name     text    PRIMARY KEY CHECK (table_name ~ '^[a-z0-9_]{1,40}$'),
	key_column     text    NOT NULL CHECK (key_column IN ('guild_id', 'user_id')),
	member_columns text[]  NOT NULL DEFAULT '{}', -- of bigint; 0: nobody
	clears         boolean NOT NULL DEFAULT false, -- who is forgotten becomes 0; else the row goes
	age_column     text,
	keep_days      integer CHECK (keep_days > 0),
	CHECK ((age_column IS NULL) = (keep_days IS NULL))
);
COMMENT ON TABLE shoal.declared_table IS 'what export, erasure, retention and removal need to know of a table; written by migrations';

CREATE OR REPLACE FUNCTION shoal.apply_grants() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
	IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'shoal_app') THEN
		GRANT USAGE ON SCHEMA shoal TO shoal_app;
		GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA shoal TO shoal_app;
		REVOKE INSERT, UPDATE, DELETE ON shoal.migration, shoal.declared_table FROM shoal_app;
	END IF;
	IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'shoal_read') THEN
		GRANT USAGE ON SCHEMA shoal TO shoal_read;
		GRANT SELECT ON ALL TABLES IN SCHEMA shoal TO shoal_read;
	END IF;
END
$$;

-- As before (64 partitions, see 0001), and the table is known from then on: it goes with its guild.
CREATE OR REPLACE FUNCTION shoal.create_keyed_table(table_name text, key_columns text[], columns text) RETURNS void
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
	INSERT INTO shoal.declared_table AS d (table_name, key_column) VALUES (create_keyed_table.table_name, key_columns[1])
	ON CONFLICT ON CONSTRAINT declared_table_pkey DO UPDATE SET key_column = EXCLUDED.key_column, member_columns = '{}',
		clears = false, age_column = NULL, keep_days = NULL; -- one of that name was there before
	PERFORM shoal.apply_grants();
END
$$;

-- Enters who is named by a row into shoal.named_in. Arguments: the table, and its columns of members.
CREATE FUNCTION shoal.note_declared() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
	new_row jsonb := to_jsonb(NEW);
	users bigint[];
BEGIN
	FOR i IN 1 .. TG_NARGS - 1 LOOP
		users := array_append(users, (new_row ->> TG_ARGV[i])::bigint);
	END LOOP;
	PERFORM shoal.name_members(NEW.guild_id, TG_ARGV[0], users);
	RETURN NULL;
END
$$;

-- p_forget: 'delete' or 'clear' what names a member who wants to be forgotten. p_age, p_days: rows go when that column is
-- so many days back. May be called again; what is in the table already is entered, too.
CREATE FUNCTION shoal.declare_table(p_table text, p_members text[] DEFAULT '{}', p_forget text DEFAULT 'delete',
	p_age text DEFAULT NULL, p_days integer DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
	key text;
	col text;
BEGIN
	IF p_forget NOT IN ('delete', 'clear') THEN
		RAISE EXCEPTION 'table %: who is forgotten is either delete or clear, not %', p_table, p_forget;
	END IF;
	SELECT a.attname INTO key FROM pg_partitioned_table p JOIN pg_attribute a ON a.attrelid = p.partrelid
		AND a.attnum = p.partattrs[0] WHERE p.partrelid = to_regclass(format('shoal.%I', p_table));
	IF key IS NULL THEN
		RAISE EXCEPTION 'table %: shoal.create_keyed_table() has made no such table', p_table;
	END IF;
	FOREACH col IN ARRAY p_members LOOP
		IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(format('shoal.%I', p_table))
			AND attname = col AND atttypid = 'bigint'::regtype AND NOT attisdropped) THEN
			RAISE EXCEPTION 'table %: there is no column % of bigint', p_table, col;
		END IF;
	END LOOP;
	INSERT INTO shoal.declared_table (table_name, key_column, member_columns, clears, age_column, keep_days)
	VALUES (p_table, key, p_members, p_forget = 'clear', p_age, p_days)
	ON CONFLICT (table_name) DO UPDATE SET key_column = EXCLUDED.key_column, member_columns = EXCLUDED.member_columns,
		clears = EXCLUDED.clears, age_column = EXCLUDED.age_column, keep_days = EXCLUDED.keep_days;
	IF p_age IS NOT NULL THEN
		EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON shoal.%I (%I)', p_table || '_declared_age', p_table, p_age);
	END IF;
	IF key = 'guild_id' AND p_members <> '{}' THEN
		EXECUTE format('CREATE OR REPLACE TRIGGER declared AFTER INSERT OR UPDATE OF %s ON shoal.%I FOR EACH ROW'
			' EXECUTE FUNCTION shoal.note_declared(%L, %s)',
			(SELECT string_agg(format('%I', c), ', ') FROM unnest(p_members) AS c), p_table, p_table,
			(SELECT string_agg(format('%L', c), ', ') FROM unnest(p_members) AS c));
		FOREACH col IN ARRAY p_members LOOP
			EXECUTE format('INSERT INTO shoal.named_in (user_id, guild_id, table_name) SELECT DISTINCT %1$I, guild_id, %2$L'
				' FROM shoal.%2$I WHERE %1$I > 0 ON CONFLICT DO NOTHING', col, p_table);
		END LOOP;
	END IF;
END
$$;
REVOKE ALL ON FUNCTION shoal.declare_table(text, text[], text, text, integer) FROM PUBLIC;

-- "user_id = $2 OR creator_id = $2"
CREATE FUNCTION shoal.declared_condition(p_columns text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
	SELECT coalesce(string_agg(format('%I = $2', c), ' OR '), 'false') FROM unnest(p_columns) AS c
$$;

-- A row for a person: numbers that a reader of JSON may round become text.
CREATE FUNCTION shoal.declared_row(p_row jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
	SELECT jsonb_object_agg(key, CASE WHEN jsonb_typeof(value) = 'number' AND length(value #>> '{}') > 15
		THEN to_jsonb(value #>> '{}') ELSE value END) FROM jsonb_each(p_row)
$$;

-- The rows of one guild that name a member, and what becomes of them. Unknown tables have none.
CREATE FUNCTION shoal.declared_export(p_guild bigint, p_user bigint, p_table text) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
	d shoal.declared_table;
BEGIN
	SELECT * INTO d FROM shoal.declared_table WHERE table_name = p_table AND key_column = 'guild_id'
		AND to_regclass(format('shoal.%I', table_name)) IS NOT NULL;
	IF FOUND THEN
		RETURN QUERY EXECUTE format('SELECT shoal.declared_row(to_jsonb(t)) FROM shoal.%I AS t WHERE guild_id = $1 AND (%s)'
			' LIMIT 1000', d.table_name, shoal.declared_condition(d.member_columns)) USING p_guild, p_user;
	END IF;
END
$$;

CREATE FUNCTION shoal.declared_erase(p_guild bigint, p_user bigint, p_table text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
	d shoal.declared_table;
	touched bigint := 0;
BEGIN
	SELECT * INTO d FROM shoal.declared_table WHERE table_name = p_table AND key_column = 'guild_id'
		AND to_regclass(format('shoal.%I', table_name)) IS NOT NULL;
	IF NOT FOUND THEN
		RETURN 0;
	END IF;
	EXECUTE format(CASE WHEN d.clears THEN 'UPDATE shoal.%I SET %s WHERE guild_id = $1 AND (%s)'
		ELSE 'DELETE FROM shoal.%1$I WHERE guild_id = $1 AND (%3$s)' END, d.table_name,
		(SELECT string_agg(format('%1$I = CASE WHEN %1$I = $2 THEN 0 ELSE %1$I END', c), ', ')
			FROM unnest(d.member_columns) AS c),
		shoal.declared_condition(d.member_columns)) USING p_guild, p_user;
	GET DIAGNOSTICS touched = ROW_COUNT;
	RETURN touched;
END
$$;

-- The same of tables that are keyed by the member.
CREATE FUNCTION shoal.declared_export_own(p_user bigint) RETURNS TABLE (table_name text, content jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
	d shoal.declared_table;
BEGIN
	FOR d IN SELECT * FROM shoal.declared_table AS t WHERE key_column = 'user_id'
		AND to_regclass(format('shoal.%I', t.table_name)) IS NOT NULL ORDER BY t.table_name LOOP
		RETURN QUERY EXECUTE format('SELECT %L::text, shoal.declared_row(to_jsonb(t)) FROM shoal.%I AS t WHERE user_id = $1'
			' LIMIT 1000', d.table_name, d.table_name) USING p_user;
	END LOOP;
END
$$;

CREATE FUNCTION shoal.declared_erase_own(p_user bigint, p_limit bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
	d shoal.declared_table;
	once bigint;
	touched bigint := 0;
BEGIN
	FOR d IN SELECT * FROM shoal.declared_table WHERE key_column = 'user_id'
		AND to_regclass(format('shoal.%I', table_name)) IS NOT NULL ORDER BY table_name LOOP
		EXECUTE format('DELETE FROM shoal.%1$I WHERE user_id = $1 AND ctid = ANY (ARRAY(SELECT ctid FROM shoal.%1$I'
			' WHERE user_id = $1 LIMIT $2))', d.table_name) USING p_user, p_limit - touched;
		GET DIAGNOSTICS once = ROW_COUNT;
		touched := touched + once;
		EXIT WHEN touched >= p_limit;
	END LOOP;
	RETURN touched;
END
$$;

-- All that declared tables keep of a guild, at most p_limit rows at a time; entries of shoal.named_in go with the last row
-- that they stand for.
CREATE FUNCTION shoal.declared_gone(p_guild bigint, p_limit bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
	d shoal.declared_table;
	named bigint[];
	once bigint;
	touched bigint := 0;
BEGIN
	FOR d IN SELECT * FROM shoal.declared_table WHERE key_column = 'guild_id' AND table_name <> 'guild_gone'
		AND to_regclass(format('shoal.%I', table_name)) IS NOT NULL ORDER BY table_name LOOP
		EXECUTE format('WITH gone AS (DELETE FROM shoal.%1$I WHERE guild_id = $1 AND ctid = ANY (ARRAY(SELECT ctid'
			' FROM shoal.%1$I WHERE guild_id = $1 LIMIT $2)) RETURNING ARRAY[%2$s]::bigint[] AS users)'
			' SELECT count(*), (SELECT array_agg(DISTINCT u) FROM gone AS g, unnest(g.users) AS u WHERE u > 0) FROM gone',
			d.table_name, (SELECT string_agg(format('%I', c), ', ') FROM unnest(d.member_columns) AS c))
			INTO once, named USING p_guild, p_limit - touched;
		IF named IS NOT NULL THEN
			EXECUTE format('DELETE FROM shoal.named_in AS n WHERE user_id = ANY ($2) AND guild_id = $1 AND table_name = %L'
				' AND NOT EXISTS (SELECT FROM shoal.%I AS t WHERE t.guild_id = $1 AND n.user_id IN (%s))',
				d.table_name, d.table_name,
				(SELECT string_agg(format('t.%I', c), ', ') FROM unnest(d.member_columns) AS c))
				USING p_guild, named;
		END IF;
		touched := touched + once;
		EXIT WHEN touched >= p_limit;
	END LOOP;
	RETURN touched;
END
$$;

-- At most p_limit rows that are too old. Partition by partition, by the index of each.
CREATE FUNCTION shoal.declared_sweep(p_limit bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
	d shoal.declared_table;
	part regclass;
	once bigint;
	touched bigint := 0;
BEGIN
	FOR d IN SELECT * FROM shoal.declared_table WHERE age_column IS NOT NULL
		AND to_regclass(format('shoal.%I', table_name)) IS NOT NULL ORDER BY table_name LOOP
		FOR part IN SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass(format('shoal.%I', d.table_name)) LOOP
			EXECUTE format('DELETE FROM %1$s WHERE ctid = ANY (ARRAY(SELECT ctid FROM %1$s WHERE %2$I < now() -'
				' make_interval(days => $1) LIMIT $2))', part, d.age_column) USING d.keep_days, p_limit - touched;
			GET DIAGNOSTICS once = ROW_COUNT;
			touched := touched + once;
			IF touched >= p_limit THEN
				RETURN touched;
			END IF;
		END LOOP;
	END LOOP;
	RETURN touched;
END
$$;

SELECT shoal.apply_grants();
