"""Compare our own reading of a lab checkpoint with its author's code, on the same files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from maskgit.checkpoints.compare import difference
from maskgit.checkpoints.lab_code import load_lab_code
from maskgit.checkpoints.lab_code_files import PREFIX
from maskgit.checkpoints.load_lab import load_lab
from maskgit.checkpoints.locate import locate
from maskgit.checkpoints.user_code import refer
from maskgit.errors import CheckpointError

if TYPE_CHECKING:
    from maskgit.checkpoints.checkpoint import Checkpoint
    from maskgit.model import MaskGIT


@dataclass(frozen=True)
class AuthorsCode:
    """The author's code: an attention class, "path/to/file.py:Class", or a checkout; paths are relative to `base`."""

    attention: str | None = None
    checkout: str | None = None
    base: Path = Path()

    def __bool__(self) -> bool:
        return self.attention is not None or self.checkout is not None


def compare_with_code(checkpoint: Checkpoint, ours: MaskGIT, code: AuthorsCode) -> tuple[str, ...]:
    """Run the author's code and check that our reading gives the same logits; returns one sentence per comparison.

    Raises:
        CheckpointError: the two differ by more than rounding, or the code cannot run.
    """
    sentences = []
    for name, model in _authors_models(checkpoint, code):
        gap = difference(ours, model)
        if not gap.is_rounding:
            raise CheckpointError(
                f"{checkpoint.files['transformer']}: our reading differs from {name}: {gap}; state its order or variant, or "
                "decode with that code (docs/own-code.md)"
            )
        sentences.append(f"equal to {name}: {gap}")
    return tuple(sentences)


def _authors_models(checkpoint: Checkpoint, code: AuthorsCode) -> list[tuple[str, MaskGIT]]:
    models = []
    if code.attention is not None:
        reference = refer(code.attention, code.base, "--attention-class")
        models.append((code.attention, load_lab(replace(checkpoint, code=reference), "cpu", False)))
    if code.checkout is not None:
        files = {role: path.resolve() for role, path in checkpoint.files.items()}
        located = locate(
            f"{PREFIX}{code.checkout}",
            code.base.resolve(),
            tokenizer=files.get("tokenizer"),
            transformer=files["transformer"],
            tokenizer_config=files["tokenizer_config"],
            transformer_config=files["transformer_config"],
        )
        models.append((code.checkout, load_lab_code(located, "cpu", False, compare=False)))
    return models
