"""Losses: arrays in, a number or one number a sample out."""
