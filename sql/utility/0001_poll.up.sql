-- Polls, and each member's vote in one.
-- oldest-program: 0.1.0

-- Its id is that of the command that made it, so that a command which is handled again after a crash makes it once.
SELECT shoal.create_keyed_table('utility__poll', ARRAY['guild_id', 'poll_id'], $$
	guild_id   bigint      NOT NULL CHECK (guild_id > 0),
	poll_id    bigint      NOT NULL,
	channel_id bigint      NOT NULL,
	message_id bigint      NOT NULL DEFAULT 0, -- 0: not posted yet
	creator_id bigint      NOT NULL,
	question   text        NOT NULL,
	answers    text        NOT NULL,           -- a line each
	answer_count bigint    NOT NULL CHECK (answer_count BETWEEN 2 AND 10),
	several    boolean     NOT NULL,           -- more than one answer may be chosen
	anonymous  boolean     NOT NULL,
	ends_at    timestamptz NOT NULL,
	ended_at   timestamptz,
	ended_by   bigint      NOT NULL DEFAULT 0  -- the command or the job that ended it
$$);
COMMENT ON TABLE shoal.utility__poll IS 'polls of servers, open and ended';
CREATE INDEX utility__poll_channel ON shoal.utility__poll (guild_id, channel_id, poll_id);

SELECT shoal.create_keyed_table('utility__poll_vote', ARRAY['guild_id', 'poll_id', 'user_id'], $$
	guild_id bigint NOT NULL CHECK (guild_id > 0),
	poll_id  bigint NOT NULL,
	user_id  bigint NOT NULL,
	choices  bigint NOT NULL CHECK (choices BETWEEN 0 AND 1023), -- a bit each; 0: taken back
	event_id bigint NOT NULL                                     -- the click; an older one changes nothing any more
$$);
COMMENT ON TABLE shoal.utility__poll_vote IS 'the newest vote of each member in each poll';
SELECT shoal.apply_grants();
