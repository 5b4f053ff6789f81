"""The report as one HTML file: it opens from a mail attachment, and asks no network for anything."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bench.report import lines
from bench.report.html import page, scripts
from bench.report.html.charts import charts
from bench.report.text import clean
from bench.report.view import View


@dataclass(frozen=True)
class Picture:
    """A picture to show: its title, what it shows in words for those who cannot see it, and its bytes as PNG."""

    title: str
    alt: str
    png: bytes

    @property
    def url(self) -> str:
        """The picture itself, as an address."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


def render_html(view: View, pictures: Sequence[Picture] = ()) -> str:
    """Write the whole view as one HTML page of about a megabyte, and more where there are pictures.

    Every string passes through `clean` and through Jinja's escaping; every plot stands on the page as a table, too.
    """
    vega, script = scripts.vega(), scripts.inline(_asset("report.js"))
    found = charts(view)
    return _environment().get_template("report.html").render(
        view=view,
        lines=lines,
        page=page,
        charts=found,
        pictures=pictures,
        policy=scripts.policy(vega, script),
        style=Markup(_asset("report.css")),
        vega=vega,
        script=script,
        notice=scripts.VEGA_NOTICE,
    )  # fmt: skip


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("bench.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters["json_script"] = scripts.as_json
    return environment


def _finalize(value: Any) -> Any:
    """Take out of every string what could steer a terminal or turn the reading direction; markup of ours stays."""
    return value if isinstance(value, Markup) else clean(value)


def _asset(name: str) -> str:
    return (resources.files("bench.report.html") / name).read_text(encoding="utf-8")
