"""Readers of the files that data sets and cameras come in."""
