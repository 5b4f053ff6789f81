"""The stages of a run, from masked images to the tables of a run folder."""
