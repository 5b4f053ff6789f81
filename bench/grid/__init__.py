"""The grid: `grid.toml` as typed data, and the cells and trajectories that follow from it."""
