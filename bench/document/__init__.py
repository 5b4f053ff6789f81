"""What every report is written with: safe text, formatted numbers, plots in characters, files."""
