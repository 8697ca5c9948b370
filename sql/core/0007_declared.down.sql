DROP FUNCTION shoal.declared_sweep(bigint), shoal.declared_gone(bigint, bigint), shoal.declared_erase_own(bigint, bigint),
	shoal.declared_export_own(bigint), shoal.declared_erase(bigint, bigint, text), shoal.declared_export(bigint, bigint, text),
	shoal.declared_row(jsonb), shoal.declared_condition(text[]), shoal.declare_table(text, text[], text, text, integer);
DROP FUNCTION shoal.note_declared() CASCADE; -- with the triggers
CREATE OR REPLACE FUNCTION shoal.apply_grants() RETURNS void
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
	PERFORM shoal.apply_grants();
END
$$;

DROP TABLE shoal.declared_table;
