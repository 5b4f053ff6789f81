"""Finished runs, read back: their tables, records and stored work, and joins between runs."""
