"""Progress of long work, and the displays that show it."""
