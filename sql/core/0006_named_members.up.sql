-- Members who stand in a text of a setting, as <@id>, can be forgotten there, too.
-- oldest-program: 0.1.0
CREATE OR REPLACE FUNCTION shoal.without_member(p_value jsonb, p_user bigint) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
	SELECT CASE
		WHEN jsonb_typeof(p_value) = 'array' THEN p_value - p_user::text
		-- Nobody instead of the member: what was allowed to some must not become allowed to all.
		WHEN jsonb_typeof(p_value) = 'string' AND p_value #>> '{}' LIKE '%<@%' THEN
			to_jsonb(regexp_replace(p_value #>> '{}', '<@!?' || p_user::text || '>', '<@0>', 'g'))
	END
$$;
