SELECT shoal.declare_table('utility__poll', ARRAY['creator_id'], 'clear');
SELECT shoal.declare_table('utility__poll_vote', ARRAY['user_id'], 'delete');
DROP INDEX shoal.utility__poll_declared_age;
ALTER TABLE shoal.utility__poll_vote DROP COLUMN voted_at;
