"""Score files, metrics, pictures and logs: host arrays in, files out."""
