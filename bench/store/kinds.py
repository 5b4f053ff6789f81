"""Kinds of stored work, and the columns that identify their rows."""

from __future__ import annotations

TRAJECTORIES = "trajectories"
FEATURES = "features"
PIXELS = "pixels"
REFERENCE = "reference"
TRUTH_TOKENS = "truth-tokens"
TRUTH_LIKELIHOOD = "truth-likelihood"
PAINTED = "painted"
IMAGES = "pictures"
KINDS = (TRAJECTORIES, FEATURES, PIXELS, REFERENCE, TRUTH_TOKENS, TRUTH_LIKELIHOOD, PAINTED, IMAGES)

RUN_KINDS = (TRAJECTORIES, FEATURES, PIXELS, REFERENCE, TRUTH_TOKENS, TRUTH_LIKELIHOOD, PAINTED)
"""The kinds that runs store; images are stored by `maskbench fid`, in a cache of its own."""
ADDRESS_COLUMNS = ("image_id", "canvas", "compose")
"""Columns that identify the features and pixel errors of a canvas."""
ROW_KEYS = {TRAJECTORIES: ("step", "image_id"), FEATURES: ADDRESS_COLUMNS, PIXELS: ADDRESS_COLUMNS}
"""Columns that identify a row, for the kinds whose keys may have several parts; a key of any other kind has one part."""
