"""Images and masks: folders, CSV, test sets, duplicates, and the built-in procedural data set."""
