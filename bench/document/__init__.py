"""Building blocks of all reports: one document model with a writer per format, safe text, formatted numbers."""
