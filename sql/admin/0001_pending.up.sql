-- Members who must accept a server's rules before they get the roles that it gives to new ones.
-- oldest-program: 0.1.0

SELECT shoal.create_keyed_table('admin__pending', ARRAY['guild_id', 'user_id'], $$
	guild_id bigint      NOT NULL CHECK (guild_id > 0),
	user_id  bigint      NOT NULL CHECK (user_id > 0),
	since    timestamptz NOT NULL
$$);
COMMENT ON TABLE shoal.admin__pending IS 'members who joined and have not accepted the rules yet';
SELECT shoal.apply_grants();
