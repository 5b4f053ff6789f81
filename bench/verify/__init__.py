"""Verification of a run: files against hashes, rows against schemas, cells against blocks, numbers against the store."""
