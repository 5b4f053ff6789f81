"""Identity of a run: what was asked for and measured, in the ingredients of the keys of its stored work (no torch).

Two runs with the same identity need the same stored work and give the same scores. Speeds, names, the gate's rules, the
size of blocks and the place of the store do not count. A run folder records its identity in `identity.json` before any
work, so that a later command resumes it, adds to it, or is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from bench.errors import IncompleteRunError
from bench.grid.digest import digest
from bench.grid.own_gammas import OwnGammas, recorded
from bench.grid.plan import Cell, Plan, cell_of, make_plan
from bench.grid.settings import keyed, setting_names
from bench.grid.spec import Spec, parse_spec
from bench.results.folder import open_run
from bench.results.joins import some
from bench.results.record import Entry, NumericsRecord, read_sealed, write_sealed
from bench.store.keys import ALGORITHM_VERSION, METRIC_VERSION, PIXELS_VERSION, BlockIdentity
from maskgit.checkpoints.locate import is_undeclared
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

IDENTITY_FILE = "identity.json"
AXIS_KEYS = {"checkpoint": "model.checkpoint", "seed": "run.seeds", "gamma_values": "values of grid.gamma"}
"""Keys of grid.toml for the settings that are not in its section [grid]."""
DIGITS = 8  # of a digest in a message
NEW, RESUME, AMEND, REFUSE = "new", "resume", "amend", "refuse"


class Image(Entry):
    """One test image: its id, the digests of its pixels and of its ground truth, and whether it is in a training folder."""

    image_id: int
    pixels: str
    truth: str
    in_training: bool | None = None


class RunIdentity(Entry):
    """What a run was asked for and measured.

    Attributes:
        spec: The grid.toml with every default, paths as written.
        base: Folder that relative paths of the spec start from, relative to the run folder.
        checkpoints: Fingerprint by name.
        features: Fingerprint by extractor, the primary one first.
        numerics: Everything that may change the last bit of a network's output; None in runs that did not record it.
        versions: Versions of the code that a number depends on, by name.
        external: Digests of the images of other programs, by row.
        blocks: The test images, block by block, in order of id.
        gammas: Values of the user's own gamma functions, by name and T.
    """

    schema_version: Literal[1] = Field(default=1, alias="schema")
    spec: dict[str, Any]
    base: str
    checkpoints: dict[str, str]
    features: dict[str, str]
    numerics: NumericsRecord | None
    versions: dict[str, int]
    external: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    blocks: tuple[tuple[Image, ...], ...]
    gammas: dict[str, dict[int, str]] = Field(default_factory=dict)

    @property
    def parsed_spec(self) -> Spec:
        """The spec."""
        return parse_spec(self.spec, IDENTITY_FILE)

    @property
    def plan(self) -> Plan:
        """The cells."""
        return make_plan(self.parsed_spec, tuple(self.checkpoints), OwnGammas(None, {**self.gammas}))

    @property
    def extra(self) -> tuple[str, ...]:
        """The metrics that were asked for in addition to those of every run."""
        return tuple(self.spec.get("metrics", {}).get("extra", ()))

    @property
    def images(self) -> dict[int, Image]:
        """The test images by id."""
        return {image.image_id: image for image in chain.from_iterable(self.blocks)}

    @property
    def block_ids(self) -> tuple[tuple[int, ...], ...]:
        """Ids of the images of every block."""
        return tuple(tuple(image.image_id for image in block) for block in self.blocks)

    @property
    def block_identities(self) -> tuple[BlockIdentity, ...]:
        """The blocks, for keys."""
        return tuple(
            BlockIdentity(ids, tuple(image.pixels for image in block), tuple(image.truth for image in block))
            for ids, block in zip(self.block_ids, self.blocks, strict=True)
        )

    @property
    def hash(self) -> str:
        """Digest of everything that counts."""
        return digest(
            {
                "cells": sorted(digest(keyed(cell.settings)) for cell in self.plan.cells),
                "checkpoints": {name: _comparable(fingerprint) for name, fingerprint in self.checkpoints.items()},
                "features": list(self.features.items()),
                "extra": sorted(self.extra),
                "numerics": self.numerics.model_dump() if self.numerics else None,
                "versions": self.versions,
                "external": self.external,
                "images": [image.model_dump() for image in self.images.values()],
            }
        )


@dataclass(frozen=True)
class Relation:
    """What a command would do with a run folder.

    Attributes:
        action: new, resume, amend or refuse.
        changes: The differences, each as `key: old → new`: additions if the action is amend, otherwise conflicts.
    """

    action: str
    changes: tuple[str, ...] = ()


def code_versions() -> dict[str, int]:
    """Versions of the code that a number depends on, by name."""
    return {"algorithm": ALGORITHM_VERSION, "pixels": PIXELS_VERSION, "metric": METRIC_VERSION}


def write_identity(folder: Path, identity: RunIdentity) -> None:
    """Record the identity of the run that a folder is for."""
    write_sealed(folder / IDENTITY_FILE, {**identity.model_dump(mode="json", by_alias=True), "identity": identity.hash})


def read_identity(folder: Path) -> RunIdentity | None:
    """The identity of the run in a folder; None if there is no run, or one of an earlier version whose tables are damaged.

    Raises:
        InputError: identity.json is damaged, and so is the run.
    """
    path = folder / IDENTITY_FILE
    try:
        return RunIdentity.model_validate(read_sealed(path))
    except FileNotFoundError:
        return _of_finished(folder)
    except ValueError as error:
        damage = str(next(iter(str(error).splitlines()), error))
    except InputError as error:
        damage = str(error)
    if (finished := _of_finished(folder)) is None:
        raise InputError(f"{path}: damaged ({damage}); --replace runs without it, --output names another folder")
    return finished


def relation(earlier: RunIdentity | None, now: RunIdentity) -> Relation:
    """What a command with the identity `now` does with a folder that holds the run `earlier`."""
    if earlier is None:
        return Relation(NEW)
    renamed = _renamed(earlier, now)
    if conflicts := tuple(_conflicts(renamed, now)):
        return Relation(REFUSE, conflicts)
    additions = tuple(_additions(renamed, now))
    return Relation(AMEND if additions else RESUME, additions)


def require_continuation(folder: Path, related: Relation) -> None:
    """Refuse a run that would replace another one.

    Raises:
        InputError: The folder holds another run; the message names the first difference.
    """
    if related.action == REFUSE:
        first, *rest = related.changes
        more = f", and {len(rest)} more" if rest else ""
        raise InputError(
            f"{folder}: holds another run ({first}{more}); --output names another folder, --replace replaces its tables"
        )


# --- differences ----------------------------------------------------------------------------------------------------


def _conflicts(earlier: RunIdentity, now: RunIdentity) -> Iterator[str]:
    """Everything that the earlier run has and the other one lacks or has otherwise."""
    yield from _lost_cells(earlier.plan.cells, now.plan.cells)
    yield from _lost_images(earlier, now)
    yield from _changed("model.checkpoint", earlier.checkpoints, now.checkpoints)
    old, new = list(earlier.features), list(now.features)
    if not set(old) <= set(new) or old[:1] != new[:1]:
        yield f"metrics.features: {_listed(old)} → {_listed(new)}"
    if set(earlier.extra) - set(now.extra):
        yield f"metrics.extra: {_listed(earlier.extra)} → {_listed(now.extra)}"
    yield from _changed("metrics.features", earlier.features, now.features)
    if earlier.numerics is not None and now.numerics is not None:
        ours, theirs = earlier.numerics.model_dump(), now.numerics.model_dump()
        yield from (f"execution.{name}: {ours[name]} → {theirs[name]}" for name in ours if ours[name] != theirs[name])
    for name, version in earlier.versions.items():
        if version != now.versions.get(name, version):
            yield f"{name} version: {version} → {now.versions[name]}"
    if lost := [name for name in earlier.external if name not in now.external]:
        yield f"external: {_listed(earlier.external)} → {_listed(now.external)} ({lost[0]} is gone)"
    for name in earlier.external.keys() & now.external.keys():
        if now.external[name][: len(earlier.external[name])] != earlier.external[name]:
            yield f"external {name}: its images changed"


def _renamed(earlier: RunIdentity, now: RunIdentity) -> RunIdentity:
    """The earlier run with today's names of its checkpoints: a name may change when another checkpoint joins them."""
    by_weights = {fingerprint: name for name, fingerprint in reversed(now.checkpoints.items())}
    names = {
        name: name if name in now.checkpoints else by_weights.get(fingerprint, name)
        for name, fingerprint in earlier.checkpoints.items()
    }
    return earlier.model_copy(update={"checkpoints": {names[n]: f for n, f in earlier.checkpoints.items()}})


