"""Reports: one view model of a run folder, written in several formats."""
