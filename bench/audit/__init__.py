"""The audit of a test set: exact copies and suspected near-copies within it and in the training folders."""
