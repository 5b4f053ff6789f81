"""Find the two networks' tensors in the content of a file, however a trainer wrapped them.

A network is recognised by a few of its own keys, below any path of mappings and any prefix: `model_state_dict` →
`module.transformer.tok_emb.weight` is as good as `tok_emb.weight`. If a file holds both the weights and their exponential
moving average, the user decides which to use. If several states could be meant, the error names them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from maskgit.checkpoints.weight_files import RESAVE
from maskgit.errors import CheckpointError

if TYPE_CHECKING:
    from pathlib import Path

Role = Literal["tokenizer", "transformer"]
ANCHORS: dict[Role, tuple[str, ...]] = {
    "tokenizer": ("codebook.embedding.weight", "quant_conv.weight", "post_quant_conv.weight", "encoder.model.0.weight"),
    "transformer": ("tok_emb.weight", "pos_emb", "LN.weight", "Token_Prediction.0.weight", "Token_Prediction.2.weight"),
}
"""Keys by which a network is recognised; two are enough, so that a missing one is reported as missing."""
ANCHORS_NEEDED = 2
DEEPEST = 4  # levels of nested mappings that are searched
WRAPPERS = (
    "_orig_mod.",
    "_fsdp_wrapped_module.",
    "_checkpoint_wrapped_module.",
)  # torch inserts these anywhere in a key
_AVERAGE = re.compile(r"(?:^|[._])(ema|shadow|swa|averaged?|moving_average)(?=[._\d]|$)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Weights:
    """One network's entries in a file, under the network's own keys.

    Attributes:
        path: Keys of the enclosing mappings, outermost first.
        prefix: The prefix that was removed from its keys.
        state: The entries, as they are in the file.
        ignored: Names of other entries of the innermost mapping that belong to neither network.
    """

    path: tuple[str, ...]
    prefix: str
    state: Mapping[str, object]
    ignored: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Position in its file, as a dotted name."""
        return ".".join((*self.path, self.prefix)).strip(".")

    @property
    def is_average(self) -> bool:
        """True if its position in the file names a moving average."""
        return _AVERAGE.search(self.place) is not None


def unwrap(content: object, role: Role, file: Path, *, ema: bool | None = False) -> Weights | None:
    """Find one network's weights in the content of a file; None if it holds none.

    Args:
        content: What `read_content` returned.
        role: Which network.
        file: Named in errors.
        ema: Use the exponential moving average instead of the weights; None uses it only if there are no plain weights.

    Raises:
        CheckpointError: the content is not a mapping; several states could be meant; or only the other kind is there.
    """
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{file}: holds a {type(content).__name__}, not a state dict; {RESAVE}")
    networks = [weights for path, mapping in _mappings(content) for weights in _networks(path, mapping, role)]
    if not networks:
        return None
    candidates = [weights for weights in networks if weights.is_average == bool(ema)]
    if ema is None:
        candidates = candidates or networks
    if not candidates:
        places = ", ".join(repr(weights.place) for weights in networks)
        kind, remedy = ("no moving average", "leave out ema") if ema else ("a moving average alone", "say ema = true")
        raise CheckpointError(f"{file}: holds {kind} of the {role} (found {places}); {remedy}")
    first, *others = candidates
    if differing := [weights for weights in others if not _equal(first.state, weights.state)]:
        places = ", ".join(repr(weights.place or "the top") for weights in (first, *differing))
        raise CheckpointError(
            f"{file}: holds several states of the {role}, at {places}; save the one to use in a file of its own"
        )
    return first


def describe(weights: Weights, role: Role, file: Path) -> list[str]:
    """Describe where the weights were found; empty if the file is a bare state dict."""
    details = []
    if weights.path:
        details.append(f"found under {'.'.join(weights.path)}")
    if weights.prefix:
        details.append(f"prefix {weights.prefix} taken off")
    if weights.is_average:
        details.append("a moving average (EMA)")
    if weights.ignored:
        details.append(f"left aside: {_listing(weights.ignored)}")
    return [f"{file.name}: {role}: {', '.join(details)}"] if details else []


def _mappings(
    content: Mapping[object, object], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Mapping[object, object]]]:
    """All mappings in a file's content with their paths, outermost first."""
    yield path, content
    if len(path) < DEEPEST:
        for key, value in content.items():
            if isinstance(value, Mapping):
                yield from _mappings(value, (*path, str(key)))


def _networks(path: tuple[str, ...], mapping: Mapping[object, object], role: Role) -> Iterator[Weights]:
    """Networks of one role whose keys are directly in the mapping."""
    entries = {_without_wrappers(str(key)): value for key, value in mapping.items() if not isinstance(value, Mapping)}
    prefixes = {which: _prefixes(entries, which) for which in ANCHORS}
    all_prefixes = {prefix for role_prefixes in prefixes.values() for prefix in role_prefixes}
    outside = [key for key in entries if not key.startswith(tuple(all_prefixes))]
    for prefix in prefixes[role]:
        inner = tuple(longer for longer in all_prefixes if longer != prefix and longer.startswith(prefix))
        state = {
            key.removeprefix(prefix): value
            for key, value in entries.items()
            if key.startswith(prefix) and not (inner and key.startswith(inner))
        }
        yield Weights(path, prefix, state, tuple(dict.fromkeys(key.partition(".")[0] for key in outside)))


def _prefixes(entries: Mapping[str, object], role: Role) -> list[str]:
    """Prefixes that precede enough of a network's anchors, in the order of the file."""
    votes = Counter(
        key.removesuffix(anchor)
        for key, value in entries.items()
        for anchor in ANCHORS[role]
        if isinstance(value, Tensor) and (key == anchor or key.endswith(f".{anchor}"))
    )
    return [prefix for prefix, count in votes.items() if count >= ANCHORS_NEEDED]


def _without_wrappers(key: str) -> str:
    for wrapper in WRAPPERS:
        key = key.replace(wrapper, "")
    return key


def _equal(first: Mapping[str, object], second: Mapping[str, object]) -> bool:
    """True if two states hold the same tensors: a trainer may save its best epoch twice."""
    return first.keys() == second.keys() and all(
        isinstance(value, Tensor) and isinstance(second[key], Tensor) and torch.equal(value, second[key])  # type: ignore[arg-type]
        for key, value in first.items()
    )


def _listing(names: Sequence[str], count: int = 6) -> str:
    return ", ".join(names[:count]) + (f" and {len(names) - count} more" if len(names) > count else "")
