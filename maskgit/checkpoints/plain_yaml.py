"""YAML that others wrote, as plain data: no tags that build objects, and no aliases that grow without limit (no torch)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from maskgit.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_BYTES = 1_000_000
MOST_VALUES = 10_000
"""Values in a config, those that an alias repeats counted each time."""


def read_yaml(path: Path) -> Any:
    """The content of a YAML file.

    Raises:
        CheckpointError: cannot be read, is not YAML, or is far larger than a config, written out or through its aliases.
    """
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); put the config there") from error
    if len(text) > LARGEST_BYTES:
        raise CheckpointError(f"{path}: is larger than a config can be; name the YAML that the model was trained with")
    try:
        # yaml.compose keeps an alias as the node that it names, so nothing has grown yet.
        values = _count(yaml.compose(text, yaml.SafeLoader), {})
        if values <= MOST_VALUES:
            return yaml.safe_load(text)
    except Exception as error:  # a tag with a value that does not fit, or deep nesting, raises anything
        raise CheckpointError(f"{path}: is not YAML; copy the config that the model was trained with") from error
    raise CheckpointError(
        f"{path}: its aliases (*name) stand for over {MOST_VALUES:,} values; write the config without them"
    )


def _count(node: yaml.Node | None, known: dict[int, float]) -> float:
    """Values below a node, an alias counted as what it names; infinite where a node contains itself."""
    if not isinstance(node, yaml.CollectionNode):
        return 1
    if id(node) not in known:
        known[id(node)] = float("inf")  # until it is counted: whoever meets it before is inside it
        children = [part for pair in node.value for part in (pair if isinstance(pair, tuple) else (pair,))]
        known[id(node)] = 1 + sum(_count(child, known) for child in children)
    return known[id(node)]
