"""Built-in data: `catfaces`, procedural cat faces, and random-walk holes."""
