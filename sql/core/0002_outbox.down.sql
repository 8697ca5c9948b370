-- Forgets how far the outboxes have come: empty them first (shoalctl outbox status), or what they hold and had written
-- already is written again when this migration is applied anew.
DROP TABLE shoal.effect_unknown;
DROP FUNCTION shoal.outbox_advance(bigint, bigint, bigint, bigint);
DROP TABLE shoal.outbox_cursor;
