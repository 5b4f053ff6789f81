"""The plan: the cells of a spec's grid, the trajectories that they need, and their cost.

Nothing is decoded; of the user's own code, only gamma functions run.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.grid.axes import LAST_STEP, SWEET_SPOT_DEFAULT, Axes, GridSection
from bench.grid.digest import digest
from bench.grid.own_gammas import OwnGammas
from bench.grid.settings import COMPOSE, GAMMA, GAMMA_VALUES, TOTAL_ITER, keyed, setting_names
from bench.grid.settings import settings as all_settings
from maskgit.checkpoints.python_part import is_python
from maskgit.errors import InputError
from maskgit.flops import decoder_flops, encoder_flops, transformer_flops
from maskgit.own_schedules import from_text
from maskgit.rules import RULE_NAMES, Rule, rule_settings
from maskgit.schedules import Schedule, schedule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bench.grid.spec import Spec
    from maskgit.config import TokenizerConfig, TransformerConfig


@dataclass(frozen=True, order=True)
class Trajectory:
    """One decoding run: every setting of decoding. Its cells differ only in sweet spot and composition."""

    checkpoint: str
    gamma: str
    total_iter: int
    rule: Rule
    seed: int
    gamma_values: str = ""

    @property
    def schedule(self) -> Schedule:
        """The gamma function; one of the user's own through its values."""
        return from_text(self.gamma_values) if self.gamma_values else schedule(self.gamma)

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting by name, including those of the rule."""
        before = {"checkpoint": self.checkpoint, "gamma": self.gamma, "total_iter": self.total_iter}
        return {**before, **dict(self.rule.values), "seed": self.seed, GAMMA_VALUES.name: self.gamma_values}

    @property
    def decode_settings(self) -> dict[str, Any]:
        """The settings that keys contain: all except the checkpoint, which enters keys by its weights, not by its name."""
        return keyed({name: value for name, value in self.settings.items() if name != "checkpoint"})

    @property
    def trajectory_id(self) -> str:
        """Readable, unique id: gamma, T and a digest of every setting."""
        return f"{_slug(self.gamma)}-{self.total_iter}-{digest(keyed(self.settings))[:6]}"


@dataclass(frozen=True, order=True)
class Cell:
    """One row of the grid: a trajectory, a sweet spot and a composition."""

    trajectory: Trajectory
    sweet_spot: int
    compose: str

    @property
    def settings(self) -> dict[str, Any]:
        """The settings by name, in the order of the columns."""
        values = {**self.trajectory.settings, "sweet_spot": self.sweet_spot, "compose": self.compose}
        return {name: values[name] for name in setting_names()}

    @property
    def cell_id(self) -> str:
        """Readable, unique id: gamma, T, sweet spot and a digest of every setting, without weights and code."""
        t = self.trajectory
        return f"{_slug(t.gamma)}-{t.total_iter}-{self.sweet_spot}-{digest(keyed(self.settings))[:6]}"


def cell_of(settings: Mapping[str, Any]) -> Cell:
    """The cell with the given settings by name; other names are ignored.

    Raises:
        InputError: A setting has an impossible value.
        KeyError: A setting that has no neutral value is missing.
    """
    neutral = {setting.name: setting.neutral for setting in all_settings() if setting.neutral is not None}
    values = {**neutral, **{name: v.item() if isinstance(v, np.generic) else v for name, v in settings.items()}}
    checked = {setting.name: setting.checked(values[setting.name]) for setting in all_settings()}
    rule = Rule(**{setting.name: checked[setting.name] for setting in rule_settings()})
    trajectory = Trajectory(
        checked["checkpoint"],
        checked["gamma"],
        checked["total_iter"],
        rule,
        checked["seed"],
        checked[GAMMA_VALUES.name],
    )
    return Cell(trajectory, checked["sweet_spot"], checked["compose"])


@dataclass(frozen=True)
class Plan:
    """The cells of a grid, and the work they need."""

    cells: tuple[Cell, ...]

    @property
    def trajectories(self) -> dict[Trajectory, int]:
        """Each trajectory with the last step that any of its cells needs."""
        last: dict[Trajectory, int] = {}
        for cell in self.cells:
            last[cell.trajectory] = max(last.get(cell.trajectory, 0), cell.sweet_spot)
        return last

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """Names of the checkpoints, in order of appearance."""
        return tuple(dict.fromkeys(cell.trajectory.checkpoint for cell in self.cells))

    @property
    def composes(self) -> tuple[str, ...]:
        """Compositions, in order of appearance."""
        return tuple(dict.fromkeys(cell.compose for cell in self.cells))

    def of(self, checkpoint: str) -> Plan:
        """The part of the plan that one checkpoint decodes."""
        return Plan(tuple(cell for cell in self.cells if cell.trajectory.checkpoint == checkpoint))

    @property
    def passes(self) -> int:
        """Transformer passes per image: each trajectory up to its last step; those of a checkpoint share the first pass."""
        shared = len(self.trajectories) - len(self.checkpoints)
        return sum(self.trajectories.values()) - shared

    @property
    def passes_unshared(self) -> int:
        """Transformer passes per image if every cell were decoded separately."""
        return sum(cell.sweet_spot for cell in self.cells)

    @property
    def canvases(self) -> int:
        """Canvases per image to render, at most.

        One-step canvases are the same in all trajectories with one seed and sampling rule, and all compositions share
        one rendering.
        """
        first_steps = {_first_step(cell.trajectory) for cell in self.cells if cell.sweet_spot == 1}
        later = {(cell.trajectory, cell.sweet_spot) for cell in self.cells if cell.sweet_spot > 1}
        return len(first_steps) + len(later)


@dataclass(frozen=True)
class Flops:
    """Floating-point operations per image, for each part of the work (a multiply-add counts as two)."""

    encode: int
    step: int
    render: int

    def total(self, plan: Plan) -> int:
        """Operations per image for all decoding and rendering of a plan."""
        return len(plan.checkpoints) * self.encode + plan.passes * self.step + plan.canvases * self.render


def flops(tokenizer: TokenizerConfig, transformer: TransformerConfig) -> Flops:
    """Cost of a model's parts, computed from its sizes."""
    return Flops(encoder_flops(tokenizer), transformer_flops(transformer), decoder_flops(tokenizer))


