"""Executors: who does the blocks of a run, and where; the same blocks give the same bytes with any of them."""
