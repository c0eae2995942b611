"""Rules that carry the weights of the published networks over to ours, one table for each network."""
