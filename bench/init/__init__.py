"""`maskbench init`: inspects a folder and writes a grid.toml that runs."""
