-- What the removal of members and of old history asks of the database, as functions with their constants.
-- oldest-program: 0.1.0

-- A setting's value without a member: out of a list, or nothing where it was the only one.
CREATE FUNCTION shoal.without_member(p_value jsonb, p_user bigint) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
	SELECT CASE WHEN jsonb_typeof(p_value) = 'array' THEN p_value - p_user::text END
$$;

-- Guilds that keep the history of their settings for fewer days than @p_below. Without a search_path of its own, so that
-- the planner may look into it and use the index of those rows alone.
CREATE FUNCTION shoal.shorter_history(p_after bigint, p_below bigint) RETURNS TABLE (guild_id bigint, days bigint)
LANGUAGE sql STABLE AS $$
	SELECT s.guild_id, greatest(1, least((s.value #>> '{}')::numeric, 36500))::bigint
	FROM shoal.guild_setting AS s
	WHERE s.name = 'privacy.history_days' AND s.guild_id > p_after
		AND CASE WHEN jsonb_typeof(s.value) = 'number' THEN (s.value #>> '{}')::numeric < p_below ELSE false END
	ORDER BY s.guild_id LIMIT 50
$$;
