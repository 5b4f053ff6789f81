"""What every report is written with: one document model with a writer per format, safe text, formatted numbers."""
