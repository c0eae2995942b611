"""Networks: arrays in, named arrays out. Nothing here knows a config, a data set or a loss."""
