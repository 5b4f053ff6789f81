"""Decoding rules: how a step draws tokens and which it keeps, as settings that are declared here and nowhere else.

A `Setting` says all there is to know of one setting. The keys of `grid.toml`, their checks and defaults, the columns of
the tables, the settings of a trajectory and the documentation follow from `rule_settings()`. `declare` adds a setting,
from outside the package too (see CONTRIBUTING.md): before `bench` is imported, since the keys of `grid.toml` are made
then. The functions that a setting chooses from are dictionaries of this module, which the caller may add to as well.

Imports no torch by itself: the names of samplers are needed where no token is drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, cast

import numpy as np

from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from numpy.typing import NDArray
    from torch import Tensor

T = TypeVar("T", bool, int, float, str)
Layer = Literal["model", "trajectory", "render"]


@dataclass(frozen=True)
class Setting(Generic[T]):
    """A setting that distinguishes cells of a grid.

    Attributes:
        name: Key in `grid.toml`, column of cells.parquet.
        kind: Type of its values.
        meaning: What it does, in one sentence for the documentation.
        default: Value if none is given.
        layer: Stage that a change affects: the model's tokens, the trajectory, or the rendering.
        in_rules: Defaults under a named rule other than the first, where they differ.
        choices: The known values of a text; None where any is allowed.
        at_least: Smallest number allowed.
        above: Number that a value must exceed.
        idle: Value in a trajectory of one step, where the setting does nothing; None if it acts in every step.
        neutral: Value that decodes as if the setting did not exist, and is left out of ids and keys: what was stored
            before the setting was declared stays valid. None for the settings of the first release, which every key holds.
        bits: Width of its column, for whole numbers.
    """

    name: str
    kind: type[T]
    meaning: str
    default: T | None = None
    layer: Layer = "trajectory"
    in_rules: Mapping[str, T] = field(default_factory=dict)
    choices: Collection[str] | None = None
    at_least: float | None = None
    above: float | None = None
    idle: T | None = None
    neutral: T | None = None
    bits: int = 32

    def default_in(self, rule: str) -> T:
        """The default under a named rule.

        Raises:
            ValueError: The setting has none.
        """
        value = self.in_rules.get(rule, self.default)
        if value is None:
            raise ValueError(f"{self.name} has no default")
        return value

    def checked(self, value: Any) -> T:
        """A value of the right type and in range.

        Raises:
            InputError: It is not; the message names valid values.
        """
        if self.choices is not None and value not in self.choices:
            raise InputError(f"{self.name} = {value!r}: no such choice; use one of {', '.join(self.choices)}")
        if self.kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not self.kind:
            raise InputError(f"{self.name} = {value!r}: expected {self.kind.__name__}")
        if isinstance(value, int | float) and not self._in_range(value):
            bound = f" above {self.above:g}" if self.above is not None else ""
            bound = f", {self.at_least:g} or above" if self.at_least is not None else bound
            raise InputError(f"{self.name} = {value}: must be a number{bound}")
        return value

    def _in_range(self, value: float) -> bool:
        low_enough = self.at_least is None or value >= self.at_least
        return math.isfinite(value) and low_enough and (self.above is None or value > self.above)


# What the settings choose from.


def categorical(logits: Tensor, uniform: Tensor, rule: Rule) -> Tensor:
    """Draw from the softmax by inverse CDF: the smallest k with CDF_k > u.

    Args:
        logits: (..., V), computed on in float64.
        uniform: (...) in [0, 1).
        rule: Not used.

    Returns:
        (...) int64 in [0, V).
    """
    import torch  # here, because this module is also imported where nothing is decoded

    cdf = logits.double().softmax(-1).cumsum(-1)
    cdf = cdf / cdf[..., -1:]  # ends at exactly 1, so that every u < 1 finds its code
    return torch.searchsorted(cdf, uniform.double().unsqueeze(-1), right=True).squeeze(-1)


def argmax(logits: Tensor, uniform: Tensor, rule: Rule) -> Tensor:
    """The most probable code, independent of the uniform: (..., V) to (...) int64; ties: the first."""
    return logits.argmax(-1)


SAMPLERS: dict[str, Callable[[Tensor, Tensor, Rule], Tensor]] = {"categorical": categorical, "argmax": argmax}
"""Logits of the codes (..., V), uniforms (...) and the rule, whose other settings a sampler may read, to codes (...)."""

CONFIDENCES: dict[str, Callable[[Tensor], Tensor]] = {
    "probability": lambda logits: logits.softmax(-1),
    "log_probability": lambda logits: logits.log_softmax(-1),
}
"""Logits (..., V + 1) to confidences of all entries."""

ANNEALS: dict[str, Callable[[float, NDArray[np.float64]], NDArray[np.float64]]] = {
    "gamma": lambda ratio, gamma: 1.0 - gamma,
    "ratio": lambda ratio, gamma: np.full_like(gamma, 1.0 - ratio),
    "none": lambda ratio, gamma: np.ones_like(gamma),
}
"""Ratio r and gamma(r) (B,) to the factor (B,) on the choice temperature."""


# The settings. Their order is that of the columns.

RULE_NAMES = ("lab", "paper")
"""Named rules: that of the lab's decoder, and that of Chang et al.'s code."""

_SETTINGS: dict[str, Setting[Any]] = {}


def declare(setting: Setting[T]) -> Setting[T]:
    """Add a setting to every rule.

    Raises:
        ValueError: The name is taken.
    """
    if setting.name in _SETTINGS:
        raise ValueError(f"the setting {setting.name} is declared already")
    _SETTINGS[setting.name] = setting
    return setting


def rule_settings() -> tuple[Setting[Any], ...]:
    """The settings of a rule, in the order of the columns."""
    return tuple(_SETTINGS.values())


CHOICE_TEMPERATURE = declare(
    Setting(
        "choice_temperature",
        float,
        "Scale of the Gumbel noise on the confidence by which the tokens to keep are chosen.",
        default=4.5,
        at_least=0,
        idle=0.0,
    )
)
SAMPLING_TEMPERATURE = declare(
    # Chang et al.'s code has no such temperature: at 1, drawing is theirs.
    Setting(
        "sampling_temperature",
        float,
        "Divides the logits that a token is drawn from. The confidence stays the model's own, of undivided logits.",
        default=1.0,
        above=0,
    )
)
CONFIDENCE = declare(
    Setting(
        "confidence",
        str,
        "Confidence of a drawn token: its probability, or its log-probability as in Chang et al.'s code; either from the"
        " softmax over all V + 1 entries.",
        default="probability",
        in_rules={"paper": "log_probability"},
        choices=CONFIDENCES,
        idle="probability",
    )
)
ANNEAL = declare(
    Setting(
        "anneal",
        str,
        "Factor on the choice temperature: gamma 1 − γ(r), which grows, ratio 1 − r, which falls, or none.",
        default="gamma",
        in_rules={"paper": "ratio"},
        choices=ANNEALS,
        idle="none",
    )
)
SAMPLING = declare(
    Setting(
        "sampling",
        str,
        "How a token is drawn from the codes; the mask token never is.",
        default="categorical",
        choices=SAMPLERS,
    )
)
FIX_AT_LEAST_ONE = declare(
    # That code also keeps one token masked until the last step; ours lets a schedule fill a small hole before it.
    Setting(
        "fix_at_least_one",
        bool,
        "Fix at least one more token at every step, as Chang et al.'s code does.",
        default=False,
        in_rules={"paper": True},
        idle=False,
    )
)


@dataclass(frozen=True, order=True, init=False)
class Rule:
    """Rule by which a step draws tokens and keeps some of them: a value for every setting, such as `rule[SAMPLING]`."""

    values: tuple[tuple[str, Any], ...]

    def __init__(self, **values: Any) -> None:
        """Take the values given and the defaults of the others.

        Raises:
            InputError: An unknown name, an unknown choice, or a number out of range.
        """
        if unknown := values.keys() - _SETTINGS.keys():
            raise InputError(f"{min(unknown)}: no such setting; known: {', '.join(_SETTINGS)}")
        checked = {
            setting.name: setting.checked(values.get(setting.name, setting.default)) for setting in rule_settings()
        }
        object.__setattr__(self, "values", tuple(checked.items()))

    def __getitem__(self, setting: Setting[T]) -> T:
        return cast("T", dict(self.values)[setting.name])

    def but(self, **values: Any) -> Rule:
        """The rule with other values for some of the settings."""
        return Rule(**{**dict(self.values), **values})

    def of_one_step(self) -> Rule:
        """The rule with idle values for settings without effect in a single step, so that equivalent rules are equal."""
        return self.but(**{setting.name: setting.idle for setting in rule_settings() if setting.idle is not None})

    def draw(self, logits: Tensor, uniform: Tensor) -> Tensor:
        """Codes (M,) int64 from logits (M, V) of the codes alone and uniforms (M,) in [0, 1)."""
        return SAMPLERS[self[SAMPLING]](logits / self[SAMPLING_TEMPERATURE], uniform, self)

    def confidence(self, logits: Tensor, codes: Tensor) -> Tensor:
        """Confidences (M,) in drawn codes (M,), from logits (M, V + 1)."""
        return CONFIDENCES[self[CONFIDENCE]](logits).gather(1, codes.unsqueeze(1)).squeeze(1)

    def noise_scale(self, ratio: float, gamma: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scale (B,) of the Gumbel noise at r, where the schedule is at gamma(r) (B,)."""
        return self[CHOICE_TEMPERATURE] * ANNEALS[self[ANNEAL]](ratio, gamma)

    def stay_masked(self, count: Tensor, mask: Tensor) -> Tensor:
        """Tokens that stay masked (B,) int64, from the schedule's count (B,) and the mask (B, N) before the step."""
        if not self[FIX_AT_LEAST_ONE]:
            return count
        return count.minimum(mask.sum(1) - 1).clamp(min=0)


def named_rule(name: str) -> Rule:
    """Return the named rule, one of `RULE_NAMES`.

    Raises:
        InputError: There is none.
    """
    if name not in RULE_NAMES:
        raise InputError(f"rule = {name!r}: no such rule; use one of {', '.join(RULE_NAMES)}")
    return Rule(**{setting.name: setting.default_in(name) for setting in rule_settings()})
