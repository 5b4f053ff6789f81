"""The section `[grid]`: the axes, of which each declared setting is one, and the products that make the cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, create_model, field_validator

from bench.grid.settings import COMPOSE, GAMMA, SWEET_SPOT, TOTAL_ITER
from bench.grid.types import Integer, ListOf, Number, Section, as_list
from maskgit import schedules
from maskgit.checkpoints.python_part import is_python
from maskgit.own_schedules import require_form
from maskgit.rules import RULE_NAMES, Setting, rule_settings


def known_gamma(name: str) -> str:
    """The name of a gamma function, after a check that there is one; a file of the user's is not opened.

    Raises:
        InputError: There is none.
    """
    if is_python(name):
        require_form(name)
    else:
        schedules.schedule(name)
    return name


Gamma = Annotated[str, AfterValidator(known_gamma)]
Steps = Annotated[int, Field(ge=1, le=10_000, strict=True)]
SWEET_SPOT_DEFAULT = "all"
LAST_STEP = -1
"""The sweet spot that means the last step, as in scripts with `sweet_spot = -1`."""


def _axis_of(setting: Setting[Any]) -> Any:
    """Type and default of the axis of a declared setting."""
    value: Any = Annotated[setting.kind, Field(strict=True)]
    if setting.choices is not None:
        value = Literal[tuple(setting.choices)]
    elif setting.kind in (int, float):
        bounds = Field(ge=setting.at_least, gt=setting.above)
        value = Annotated[Number if setting.kind is float else Integer, bounds]
    return ListOf[value] | None, Field(default=None, description=setting.meaning)


class _ScheduleAxes(Section):
    gamma: ListOf[Gamma] | None = Field(
        default=None, description=GAMMA.meaning, examples=[["linear", "cosine", "power:1.5"]]
    )
    total_iter: ListOf[Steps] | None = Field(default=None, description=TOTAL_ITER.meaning, examples=[[8, 10, 12]])
    sweet_spot: Literal["all"] | Annotated[tuple[int | float, ...], BeforeValidator(as_list)] | None = Field(
        default=None,
        description=f"{SWEET_SPOT.meaning} Steps, -1 for the last, fractions of T, or all.",
        examples=[[0.5, 1.0]],
    )
    rule: ListOf[Literal[RULE_NAMES]] | None = Field(  # type: ignore[valid-type]
        default=None, description="Named rule that gives the defaults of settings that are left out."
    )


if TYPE_CHECKING:
    _DeclaredAxes = _ScheduleAxes
else:
    _DeclaredAxes = create_model(
        "_DeclaredAxes",
        __base__=_ScheduleAxes,
        **{setting.name: _axis_of(setting) for setting in (*rule_settings(), COMPOSE)},
    )


class Axes(_DeclaredAxes):
    """Axes of the grid. An axis that is left out has the default of `rule`, or its general default."""

    @field_validator("sweet_spot", mode="before")
    @classmethod
    def _steps_or_fractions(cls, value: Any) -> Any:
        known = 'steps (1, 2, …; -1 is the last), fractions of T (0.5, 1.0) or "all"'
        if value is None or value == "all":
            return value
        if value in ([], ()):
            raise ValueError(f"the list is empty; name {known}")
        for spot in as_list(value):
            if isinstance(spot, bool) or not isinstance(spot, int | float):
                raise ValueError(f"{spot!r} is neither a step nor a fraction; name {known}")
            if isinstance(spot, int) and spot < 1 and spot != LAST_STEP:
                raise ValueError(f"{spot} is not a step; the first step is 1, and {LAST_STEP} means the last")
            if isinstance(spot, float) and not 0 < spot <= 1:
                raise ValueError(f"{spot} is not a fraction of T; a fraction is in (0, 1], and 1.0 is the last step")
        return value


class GridSection(Axes):
    """The grid: the product of its axes, plus the cells of `include`, minus the cells of `exclude`.

    An entry of `include` is another product, which takes the axes that it leaves out from the main grid. An entry of
    `exclude` removes every cell that agrees with all the settings it names.
    """

    include: tuple[Axes, ...] = Field(
        default=(),
        description="Further products of axes; an axis that an entry leaves out is that of the grid.",
        examples=[[{"rule": "paper", "choice_temperature": 4.5}]],
    )
    exclude: tuple[Axes, ...] = Field(
        default=(),
        description="Cells to leave out: each entry removes the cells that agree with all the settings it names.",
        examples=[[{"gamma": "linear", "total_iter": 12}]],
    )
