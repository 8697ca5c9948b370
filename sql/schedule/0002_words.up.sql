-- What a job carries, for the member who asked what is kept of them: as text where it is text.
-- oldest-program: 0.1.0
CREATE FUNCTION shoal.job_words(p_payload bytea) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog AS $$
BEGIN
	RETURN convert_from(p_payload, 'UTF8');
EXCEPTION WHEN OTHERS THEN
	RETURN encode(p_payload, 'escape');
END
$$;
