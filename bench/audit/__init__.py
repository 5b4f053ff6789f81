"""Is the test set clean? Copies and suspected near-copies within it and in the training folders."""
