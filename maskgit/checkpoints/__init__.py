"""Checkpoints: locate them, read their files and load their weights into networks."""
