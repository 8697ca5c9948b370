CREATE OR REPLACE FUNCTION shoal.without_member(p_value jsonb, p_user bigint) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
	SELECT CASE WHEN jsonb_typeof(p_value) = 'array' THEN p_value - p_user::text END
$$;
