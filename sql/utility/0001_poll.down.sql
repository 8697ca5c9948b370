DROP TABLE shoal.utility__poll_vote;
DROP TABLE shoal.utility__poll;
