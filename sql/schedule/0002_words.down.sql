DROP FUNCTION shoal.job_words(bytea);
