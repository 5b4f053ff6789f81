"""Reports: one view model of a run folder, written down in several formats."""
