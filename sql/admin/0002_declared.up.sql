-- Members who wait are found when they ask what is kept of them; whoever never accepted the rules is forgotten after a year.
-- oldest-program: 0.1.0
SELECT shoal.declare_table('admin__pending', ARRAY['user_id'], 'delete', 'since', 365);
