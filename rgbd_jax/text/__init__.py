"""Descriptions of the classes: prompts, their vectors and tokens, and a draw from them for each sample."""
