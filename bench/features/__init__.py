"""Feature extractors: where their weights lie, and images to features."""
