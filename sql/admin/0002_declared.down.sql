DROP TRIGGER declared ON shoal.admin__pending;
DROP INDEX shoal.admin__pending_declared_age;
DELETE FROM shoal.declared_table WHERE table_name = 'admin__pending';
