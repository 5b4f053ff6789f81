"""Inputs of a run, located and checked before any model is loaded: test set, checkpoints, plan."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bench.features.sources import require_extractors
from bench.grid.own_gammas import OwnGammas
from bench.grid.plan import Plan, make_plan
from bench.metrics.registry import METRICS
from bench.metrics.statistics import MIN_GROUPS
from bench.run.failure_policy import FailurePolicy
from maskgit.checkpoints.declared import Declared
from maskgit.checkpoints.epochs import expand
from maskgit.checkpoints.locate import locate, with_normalisation
from maskgit.data.dedup import digests
from maskgit.data.external import read_external
from maskgit.data.loading import load_test_set
from maskgit.data.testset import TestSet, catfaces_test_set
from maskgit.errors import InputError, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from bench.grid.inputs import DataSection, ModelSection
    from bench.grid.spec import Spec
    from maskgit.checkpoints.checkpoint import Checkpoint


@dataclass(frozen=True)
class Inputs:
    """The test set, the checkpoints by display name, the cells, and the test set as inpainted by other programs, by name."""

    test_set: TestSet
    checkpoints: dict[str, Checkpoint]
    plan: Plan
    external: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)

    def only(self, names: Iterable[str]) -> Inputs:
        """The inputs of some of the checkpoints."""
        kept = set(names)
        cells = tuple(cell for cell in self.plan.cells if cell.trajectory.checkpoint in kept)
        return replace(
            self, checkpoints={name: c for name, c in self.checkpoints.items() if name in kept}, plan=Plan(cells)
        )


def open_inputs(spec: Spec, base: Path, policy: FailurePolicy | None = None) -> Inputs:
    """Locate and check the inputs of a spec; nothing is decoded and no weights are loaded.

    Args:
        spec: The spec.
        base: Folder that relative checkpoint paths start from.
        policy: Decides whether a checkpoint that fails is skipped; by default its error is raised.

    Raises:
        InputError: Inputs are missing or damaged, or do not fit together.
    """
    policy = policy or FailurePolicy()
    require_extractors(spec.metrics.features, spec.metrics.weights)
    checkpoints = find_checkpoints(spec, base, policy)
    plan = make_plan(spec, tuple(checkpoints), OwnGammas(base))
    test_set = open_test_set(spec.data)
    _require_images(spec.metrics.extra, len(test_set.image_ids))
    numbers, (height, width) = test_set.image_ids.tolist(), test_set.masked.shape[-2:]
    external = {entry.name: read_external(entry.images, numbers, (height, width)) for entry in spec.external}
    fitting = []
    for name, checkpoint in checkpoints.items():
        with policy.checkpoint(name):
            if checkpoint.tokenizer is not None:  # a Python model's size is known once it is loaded
                require_size(name, checkpoint.tokenizer.img_resolution, test_set)
            fitting.append(name)
    policy.require_any(fitting)
    return Inputs(test_set, checkpoints, plan, external).only(fitting)


def open_test_set(data: DataSection) -> TestSet:
    """The masked test set of a spec, with its ground truth.

    Raises:
        InputError: Files are missing or wrong, all of them listed.
    """
    if data.dataset == "catfaces":
        test_set = catfaces_test_set(min(data.count, data.limit or data.count), data.size)
    else:
        assert data.masks is not None
        assert data.ground_truth is not None
        test_set = load_test_set(
            masks=data.masks,
            ground_truth=data.ground_truth,
            masked_images=data.masked_images,
            limit=data.limit,
            masks_are=data.masks_are,
        )
    distinct = len(set(digests(test_set.truth)))
    if distinct < MIN_GROUPS:
        raise InputError(
            f"data: {len(test_set.image_ids)} images, {distinct} of them distinct; a Fréchet distance and its error need "
            f"at least {MIN_GROUPS}"
        )
    return test_set


def _require_images(extra: tuple[str, ...], n_images: int) -> None:
    """Refuse a metric of metrics.extra that needs more images than there are."""
    for metric in METRICS.values():
        if metric.extra in extra and n_images < metric.min_images:
            raise InputError(
                f'metrics.extra: "{metric.extra}" needs at least {metric.min_images} images, and the test set has '
                f"{n_images}; leave it out"
            )


def find_checkpoints(spec: Spec, base: Path, policy: FailurePolicy | None = None) -> dict[str, Checkpoint]:
    """The checkpoints of a spec by display name: their own name, or the text in the spec where names collide.

    `policy` decides whether a checkpoint that fails is skipped; by default its error is raised.
    """
    policy = policy or FailurePolicy()
    located: list[tuple[_Written, Checkpoint]] = []
    for written in _written(spec.model, base):
        with policy.checkpoint(written.text or "model"):
            located.append((written, _find_checkpoint(spec.model, written, base)))
    policy.require_any(located)
    name_counts = Counter(checkpoint.name for _, checkpoint in located)
    return {c.name if name_counts[c.name] == 1 or w.text is None else w.text: c for w, c in located}


@dataclass(frozen=True)
class _Written:
    """One checkpoint as written in the spec: the text to show, its two keys, and a name if the location's does not apply."""

    text: str | None
    checkpoint: str | None
    transformer: Path | None = None
    name: str | None = None


def _written(model: ModelSection, base: Path) -> list[_Written]:
    """The axis of checkpoints: several epochs in one location, or several locations."""
    transformers = expand(model.transformer, base)
    locations: tuple[str | None, ...] = model.checkpoint or (None,)
    if len(transformers) > 1:
        return [_Written(file.as_posix(), locations[0], file, file.stem) for file in transformers]
    return [_Written(location, location, transformers[0] if transformers else None) for location in locations]


def _find_checkpoint(model: ModelSection, written: _Written, base: Path) -> Checkpoint:
    checkpoint = locate(
        written.checkpoint,
        base,
        tokenizer=model.tokenizer,
        transformer=written.transformer,
        tokenizer_config=model.tokenizer_config,
        transformer_config=model.transformer_config,
        attention=model.attention,
        declared=declared(model),
    )
    if written.name is not None:
        checkpoint = replace(checkpoint, name=written.name)
    if model.mean is not None or model.std is not None:
        checkpoint = with_normalisation(checkpoint, model.mean, model.std)
    return _with_writable_name(checkpoint)


def _with_writable_name(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint, after a check that its name can be written in UTF-8, as the tables need."""
    try:
        checkpoint.name.encode()
    except UnicodeEncodeError:
        raise InputError(f"{one_line(checkpoint.name)}: the name is not valid UTF-8; rename the folder") from None
    return checkpoint


def declared(model: ModelSection) -> Declared:
    """The reading of a lab checkpoint, as declared in a spec."""
    return Declared(model.attention_keys.model_dump(), model.order, model.variant, model.ema)


def require_size(name: str, side: int, test_set: TestSet) -> None:
    """Refuse a checkpoint whose image size differs from the test set's.

    Args:
        name: Name of the checkpoint.
        side: Height and width of its images, in pixels.
        test_set: The images.

    Raises:
        InputError: The sizes differ.
    """
    height, width = test_set.masked.shape[-2:]
    if (height, width) != (side, side):
        raise InputError(f"data: images of {width}×{height}, but checkpoint {name} takes {side}×{side}; resize them")
