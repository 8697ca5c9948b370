-- Members who made a poll or voted in one are found when they ask what is kept of them. A poll outlives who made it.
-- oldest-program: 0.1.0
SELECT shoal.declare_table('utility__poll', ARRAY['creator_id'], 'clear');
SELECT shoal.declare_table('utility__poll_vote', ARRAY['user_id'], 'delete');
