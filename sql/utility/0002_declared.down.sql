DROP TRIGGER declared ON shoal.utility__poll;
DROP TRIGGER declared ON shoal.utility__poll_vote;
DELETE FROM shoal.declared_table WHERE table_name IN ('utility__poll', 'utility__poll_vote');
