"""A finished run, read back: its tables, its record, its stored work, and joins between runs."""
