"""The user's declarations on how to read a checkpoint in the lab layout (no torch)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from maskgit.config import VARIANTS
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

ORDERS = {
    "qkv": "all rows of q, then k, then v",
    "heads": "q, k, v of the first head, then of the next",
}
"""Row orders of a fused matrix, by name."""
ROLES = ("q", "k", "v", "kv", "qkv", "out")


@dataclass(frozen=True)
class Declared:
    """The user's declarations; what they leave out is taken from the file's names, or measured.

    Attributes:
        keys: Modules of the attention by role (q, k, v, kv, qkv, out), below `blocks.i.Attention.`; `*` is a head's number.
        order: Row order of a fused matrix, one of `ORDERS`.
        variant: Arithmetic of the attention, one of `maskgit.config.VARIANTS`.
        ema: Use the moving average of the weights.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    order: str | None = None
    variant: str | None = None
    ema: bool = False

    def __post_init__(self) -> None:
        """Refuse declarations that fit no checkpoint.

        Raises:
            InputError: an unknown role or name.
        """
        for name, value, known in (("order", self.order, ORDERS), ("variant", self.variant, VARIANTS)):
            if value is not None and value not in known:
                raise InputError(f"{name} = {value!r}: no such choice; use one of {', '.join(known)}")
        if unknown := [role for role in self.keys if role not in ROLES]:
            raise InputError(f"attention_keys.{unknown[0]}: no such role; the roles are {', '.join(ROLES)}")

    @property
    def said(self) -> dict[str, Any]:
        """The declarations, without those that were left out."""
        return {key: value for key, value in asdict(self).items() if value}


NOTHING_DECLARED = Declared()


def parse_keys(text: str) -> dict[str, str]:
    """Parse keys written as `q=W_q,k=W_k,v=W_v,out=W_o`.

    Raises:
        InputError: the text has another form.
    """
    pairs = [part.partition("=") for part in text.split(",")]
    if bad := [role for role, _, module in pairs if role.strip() not in ROLES or not module.strip()]:
        raise InputError(
            f"attention keys {text!r}: {bad[0]!r} is not role=module; write q=W_q,k=W_k,v=W_v,out=W_o "
            "(fused: qkv=to_qkv,out=proj)"
        )
    return {role.strip(): module.strip() for role, _, module in pairs}
