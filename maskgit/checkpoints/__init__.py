"""Checkpoints: where they are, what they hold, and their weights as networks."""
