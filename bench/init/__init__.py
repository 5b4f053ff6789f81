"""`maskbench init`: looks around in a folder and writes a grid.toml that runs."""
