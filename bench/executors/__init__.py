"""Executors: they decide where the blocks of a run are computed; every executor gives the same bytes."""
