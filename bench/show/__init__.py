"""`maskbench show`: which images to draw, how they were decoded, and the sheets made of that."""
