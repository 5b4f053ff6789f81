"""Metrics: distances between sets of features, and pixel errors."""
