DROP FUNCTION shoal.shorter_history(bigint, bigint);
DROP FUNCTION shoal.without_member(jsonb, bigint);