def _lost_cells(earlier: Iterable[Cell], now: Iterable[Cell]) -> Iterator[str]:
    """Axes that lack a value of the lost cells; without any, the number of cells and the first lost one."""
    earlier, now = list(earlier), list(now)
    kept = {digest(keyed(cell.settings)) for cell in now}
    lost = [cell for cell in earlier if digest(keyed(cell.settings)) not in kept]
    axes = [name for name in setting_names() if _values(earlier, name).keys() - _values(now, name).keys()]
    if not lost:
        return
    for name in axes:
        yield f"{AXIS_KEYS.get(name, f'grid.{name}')}: {_listed(_values(earlier, name))} → {_listed(_values(now, name))}"
    if not axes:
        yield f"grid: {len(earlier)} cells → {len(now)}, without {some([cell.cell_id for cell in lost], 'cell')}"


def _lost_images(earlier: RunIdentity, now: RunIdentity) -> Iterator[str]:
    old, new = earlier.images, now.images
    limits = [identity.spec.get("data", {}).get("limit") for identity in (earlier, now)]
    limit = f", data.limit: {_said(limits[0])} → {_said(limits[1])}" if limits[0] != limits[1] else ""
    if lost := [image_id for image_id in old if image_id not in new]:
        yield f"data: {len(old)} images → {len(new)}{limit}, without {some(lost, 'image')}"
    common = [image_id for image_id in old if image_id in new]
    changed = [i for i in common if (old[i].pixels, old[i].truth) != (new[i].pixels, new[i].truth)]
    if changed:
        first = changed[0]
        pair = [old[first], new[first]] if old[first].pixels != new[first].pixels else None
        digests = [image.pixels if pair else image.truth for image in (old[first], new[first])]
        yield f"data: {some(changed, 'image')} changed, sha256 {digests[0][:DIGITS]} → {digests[1][:DIGITS]}"
    trained = [i for i in common if old[i].in_training is not None and old[i].in_training != new[i].in_training]
    if trained:
        yield f"data.train: {some(trained, 'image')} in it before or now only"


