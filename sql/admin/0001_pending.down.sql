DROP TABLE shoal.admin__pending;
