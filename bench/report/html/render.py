"""The report as one HTML file: it opens from a mail attachment, and asks no network for anything."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from bench.document.picture import Picture
from bench.document.text import clean
from bench.report import lines
from bench.report.html import page, scripts
from bench.report.html.charts import charts
from bench.report.view import View


def render_html(view: View, pictures: Sequence[Picture] = (), pictures_note: str = "") -> str:
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
        pictures_note=pictures_note,
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
    environment.filters["code"] = _code
    return environment


def _code(text: str) -> Markup:
    """Text, escaped, with what stands between backticks as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(clean(text)))))


def _finalize(value: Any) -> Any:
    """Take out of every string what could steer a terminal or turn the reading direction; markup of ours stays."""
    return value if isinstance(value, Markup) else clean(value)


def _asset(name: str) -> str:
    return (resources.files("bench.report.html") / name).read_text(encoding="utf-8")
