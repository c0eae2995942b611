"""The host side: data sets as records, and their way into batches."""
