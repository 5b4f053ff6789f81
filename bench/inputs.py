"""Everything a spec names, found and checked before any model is loaded: test set, checkpoints, plan."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bench.plan import Plan, make_plan
from bench.spec import DataSection, Spec
from maskgit.data.testset import TestSet, catfaces_test_set, load_test_set
from maskgit.errors import InputError
from maskgit.locate import Checkpoint, locate, with_normalisation


@dataclass(frozen=True)
class Inputs:
    """The test set, the checkpoints by shown name, and the cells."""

    test_set: TestSet
    checkpoints: dict[str, Checkpoint]
    plan: Plan


def open_inputs(spec: Spec, base: Path) -> Inputs:
    """Find and check what a spec names; nothing is decoded and no weights are loaded.

    Args:
        spec: The spec.
        base: Folder that relative checkpoint paths start from.

    Raises:
        InputError: Something is missing, damaged or does not fit together.
    """
    checkpoints = find_checkpoints(spec, base)
    plan = make_plan(spec, tuple(checkpoints))
    test_set = open_test_set(spec.data)
    side = test_set.masked.shape[-1]
    for name, checkpoint in checkpoints.items():
        if checkpoint.tokenizer is not None and checkpoint.tokenizer.img_resolution != side:
            wanted = checkpoint.tokenizer.img_resolution
            raise InputError(
                f"data: images of {side}×{side}, but checkpoint {name} takes {wanted}×{wanted}; resize them"
            )
    return Inputs(test_set, checkpoints, plan)


def open_test_set(data: DataSection) -> TestSet:
    """The masked test set of a spec, with its ground truth.

    Raises:
        InputError: What is wrong with it, file by file.
    """
    if data.dataset == "catfaces":
        return catfaces_test_set(min(data.count, data.limit or data.count))
    assert data.masks is not None
    test_set = load_test_set(
        masks=data.masks, masked_images=data.masked_images, ground_truth=data.ground_truth, limit=data.limit
    )
    if len(test_set.image_ids) < 3:
        raise InputError(f"data: {len(test_set.image_ids)} images; a Fréchet distance takes at least 3")
    return test_set


def find_checkpoints(spec: Spec, base: Path) -> dict[str, Checkpoint]:
    """The checkpoints of a spec by shown name: their own name, or what the user wrote where names collide."""
    model = spec.model
    written: tuple[str | None, ...] = model.checkpoint or (None,)
    found = [
        locate(
            text,
            base,
            tokenizer=model.tokenizer,
            transformer=model.transformer,
            tokenizer_config=model.tokenizer_config,
            transformer_config=model.transformer_config,
        )
        for text in written
    ]
    if model.mean is not None or model.std is not None:
        found = [with_normalisation(checkpoint, model.mean, model.std) for checkpoint in found]
    times = Counter(checkpoint.name for checkpoint in found)
    names = [c.name if times[c.name] == 1 or text is None else text for c, text in zip(found, written, strict=True)]
    return dict(zip(names, found, strict=True))
