-- Polls and their votes go a year after their end, or after the vote.
-- oldest-program: 0.1.0
ALTER TABLE shoal.utility__poll_vote ADD COLUMN voted_at timestamptz NOT NULL DEFAULT now();
SELECT shoal.declare_table('utility__poll', ARRAY['creator_id'], 'clear', 'ends_at', 365);
SELECT shoal.declare_table('utility__poll_vote', ARRAY['user_id'], 'delete', 'voted_at', 365);
