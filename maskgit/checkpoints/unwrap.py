"""The two networks' tensors in the content of a file, whatever a trainer wrapped around them.

A network is recognised by a few of its own keys, below any path of mappings and any prefix: `model_state_dict` →
`module.transformer.tok_emb.weight` is as good as `tok_emb.weight`. Of an exponential moving average beside the weights,
one is taken and the other left as the user says. Several that could be meant are named and refused.
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
"""Keys that a network is recognised by; two of them are enough, so that a missing one is named as missing."""
ANCHORS_NEEDED = 2
DEEPEST = 4  # mappings below the content that are looked into
WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")  # torch puts these anywhere in a key
_AVERAGE = re.compile(r"(?:^|[._])(ema|shadow|swa|averaged?|moving_average)(?=[._\d]|$)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Weights:
    """One network's entries in a file, under the keys that the network itself has.

    Attributes:
        path: Keys of the mappings around it, outermost first.
        prefix: What was taken off its keys.
        state: The entries, as they are in the file.
        beside: Names of what else is in the innermost mapping and not one of the two networks.
    """

    path: tuple[str, ...]
    prefix: str
    state: Mapping[str, object]
    beside: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where it is in its file, as a dotted name."""
        return ".".join((*self.path, self.prefix)).strip(".")

    @property
    def is_average(self) -> bool:
        """Whether its place calls it a moving average."""
        return _AVERAGE.search(self.place) is not None


def unwrap(content: object, role: Role, file: Path, *, ema: bool | None = False) -> Weights | None:
    """One network's weights in the content of a file; None where it holds none.

    Args:
        content: What `read_content` returned.
        role: Which network.
        file: Named in errors.
        ema: Take the exponential moving average and not the weights themselves; None takes it where there is no other.

    Raises:
        CheckpointError: no mapping at all; several networks that could be meant; or only the one not asked for.
    """
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{file}: holds a {type(content).__name__}, not a state dict; {RESAVE}")
    everything = [weights for path, mapping in _mappings(content) for weights in _networks(path, mapping, role)]
    if not everything:
        return None
    candidates = [weights for weights in everything if weights.is_average == bool(ema)]
    if ema is None:
        candidates = candidates or everything
    if not candidates:
        places = ", ".join(repr(weights.place) for weights in everything)
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
    """How the weights were found, in words: nothing where the file is a bare state dict."""
    said = []
    if weights.path:
        said.append(f"found under {'.'.join(weights.path)}")
    if weights.prefix:
        said.append(f"prefix {weights.prefix} taken off")
    if weights.is_average:
        said.append("a moving average (EMA)")
    if weights.beside:
        said.append(f"left aside: {_listing(weights.beside)}")
    return [f"{file.name}: {role}: {', '.join(said)}"] if said else []


def _mappings(
    content: Mapping[object, object], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Mapping[object, object]]]:
    """Every mapping in a file's content with its path, outermost first."""
    yield path, content
    if len(path) < DEEPEST:
        for key, value in content.items():
            if isinstance(value, Mapping):
                yield from _mappings(value, (*path, str(key)))


def _networks(path: tuple[str, ...], mapping: Mapping[object, object], role: Role) -> Iterator[Weights]:
    """The networks of one role whose keys lie in a mapping itself."""
    entries = {_without_wrappers(str(key)): value for key, value in mapping.items() if not isinstance(value, Mapping)}
    prefixes = {which: _prefixes(entries, which) for which in ANCHORS}
    every = {prefix for found in prefixes.values() for prefix in found}
    outside = [key for key in entries if not key.startswith(tuple(every))]
    for prefix in prefixes[role]:
        inner = tuple(longer for longer in every if longer != prefix and longer.startswith(prefix))
        state = {
            key.removeprefix(prefix): value
            for key, value in entries.items()
            if key.startswith(prefix) and not (inner and key.startswith(inner))
        }
        yield Weights(path, prefix, state, tuple(dict.fromkeys(key.partition(".")[0] for key in outside)))


def _prefixes(entries: Mapping[str, object], role: Role) -> list[str]:
    """What precedes enough of a network's anchors, in the order of the file."""
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


def _equal(one: Mapping[str, object], two: Mapping[str, object]) -> bool:
    """Whether two states hold the same tensors: a trainer may keep its best epoch twice."""
    return one.keys() == two.keys() and all(
        isinstance(value, Tensor) and isinstance(two[key], Tensor) and torch.equal(value, two[key])  # type: ignore[arg-type]
        for key, value in one.items()
    )


def _listing(names: Sequence[str], count: int = 6) -> str:
    return ", ".join(names[:count]) + (f" and {len(names) - count} more" if len(names) > count else "")
