"""The device side: from raw batches to what a network reads, as pure functions."""
