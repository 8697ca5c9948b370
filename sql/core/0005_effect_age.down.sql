DROP INDEX shoal.effect_unknown_age;
