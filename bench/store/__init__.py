"""Stored work: Parquet parts, looked up by keys made of everything they depend on."""
