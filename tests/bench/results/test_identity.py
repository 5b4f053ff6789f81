"""A run is resumed, added to or refused by what it was asked for and measured, and by nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bench.grid.spec import parse_spec
from bench.results.identity import (
    AMEND,
    IDENTITY_FILE,
    NEW,
    REFUSE,
    RESUME,
    Image,
    RunIdentity,
    code_versions,
    read_identity,
    relation,
    require_continuation,
    write_identity,
)
from bench.results.record import NumericsRecord
from maskgit.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

NUMERICS = NumericsRecord(device="cpu", precision="float32", tile=4, torch="2.12", threads=2)


def image(number: int, **changes: Any) -> Image:
    return Image(image_id=number, pixels=f"{number:064x}", truth=f"{number:063x}t", **changes)


def an_identity(
    sections: dict[str, dict[str, Any]] | None = None,
    blocks: tuple[tuple[Image, ...], ...] = ((image(0), image(1)), (image(2), image(3))),
    checkpoints: tuple[str, ...] = ("tiny",),
    features: tuple[str, ...] = ("lite0",),
    **fields: Any,
) -> RunIdentity:
    raw: dict[str, dict[str, Any]] = {
        "model": {"checkpoint": "tiny"},
        "data": {"dataset": "catfaces", "count": 4},
        "grid": {"gamma": ["cosine", "square"], "total_iter": 4, "sweet_spot": [2, 4]},
    }
    for section, values in (sections or {}).items():
        raw[section] = {**raw.get(section, {}), **values}
    content = {
        "spec": parse_spec(raw, "test").model_dump(mode="json"),
        "base": ".",
        "checkpoints": {name: f"sha256:{name}-weights" for name in checkpoints},
        "features": {name: f"{name}-1:weights" for name in features},
        "numerics": NUMERICS,
        "versions": code_versions(),
        "blocks": blocks,
        **fields,
    }
    return RunIdentity(**content)


SAME = {
    "name": an_identity({"run": {"name": "mine"}}),
    "speed": an_identity({"throughput": {"repeats": 9}}),
    "gate": an_identity({"gate": {"tolerance": 0.5}}),
    "blocks": an_identity({"execution": {"batch_size": 1}}, blocks=((image(0), image(1), image(2), image(3)),)),
    "store": an_identity({"execution": {"store": "elsewhere"}}),
    "order of values": an_identity({"grid": {"gamma": ["square", "cosine"], "sweet_spot": [4, 2]}}),
}
MORE = {
    "gamma": (an_identity({"grid": {"gamma": ["cosine", "linear", "square"]}}), "cells: 4 → 6"),
    "sweet spot": (an_identity({"grid": {"sweet_spot": [1, 2, 4]}}), "cells: 4 → 6"),
    "seed": (an_identity({"run": {"seeds": [0, 1]}}), "cells: 4 → 8"),
    "setting": (an_identity({"grid": {"choice_temperature": [4.5, 9.0]}}), "cells: 4 → 8"),
    "checkpoint": (an_identity(checkpoints=("tiny", "other")), "cells: 4 → 8"),
    "extractor": (an_identity(features=("lite0", "inception")), "metrics.features: 1 → 2"),
    "metric": (an_identity({"metrics": {"extra": ["mind"]}}), "metrics.extra: 0 → 1"),
    "images": (an_identity(blocks=((image(0), image(1), image(2), image(3)), (image(4),))), "images: 4 → 5"),
    "external": (an_identity(external={"mine": ("a",) * 4}), "external: 0 → 1"),
}
OTHER = {
    "gamma": (an_identity({"grid": {"gamma": "cosine"}}), "grid.gamma: cosine, square → cosine"),
    "rule": (an_identity({"grid": {"choice_temperature": 9.0}}), "grid.choice_temperature: 4.5 → 9.0"),
    "seed": (an_identity({"run": {"seeds": [1]}}), "run.seeds: 0 → 1"),
    "cells": (
        an_identity({"grid": {"exclude": [{"gamma": "square", "sweet_spot": 2}]}}),
        "grid: 4 cells → 3, without 1 cell (square-4-2-",
    ),
    "checkpoint": (an_identity(checkpoints=("other",)), "model.checkpoint: tiny → other"),
    "weights": (
        an_identity().model_copy(update={"checkpoints": {"tiny": "1" * 64}}),
        "model.checkpoint tiny: -weights → 1111",
    ),
    "limit": (
        an_identity({"data": {"limit": 3}}, blocks=((image(0), image(1)), (image(2),))),
        "data: 4 images → 3, data.limit: none → 3, without 1 image (3)",
    ),
    "pixel": (
        an_identity(blocks=((image(0), image(1)), (image(2), image(3).model_copy(update={"pixels": "f" * 64})))),
        "data: 1 image (3) changed, sha256 00000000 → ffffffff",
    ),
    "primary extractor": (an_identity(features=("inception", "lite0")), "metrics.features: lite0 → inception, lite0"),
    "extractor": (
        an_identity().model_copy(update={"features": {"lite0": "lite0-2:weights"}}),
        "metrics.features lite0: ",
    ),
    "threads": (an_identity(numerics=NUMERICS.model_copy(update={"threads": 1})), "execution.threads: 2 → 1"),
    "version": (an_identity(versions={**code_versions(), "algorithm": 99}), "algorithm version: 1 → 99"),
}  # fmt: skip


def test_an_empty_folder_takes_any_run() -> None:
    assert relation(None, an_identity()).action == NEW


@pytest.mark.parametrize("name", SAME)
def test_what_does_not_change_a_score_resumes(name: str) -> None:
    assert relation(an_identity(), SAME[name]).action == RESUME
    assert SAME[name].hash == an_identity().hash


@pytest.mark.parametrize("name", MORE)
def test_more_of_anything_is_added_and_less_is_refused(name: str, tmp_path: Path) -> None:
    more, change = MORE[name]
    added = relation(an_identity(), more)
    assert added.action == AMEND
    assert change in added.changes
    assert more.hash != an_identity().hash
    require_continuation(tmp_path, added)
    assert relation(more, an_identity()).action == REFUSE


@pytest.mark.parametrize("name", OTHER)
def test_another_run_is_refused_by_key_and_values(name: str, tmp_path: Path) -> None:
    other, change = OTHER[name]
    related = relation(an_identity(), other)
    assert related.action == REFUSE
    with pytest.raises(InputError) as refusal:
        require_continuation(tmp_path, related)
    text = str(refusal.value)
    assert change in text
    assert "--output" in text
    assert "--replace" in text
    assert "\n" not in text
    assert other.hash != an_identity().hash


def test_a_model_without_a_fingerprint_is_the_same_one() -> None:
    once, again = (an_identity().model_copy(update={"checkpoints": {"tiny": f"undeclared-{n}"}}) for n in (1, 2))
    assert relation(once, again).action == RESUME
    assert once.hash == again.hash


def test_a_checkpoint_may_be_renamed_when_another_joins_it() -> None:
    """The text of grid.toml is shown where the names of two checkpoints collide."""
    weights = an_identity().checkpoints["tiny"]
    both = an_identity().model_copy(update={"checkpoints": {"./good": weights, "./other": "sha256:other-weights"}})
    assert relation(an_identity(), both).changes == ("cells: 4 → 8", "checkpoints: 1 → 2")


def test_an_identity_is_read_back(tmp_path: Path) -> None:
    assert read_identity(tmp_path) is None
    write_identity(tmp_path, an_identity())
    assert read_identity(tmp_path) == an_identity()


def test_an_edited_identity_is_refused(tmp_path: Path) -> None:
    write_identity(tmp_path, an_identity())
    path = tmp_path / IDENTITY_FILE
    for damaged in (path.read_text().replace("cosine", "linear"), "{", "[]"):
        path.write_text(damaged)
        with pytest.raises(InputError, match=r"identity\.json: damaged .*--replace"):
            read_identity(tmp_path)
