"""The settings that distinguish cells: those of the decoding rule, and those that the grid adds to them.

Every `maskgit.rules.Setting` is an axis of `grid.toml` and a column of cells.parquet, of its type. Trajectories, cells,
tables and reports know settings only through this module.
"""

from __future__ import annotations

from typing import Any

from maskgit.rules import Setting, rule_settings

CHECKPOINT = Setting("checkpoint", str, "Name of the checkpoint that decodes.", layer="model")
GAMMA = Setting(
    "gamma",
    str,
    "Mask schedule γ(r): share of the hole still masked after a fraction r of the steps; a name, power:k, table: with"
    " values of γ from 1 down to 0, as in table:1,0.8,0.3,0, or your own python:./file.py:function.",
    default="cosine",
)
TOTAL_ITER = Setting("total_iter", int, "Number of steps T in the schedule.", default=8, at_least=1)
SWEET_SPOT = Setting("sweet_spot", int, "Step after which decoding stops, 1 ≤ s ≤ T.", layer="render", at_least=1)
COMPOSE = Setting(
    "compose",
    str,
    "Composition: paste puts the known pixels of the image over the rendered ones; none leaves the image as rendered.",
    default="none",
    layer="render",
    choices=("none", "paste"),
)
SEED = Setting("seed", int, "Seed of the noise.", default=0, at_least=0, bits=64)
GAMMA_VALUES = Setting(
    "gamma_values",
    str,
    "γ at r = 0, 1/T, …, 1 of a gamma function of the user's own; empty for all others, whose names say it all.",
    default="",
    neutral="",
)
IN_EVERY_TABLE = ("gamma", "total_iter", "sweet_spot")
"""The axes of a score table; every combination of the other axes has its own tables."""


def settings() -> tuple[Setting[Any], ...]:
    """Every setting, in the order of the columns."""
    return (CHECKPOINT, GAMMA, TOTAL_ITER, SWEET_SPOT, *rule_settings(), COMPOSE, SEED, GAMMA_VALUES)


def setting_names() -> tuple[str, ...]:
    """The names of every setting, in the order of the columns."""
    return tuple(setting.name for setting in settings())


def axes_except(*names: str) -> tuple[str, ...]:
    """The names of the settings that are not axes of a score table, except `names` and what follows from gamma and T."""
    return tuple(name for name in setting_names() if name not in (*IN_EVERY_TABLE, GAMMA_VALUES.name, *names))


def keyed(values: dict[str, Any]) -> dict[str, Any]:
    """The values that enter ids and keys: settings declared after the first release count only if they are not neutral."""
    neutral = {setting.name: setting.neutral for setting in settings() if setting.neutral is not None}
    return {name: value for name, value in values.items() if name not in neutral or value != neutral[name]}