def _additions(earlier: RunIdentity, now: RunIdentity) -> Iterator[str]:
    """Everything that the earlier run lacks, given that there are no conflicts."""
    for name, old, new in (
        ("cells", len(earlier.plan.cells), len(now.plan.cells)),
        ("images", len(earlier.images), len(now.images)),
        ("checkpoints", len(earlier.checkpoints), len(now.checkpoints)),
        ("metrics.features", len(earlier.features), len(now.features)),
        ("metrics.extra", len(earlier.extra), len(now.extra)),
        ("external", len(earlier.external), len(now.external)),
    ):
        if old != new:
            yield f"{name}: {old} → {new}"
    if earlier.spec.get("data", {}).get("train") != now.spec.get("data", {}).get("train"):
        yield "data.train: given"


def _changed(key: str, earlier: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """Names with another fingerprint."""
    for name, fingerprint in earlier.items():
        if name in now and _comparable(fingerprint) != _comparable(now[name]):
            yield f"{key} {name}: {fingerprint[-DIGITS:]} → {now[name][-DIGITS:]}"


def _comparable(fingerprint: str) -> str:
    """The fingerprint; that of a model that declares none is a new one every time."""
    return "undeclared" if is_undeclared(fingerprint) else fingerprint


def _values(cells: Iterable[Cell], name: str) -> dict[Any, None]:
    return dict.fromkeys(cell.settings[name] for cell in cells)


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(map(str, values)) or "none"


def _said(value: object) -> object:
    return "none" if value is None else value


# --- runs of earlier versions ---------------------------------------------------------------------------------------


def _of_finished(folder: Path) -> RunIdentity | None:
    """The identity in the tables of a finished run; None if there are none that can be read."""
    try:
        run = open_run(folder)
        rows = run.table("test_set", ("block", "pixels_sha256", "truth_sha256")).to_pandas().sort_values("image_id")
        gammas = recorded(cell_of(row).trajectory for row in run.table("cells", setting_names()).to_pylist())
    except (InputError, IncompleteRunError):
        return None
    blocks: dict[int, list[Image]] = {}
    for row in rows.to_dict("records"):
        trained = row.get("in_training")
        image = Image(
            image_id=int(row["image_id"]),
            pixels=row["pixels_sha256"],
            truth=row["truth_sha256"],
            in_training=None if trained is None or trained != trained else bool(trained),
        )
        blocks.setdefault(int(row["block"]), []).append(image)
    record = run.record
    identity = RunIdentity(
        spec=record.spec,
        base=record.base,
        checkpoints={entry.name: entry.fingerprint for entry in record.checkpoints},
        features={entry.name: entry.fingerprint for entry in record.features},
        numerics=record.numerics,
        versions={} if record.metrics.version is None else {"metric": record.metrics.version},
        blocks=tuple(map(tuple, blocks.values())),
        gammas=gammas,
    )
    try:
        identity.plan  # noqa: B018
    except InputError:  # a setting that this version does not have
        return None
    return identity
