"""Bundled weights, the recipes they were trained by, and their model cards."""
