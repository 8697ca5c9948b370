-- Things to do at a time: reminders, ends of polls, recurring work.
-- oldest-program: 0.1.0

-- A job is free when nobody holds it, or when the lease of who does is over. Who takes it raises the fence, and whatever
-- is written of a run carries the fence under which it was begun: a worker that was stopped for long and goes on after
-- another has taken over writes nothing.
SELECT shoal.create_keyed_table('job', ARRAY['guild_id', 'id'], $$
	guild_id    bigint      NOT NULL CHECK (guild_id >= 0), -- or the user whose it is in direct messages; 0: the fleet's
	id          bigint      NOT NULL CHECK (id > 0),
	module      text        NOT NULL CHECK (module ~ '^[a-z0-9_]{1,31}$'),
	name        text        NOT NULL CHECK (name ~ '^[a-z0-9_]{1,31}$'), -- the module's row
	version     bigint      NOT NULL, -- of the payload
	user_id     bigint      NOT NULL DEFAULT 0, -- the member who asked for it
	tag         bigint      NOT NULL DEFAULT 0, -- the module's own number for it
	due_at      timestamptz NOT NULL,
	repeat      text        NOT NULL DEFAULT '' CHECK (octet_length(repeat) <= 200), -- '': once
	label       text        NOT NULL DEFAULT '' CHECK (octet_length(label) <= 200),
	payload     bytea       NOT NULL DEFAULT '' CHECK (octet_length(payload) <= 8192),
	run         bigint      NOT NULL DEFAULT 0, -- the number of the next run, or of the one under way
	fence       bigint      NOT NULL DEFAULT 0,
	holder      bigint      NOT NULL DEFAULT 0, -- who has begun this run; 0: nobody
	prior       bigint      NOT NULL DEFAULT 0, -- who had before
	claims      bigint      NOT NULL DEFAULT 0, -- how often this run was taken
	claimed_at  timestamptz, -- for the first time
	lease_until timestamptz,
	created_at  timestamptz NOT NULL DEFAULT now(),
	failed_at   timestamptz, -- it is set aside, because
	reason      text        NOT NULL DEFAULT '' CHECK (octet_length(reason) <= 400)
$$);
COMMENT ON TABLE shoal.job IS 'what is to be done at a time, by one shard of the fleet';

CREATE INDEX job_due ON shoal.job (due_at) WHERE failed_at IS NULL;
CREATE INDEX job_failed ON shoal.job (failed_at) WHERE failed_at IS NOT NULL; -- retention

-- Who asked for a job is found by shoal.named_in, as with settings.
CREATE FUNCTION shoal.note_job() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
	IF NEW.user_id > 0 THEN
		PERFORM shoal.name_members(NEW.guild_id, 'job', ARRAY[NEW.user_id]);
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER note AFTER INSERT ON shoal.job FOR EACH ROW EXECUTE FUNCTION shoal.note_job();

SELECT shoal.apply_grants();
