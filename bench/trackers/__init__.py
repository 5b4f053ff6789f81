"""A finished run in the experiment trackers that other tools of a project log to."""
