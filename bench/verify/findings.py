"""What a verification finds: damage, each with its file, and what could not be checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

DAMAGED, MISSING, EDITED = "damaged", "missing", "edited"
"""Kinds of damage: content that fails a check, a file or block that is not there, a number that differs."""


@dataclass(frozen=True)
class Damage:
    """One damage.

    Attributes:
        kind: damaged, missing or edited.
        file: The file, or the folder that lacks one.
        text: What is wrong.
    """

    kind: str
    file: str
    text: str


@dataclass
class Findings:
    """The findings of a verification.

    Attributes:
        run: The run folder.
        damages: Everything that is wrong.
        unchecked: What could not be checked, and why.
        checked: Number of things checked, by what they are: files, blocks, numbers.
        repaired: True after a repair, of which `damages` are those that it left.
    """

    run: Path
    damages: list[Damage] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)
    repaired: list[Damage] = field(default_factory=list)

    @property
    def intact(self) -> bool:
        """True if nothing is wrong."""
        return not self.damages

    def add(self, kind: str, file: object, text: str) -> None:
        """Record a damage."""
        self.damages.append(Damage(kind, str(file), text))

    def count(self, what: str, number: int = 1) -> None:
        """Count things that were checked."""
        self.checked[what] = self.checked.get(what, 0) + number

    def content(self) -> dict[str, Any]:
        """The findings for programs."""
        return {
            "run": str(self.run),
            "intact": self.intact,
            "damages": [vars(damage) for damage in self.damages],
            "repaired": [vars(damage) for damage in self.repaired],
            "unchecked": self.unchecked,
            "checked": self.checked,
        }