def make_plan(spec: Spec, checkpoints: tuple[str, ...], own: OwnGammas | None = None) -> Plan:
    """Enumerate the grid of a spec.

    Args:
        spec: The spec.
        checkpoints: Display names of its checkpoints, unique.
        own: The user's own gamma functions; by default in files relative to the current folder.

    Raises:
        InputError: The grid is empty, a sweet spot is above every total_iter, or a gamma function of the user's own
            cannot be used.
    """
    grid = spec.grid
    own = own or OwnGammas(Path())
    cells = list(_product(grid, grid, checkpoints, spec.run.seeds, own))
    for entry in grid.include:
        cells += _product(entry, grid, checkpoints, spec.run.seeds, own)
    for entry in grid.exclude:
        cells = [cell for cell in cells if not matches(cell, entry)]
    if not cells:
        raise InputError("grid: no cell is left after grid.exclude; remove an entry")
    return Plan(tuple(dict.fromkeys(cells)))


def _product(
    axes: Axes, fallback: GridSection, checkpoints: tuple[str, ...], seeds: tuple[int, ...], own: OwnGammas
) -> Iterator[Cell]:
    """Cells of the product of `axes`; an axis that is left out comes from `fallback`, then from the defaults."""

    def values(name: str, default: Any) -> tuple[Any, ...]:
        return getattr(axes, name) or getattr(fallback, name) or (default,)

    spots = axes.sweet_spot or fallback.sweet_spot or SWEET_SPOT_DEFAULT
    totals = values("total_iter", TOTAL_ITER.default)
    _check_reachable(spots, totals)
    for checkpoint, seed, rule, gamma, total_iter in itertools.product(
        checkpoints, seeds, values("rule", RULE_NAMES[0]), values("gamma", GAMMA.default), totals
    ):
        ruled = {setting.name: values(setting.name, setting.default_in(rule)) for setting in rule_settings()}
        for combination in itertools.product(*ruled.values()):
            chosen = Rule(**dict(zip(ruled, combination, strict=True)))
            trajectory = Trajectory(checkpoint, gamma, total_iter, chosen, seed, own.text(gamma, total_iter))
            for spot, compose in itertools.product(_steps(spots, total_iter), values("compose", COMPOSE.default)):
                yield Cell(trajectory, spot, compose)


def _check_reachable(spots: Any, totals: tuple[int, ...]) -> None:
    if spots == "all":
        return
    beyond = [spot for spot in spots if isinstance(spot, int) and spot > max(totals)]
    if beyond:
        raise InputError(
            f"grid.sweet_spot: {beyond[0]} is above every total_iter (the largest is {max(totals)}); lower it"
        )


def _steps(spots: Any, total_iter: int) -> list[int]:
    """Sweet spots as steps of a T-step schedule: spots above T are dropped; fractions round half up, to at least 1."""
    if spots == "all":
        return list(range(1, total_iter + 1))
    numbered = (total_iter if spot == LAST_STEP else spot for spot in spots)
    steps = [max(1, int(spot * total_iter + 0.5)) if isinstance(spot, float) else spot for spot in numbered]
    return sorted({step for step in steps if step <= total_iter})


def matches(cell: Cell, named: Axes) -> bool:
    """True if a cell agrees with every setting that the axes name."""
    settings = cell.settings
    for name in named.model_fields_set:
        values = getattr(named, name)
        if values is None:  # an axis that is not named, in a spec read back from JSON
            continue
        if name == "sweet_spot":
            if cell.sweet_spot not in _steps(values, cell.trajectory.total_iter):
                return False
        elif name == "rule":
            if not any(_follows(cell, rule) for rule in values):
                return False
        elif settings[name] not in values:
            return False
    return True


def _follows(cell: Cell, rule: str) -> bool:
    """True if a cell has the defaults of a named rule, in the settings in which named rules differ."""
    return all(
        cell.trajectory.rule[setting] == setting.default_in(rule) for setting in rule_settings() if setting.in_rules
    )


def _first_step(trajectory: Trajectory) -> tuple[Any, ...]:
    """Settings that the canvas of step 1 depends on: none that affect confidence or the schedule."""
    return (trajectory.checkpoint, trajectory.seed, trajectory.rule.of_one_step())


def _slug(gamma: str) -> str:
    """A gamma function as part of an id, which is also used in file names: power2.5, or the name of the user's function.

    Only the digest covers the values of a table.
    """
    if is_python(gamma):
        return gamma.rpartition(":")[2]
    return gamma.partition(":")[0] if "," in gamma else gamma.replace(":", "")
