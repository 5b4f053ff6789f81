"""What is kept: stored work in Parquet parts, found by the keys of what it depends on."""
