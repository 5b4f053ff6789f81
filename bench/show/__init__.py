"""`maskbench show`: picks images of a run, rebuilds their decoding steps and draws both as PNG sheets."""
