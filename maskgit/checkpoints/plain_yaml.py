"""Read untrusted YAML as plain data: no tags that build objects, no aliases that expand without limit (no torch)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from maskgit.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_BYTES = 1_000_000
MOST_VALUES = 10_000
"""Most values in a config; a value that an alias repeats is counted each time."""


def read_yaml(path: Path) -> Any:
    """Read a YAML file.

    Raises:
        CheckpointError: it cannot be read, is not YAML, or is far larger than a config, with its aliases expanded.
    """
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); put the config there") from error
    if len(text) > LARGEST_BYTES:
        raise CheckpointError(f"{path}: is larger than a config can be; name the YAML that the model was trained with")
    try:
        # yaml.compose keeps an alias as a reference to its node, so nothing is expanded yet.
        values = _count(yaml.compose(text, yaml.SafeLoader), {})
        if values <= MOST_VALUES:
            return yaml.safe_load(text)
    except Exception as error:  # a tag with a value that does not fit, or deep nesting, raises anything
        raise CheckpointError(f"{path}: is not YAML; copy the config that the model was trained with") from error
    raise CheckpointError(
        f"{path}: its aliases (*name) expand to over {MOST_VALUES:,} values; write the config without them"
    )


def _count(node: yaml.Node | None, known: dict[int, float]) -> float:
    """Number of values below a node, with aliases expanded; infinite if a node contains itself."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in known:
        known[id(node)] = float("inf")  # until it is counted: reached again before that, it contains itself
        children = [part for pair in node.value for part in (pair if isinstance(pair, tuple) else (pair,))]
        known[id(node)] = 1 + sum(_count(child, known) for child in children)
    return known[id(node)]
