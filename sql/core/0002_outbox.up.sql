-- How far each source of writes has come: moved in the same transaction as the write itself, so that a write whose
-- outcome was not known can be brought again without happening twice.
-- oldest-program: 0.1.0

-- A source is an outbox's file, or a lane or token of writes that go straight. Not keyed by guild: one source writes for
-- many, and its row is what they have in common.
CREATE TABLE shoal.outbox_cursor (
	source     bigint      PRIMARY KEY,
	number     bigint      NOT NULL CHECK (number > 0), -- the last one that is written
	kind       smallint    NOT NULL,                    -- 0: a file, kept for ever; 1: a lane, 2: a token, for some days
	updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
COMMENT ON TABLE shoal.outbox_cursor IS 'the last write of each source that is in the database';
-- Of the short-lived ones only: a file's row is updated again and again and stays out of every index but the key's.
CREATE INDEX outbox_cursor_short_lived ON shoal.outbox_cursor (updated_at) WHERE kind > 0;

-- Moves the cursor of @p_source from below @p_first to @p_last, or raises SH001 (and so ends the transaction) when
-- @p_first is written already. Two transactions that bring the same write meet at the row: the second waits for the
-- first one's end before it looks.
CREATE FUNCTION shoal.outbox_advance(p_source bigint, p_first bigint, p_last bigint, p_kind bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
	now_at bigint;
BEGIN
	INSERT INTO shoal.outbox_cursor AS c (source, number, kind) VALUES (p_source, p_last, p_kind::smallint)
	ON CONFLICT (source) DO UPDATE SET number = excluded.number, updated_at = now() WHERE c.number < p_first
	RETURNING c.number INTO now_at;
	IF now_at IS NULL THEN
		RAISE EXCEPTION 'this write is in the database already' USING ERRCODE = 'SH001';
	END IF;
	RETURN now_at;
END
$$;

-- What people must be able to look up after a crash: requests to Discord of which nobody knows whether they happened. One
-- row each, whatever may be written again. Guild 0: the request names none.
SELECT shoal.create_keyed_table('effect_unknown', ARRAY['guild_id', 'event', 'step'], $$
	guild_id   bigint      NOT NULL CHECK (guild_id >= 0),
	event      text        NOT NULL CHECK (octet_length(event) <= 64), -- type and number of what it was done for
	step       bigint      NOT NULL,
	route      text        NOT NULL,
	channel_id bigint      NOT NULL, -- 0: the request names none
	shard_id   bigint      NOT NULL,
	why        text        NOT NULL CHECK (octet_length(why) <= 256),
	at         timestamptz NOT NULL DEFAULT now()
$$);
COMMENT ON TABLE shoal.effect_unknown IS 'requests to Discord that may or may not have happened; not done again';

SELECT shoal.apply_grants(); -- the table's; to call the function the schema's USAGE is enough
