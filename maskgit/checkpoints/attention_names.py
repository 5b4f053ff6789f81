"""Identify q, k, v and the output among the Linears of a user's attention, by their names and shapes.

Users name them `query`, `W_q`, `to_q`, `q_proj`, `fc_q`, `linear_query`, `queries`, `wq`, …; fuse q, k and v (or k and v)
into one matrix of any name; keep one small Linear per head in a ModuleList; nest them in Sequentials. The names that follow
`blocks.i.Attention.` are read word by word. If three of the four roles are named, the fourth follows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from maskgit.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Role = Literal["q", "k", "v", "kv", "qkv", "out"]
Shape = tuple[int, ...]

WORDS: dict[Role, str] = {
    "q": r"q|qs|que|query|queries|querys",
    "k": r"k|ks|key|keys",
    "v": r"v|vs|val|vals|value|values",
    "out": r"o|out|output|outputs|proj|project|projection|projector",
}
"""Words for each role; a word for `out` counts less than the others, since `q_proj` is a q."""
ROWS: dict[Role, int] = {"qkv": 3, "kv": 2}  # in units of the model's width; 1 for the other roles
AFFIX = r"(?:w|to|fc|lin|linear|proj|layer|in|out)"  # written without a separator: wq, toq, qproj
CONVENTIONS = ("qkv", "to_qkv", "toqkv", "wqkv", "w_qkv", "c_attn", "in_proj")
"""Names of fused matrices under which public code agrees on q, k, v along the output, in lower case: the two of the lab
layout, then those of flash-attention, GPT-2 and torch.nn.MultiheadAttention. Others (`qkv_proj`, `qkv_layer`) do not."""


@dataclass(frozen=True)
class Projection:
    """One matrix of the attention: a Linear, or one small Linear per head, in order.

    Attributes:
        name: Module below `blocks.i.Attention.`; `*` is the head's number.
        parts: The modules it is made of.
        rows: Rows of the whole matrix, in units of the model's width.
        bias: True if it has a bias.
    """

    name: str
    parts: tuple[str, ...]
    rows: int
    bias: bool

    @property
    def per_head(self) -> bool:
        """True if it is a list of small Linears."""
        return len(self.parts) > 1


@dataclass(frozen=True, eq=False)
class Layout:
    """The projections of every block's attention by role, and the remaining tensors.

    Attributes:
        projections: {q, k, v, out}, {qkv, out} or {q, kv, out}.
        heads: Number of attention heads.
        shapes: Shapes of the projections' tensors, by key below `blocks.i.Attention.`.
        leftover: Other keys there.
    """

    projections: Mapping[Role, Projection]
    heads: int
    shapes: Mapping[str, Shape]
    leftover: tuple[str, ...]

    @property
    def fused(self) -> Projection | None:
        """The matrix whose row order must be known: one that holds several of q, k and v for all heads."""
        both = self.projections.get("qkv") or self.projections.get("kv")
        return None if both is None or both.per_head else both

    @property
    def conventional(self) -> bool:
        """True if the fused matrix has a name under which public code agrees on the row order."""
        if self.fused is None:
            return False
        named = [part for part in self.fused.name.split(".") if not part.isdigit()]
        return named[-1].lower() in CONVENTIONS


def find_layout(shapes: Mapping[str, Shape], dim: int, heads: int, declared: Mapping[str, str]) -> Layout:
    """Find the layout of one attention.

    Args:
        shapes: Shapes of its tensors, by key below `blocks.i.Attention.`.
        dim: Width of the model.
        heads: Number of attention heads, unless a list of small Linears shows it.
        declared: Modules that the user named, by role.

    Raises:
        CheckpointError: a role cannot be determined; the caller adds file and remedy.
    """
    projections = {projection.name: projection for projection in _projections(shapes, dim)}
    roles: dict[Role, Projection] = {}
    for role, name in declared.items():
        if name not in projections:
            raise CheckpointError(f"attention_keys.{role} = {name!r} is not one of {_names(projections.values())}")
        roles[role] = projections.pop(name)  # type: ignore[index]
    for role, rows in ROWS.items():
        if len(fitting := [p for p in projections.values() if p.rows == rows and rows > 1]) > 1:
            raise CheckpointError(f"several matrices could be {role}: {_names(fitting)}")
        for projection in fitting:
            if _letters(roles) & set(role):
                raise CheckpointError(
                    f"{projection.name}: a matrix for {role} next to one for {_names(roles.values())}"
                )
            roles[role] = projections.pop(projection.name)
    _assign_by_name(roles, list(projections.values()))
    if wrong := [f"{role} = {p.name}" for role, p in roles.items() if p.rows != ROWS.get(role, 1)]:
        raise CheckpointError(f"{', '.join(wrong)}: a matrix of another size")
    used = {part for projection in roles.values() for part in projection.parts}
    inside = {key: shape for key, shape in shapes.items() if split_key(key)[0] in used}
    if odd := [
        key for key, shape in inside.items() if split_key(key)[1] == "bias" and not _is_bias(key, shape, shapes)
    ]:
        raise CheckpointError(f"{', '.join(odd)}: no bias of its matrix's rows")
    counts = {len(p.parts) for p in roles.values() if p.per_head} or {heads}
    if len(counts) > 1:
        raise CheckpointError(f"lists of {' and '.join(map(str, sorted(counts)))} heads")
    return Layout(roles, counts.pop(), inside, tuple(key for key in shapes if key not in inside))


def role_of(name: str) -> Role | None:
    """The role that a module's name says; None if it says none, or several.

    The last part of a nested name counts first. `q_proj` and `out_q` are a q: words for the output count only if there is
    no other.
    """
    parts = [[word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", part)] for part in name.split(".")]
    for words in reversed(parts):
        named = {role for word in words for role in WORDS if role != "out" and _means(word, role)}
        if named:
            return named.pop() if len(named) == 1 else None
    return "out" if any(_means(word, "out") for words in parts for word in words) else None


def _means(word: str, role: Role) -> bool:
    return re.fullmatch(rf"{AFFIX}?(?:{WORDS[role]}){AFFIX}?", word) is not None


def _assign_by_name(roles: dict[Role, Projection], free: list[Projection]) -> None:
    """Assign the open roles to the square matrices by name, and the last role to the last matrix by elimination."""
    needed: list[Role] = [role for role in ("q", "k", "v") if role not in _letters(roles)]
    needed += ["out"] if "out" not in roles else []
    for role in tuple(needed):
        if len(fitting := [projection for projection in free if role_of(projection.name) == role]) == 1:
            roles[role] = fitting[0]
            needed.remove(role)
    rest = [projection for projection in free if projection not in roles.values()]
    if len(needed) == 1 and len(rest) == 1 and role_of(rest[0].name) in (None, "out"):
        roles[needed[0]] = rest[0]
    elif needed:
        raise CheckpointError(f"nothing tells which of {_names(rest)} is {' or '.join(needed)}")
    elif rest:
        raise CheckpointError(f"{_names(rest)}: of unknown role, besides q, k, v and the output")


def _letters(roles: Iterable[Role]) -> set[str]:
    """The letters among q, k and v that some roles cover."""
    return {letter for role in roles if role != "out" for letter in role}


def _names(projections: Iterable[Projection]) -> str:
    return ", ".join(projection.name for projection in projections) or "no matrices"


def _projections(shapes: Mapping[str, Shape], dim: int) -> list[Projection]:
    """Matrices of an attention with the model's width as input: (m · dim, dim), or one (m · dim / heads, dim) per head."""
    linears = {split_key(key)[0]: shape[0] for key, shape in shapes.items() if _is_matrix(key, shape, dim)}
    biased = {module for module, kind in map(split_key, shapes) if kind == "bias"}
    whole = {module: rows // dim for module, rows in linears.items() if rows in (dim, 2 * dim, 3 * dim)}
    projections = [Projection(module, (module,), rows, module in biased) for module, rows in whole.items()]
    small = {module: rows for module, rows in linears.items() if module not in whole}
    for name, parts in _lists(small).items():
        rows = small[parts[0]] * len(parts)
        biases = {part in biased for part in parts}
        if rows in (dim, 2 * dim, 3 * dim) and len(biases) == 1:
            projections.append(Projection(name, parts, rows // dim, parts[0] in biased))
    return projections


def _is_matrix(key: str, shape: Shape, dim: int) -> bool:
    """True for the weight of a Linear or 1×1 convolution whose input has the model's width."""
    return split_key(key)[1] == "weight" and len(shape) >= 2 and shape[1] == dim and all(n == 1 for n in shape[2:])


def _is_bias(key: str, shape: Shape, shapes: Mapping[str, Shape]) -> bool:
    """True if a bias has as many entries as its matrix has rows."""
    weight = f"{key.removesuffix('bias')}weight"
    return shape == shapes[weight][:1]


def _lists(modules: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
    """Lists of modules that differ only in a number 0, 1, 2, … and have equally many rows, named with `*` for the number."""
    groups: dict[tuple[str, int], dict[int, str]] = {}
    for module, rows in modules.items():
        for digits in re.finditer(r"(?<=\.)\d+(?=\.|$)|^\d+(?=\.)", module):
            name = f"{module[: digits.start()]}*{module[digits.end() :]}"
            groups.setdefault((name, rows), {})[int(digits.group())] = module
    complete = {name: members for (name, _), members in groups.items() if set(members) == set(range(len(members)))}
    return {name: tuple(members[i] for i in range(len(members))) for name, members in complete.items()}


def split_key(key: str) -> tuple[str, str]:
    """Split a key into module and kind of tensor: `W_o.0.weight`, or `in_proj_weight` of torch's own attention."""
    match = re.fullmatch(r"(.+?)[._](weight|bias)", key)
    return (match[1], match[2]) if match else (key, "")
