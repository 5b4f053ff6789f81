"""The identity of a run that is about to start, and what it means for its folder (no torch)."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from bench.features.sources import resolve_all
from bench.grid.own_gammas import recorded
from bench.results.identity import Image, Relation, RunIdentity, code_versions, relation
from bench.results.record import NumericsRecord
from maskgit.checkpoints.locate import is_undeclared
from maskgit.data.dedup import digests
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench.audit.copies import Audit
    from bench.features.sources import Source
    from bench.grid.spec import Spec
    from bench.run.blocks import Block
    from bench.run.inputs import Inputs
    from bench.store.keys import Numerics


def identify(
    written: Spec,
    base: str,
    inputs: Inputs,
    fingerprints: Mapping[str, str],
    sources: Iterable[Source],
    numerics: Numerics,
    blocks: Sequence[Block],
    copies: Audit | None = None,
) -> RunIdentity:
    """The identity of a run.

    Args:
        written: The spec, with paths as written.
        base: Folder that relative paths of the spec start from, relative to the run folder.
        inputs: The inputs.
        fingerprints: Fingerprint of every checkpoint, by name.
        sources: The extractors.
        numerics: Everything that may change the last bit of a network's output.
        blocks: The test set.
        copies: The test images that are in training folders; None: unknown.
    """
    trained: Sequence[bool | None] = [None] * len(inputs.test_set.image_ids)
    if copies is not None and copies.folders:
        trained = copies.in_training.tolist()
    flags = dict(zip(inputs.test_set.image_ids.tolist(), trained, strict=True))
    return RunIdentity(
        gammas=recorded(inputs.plan.trajectories),
        spec=written.model_dump(mode="json"),
        base=base,
        checkpoints=dict(fingerprints),
        features={source.name: source.fingerprint for source in sources},
        numerics=NumericsRecord(**asdict(numerics)),
        versions=code_versions(),
        external={name: tuple(digests(images)) for name, images in inputs.external.items()},
        blocks=tuple(
            tuple(
                Image(image_id=image_id, pixels=pixels, truth=truth, in_training=flags[image_id])
                for image_id, pixels, truth in zip(*vars(block.identity).values(), strict=True)
            )
            for block in blocks
        ),
    )


def outlook(
    written: Spec, base: str, inputs: Inputs, numerics: Numerics, blocks: Sequence[Block], earlier: RunIdentity | None
) -> Relation:
    """What a run would do with a folder that holds the run `earlier`, judged without loading a model or training images."""
    weights = {name: checkpoint.fingerprint for name, checkpoint in inputs.checkpoints.items()}
    try:
        metrics = written.metrics
        sources = resolve_all(metrics.features, metrics.weights, metrics.allow_unverified_weights)
    except InputError:  # weights that a run would download, or refuse
        sources = ()
    now = identify(written, base, inputs, weights, sources, numerics, blocks)
    return relation(earlier, _assuming_unknown(now, earlier) if earlier else now)


def _assuming_unknown(now: RunIdentity, earlier: RunIdentity) -> RunIdentity:
    """An identity in which what only a run finds out is as before: the user's own models, extractors, training images."""
    names = list(now.features or now.spec["metrics"]["features"])
    features = {name: now.features.get(name) or earlier.features.get(name, "") for name in names}
    now = now.model_copy(update={"features": features})
    own = {
        name: earlier.checkpoints.get(name, fingerprint) if is_undeclared(fingerprint) else fingerprint
        for name, fingerprint in now.checkpoints.items()
    }
    if now.spec["data"]["train"] != earlier.spec["data"]["train"]:
        return now.model_copy(update={"checkpoints": own})
    known = earlier.images
    blocks = tuple(
        tuple(
            image.model_copy(update={"in_training": known[image.image_id].in_training})
            if image.image_id in known
            else image
            for image in block
        )
        for block in now.blocks
    )
    return now.model_copy(update={"checkpoints": own, "blocks": blocks})
