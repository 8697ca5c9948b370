DROP TABLE shoal.job;
DROP FUNCTION shoal.note_job();
DELETE FROM shoal.named_in WHERE table_name = 'job';
