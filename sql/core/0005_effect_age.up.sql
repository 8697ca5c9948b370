-- Retention of effects whose outcome nobody knows.
-- oldest-program: 0.1.0
CREATE INDEX effect_unknown_age ON shoal.effect_unknown (at);
