"""Metrics: distances between feature sets, and errors of pixels."""
