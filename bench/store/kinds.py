"""Kinds of stored work, and what its rows are found by."""

from __future__ import annotations

TRAJECTORIES = "trajectories"
FEATURES = "features"
PIXELS = "pixels"
REFERENCE = "reference"
TRUTH_TOKENS = "truth-tokens"
TRUTH_LIKELIHOOD = "truth-likelihood"
PAINTED = "painted"
PICTURES = "pictures"

ADDRESS_COLUMNS = ("image_id", "canvas", "compose")
"""What features and pixel errors of canvases are found by."""
ROW_KEYS = {TRAJECTORIES: ("step", "image_id"), FEATURES: ADDRESS_COLUMNS, PIXELS: ADDRESS_COLUMNS}
"""What identifies a row of the kinds whose keys grow part by part; a part of any other kind is all there is to its key."""
