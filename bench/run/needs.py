"""The stored work that a run needs: every key, from its identity alone (no torch)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.run.references import EXTERNAL, available_painters, decoded_trajectories, recipe_with
from bench.store.keys import (
    Numerics,
    feature_key,
    model_key,
    painted_key,
    pixels_key,
    reference_key,
    trajectory_key,
    truth_likelihood_key,
    truth_tokens_key,
)
from bench.store.kinds import FEATURES, PAINTED, PIXELS, REFERENCE, TRAJECTORIES, TRUTH_LIKELIHOOD, TRUTH_TOKENS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.grid.plan import Trajectory
    from bench.results.identity import RunIdentity
    from bench.store.keys import BlockIdentity


@dataclass(frozen=True)
class Need:
    """One key of stored work.

    Attributes:
        kind: Kind of work.
        key: Its key.
        block: Number of the block, from 0.
        of: What the work belongs to: a checkpoint, an extractor or a reference row, and a trajectory.
        last_step: For a trajectory: the last step that is needed.
    """

    kind: str
    key: str
    block: int
    of: str
    last_step: int | None = None


def needs(identity: RunIdentity) -> Iterator[Need]:
    """All stored work of a run; none for a run of an earlier version that did not record its numerics."""
    if identity.numerics is None:
        return
    numerics = Numerics(**identity.numerics.model_dump())
    plan, start = identity.plan, 0
    trajectories = {name: decoded_trajectories(plan.of(name)) for name in identity.checkpoints}
    for number, block in enumerate(identity.block_identities):
        rows = slice(start, start := start + len(block.image_ids))
        yield from _of_any_model(identity, number, block, numerics, rows)
        for name, fingerprint in identity.checkpoints.items():
            key = model_key(fingerprint, block, numerics)
            yield Need(TRUTH_TOKENS, truth_tokens_key(fingerprint, block, numerics), number, name)
            yield Need(TRUTH_LIKELIHOOD, truth_likelihood_key(key, block), number, name)
            yield from _decoded(trajectories[name], key, block, number, name)
            for extractor, weights in identity.features.items():
                yield Need(FEATURES, feature_key(key, weights), number, f"{name}, {extractor}")
            yield Need(PIXELS, pixels_key(key, block), number, name)


def _decoded(
    trajectories: dict[Trajectory, int], key: str, block: BlockIdentity, number: int, of: str
) -> Iterator[Need]:
    for trajectory, last in trajectories.items():
        own = trajectory_key(key, block, trajectory.decode_settings)
        yield Need(TRAJECTORIES, own, number, f"{of}, {trajectory.trajectory_id}", last)


def _of_any_model(
    identity: RunIdentity, number: int, block: BlockIdentity, numerics: Numerics, rows: slice
) -> Iterator[Need]:
    recipes = {name: recipe_with(name, ()) for name in available_painters()}
    for name, digests in identity.external.items():
        recipes[f"{EXTERNAL}{name}"] = recipe_with(f"{EXTERNAL}{name}", digests[rows])
    for extractor, weights in identity.features.items():
        yield Need(REFERENCE, reference_key(block, weights, numerics), number, extractor)
        for name, recipe in recipes.items():
            yield Need(PAINTED, painted_key(recipe, block, weights, numerics), number, f"{name}, {extractor}")
