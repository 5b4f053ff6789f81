"""Feature extractors: the location of their weights, and their networks from images to features."""
