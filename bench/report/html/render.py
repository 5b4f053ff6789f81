"""The report as one HTML file: it opens from a mail attachment and makes no network request."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from markupsafe import Markup

from bench.document.html import environment
from bench.report import document
from bench.report.html import page, scripts
from bench.report.html.charts import charts
from bench.report.sections import confirmed, groups, images, scores, speed, summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.document.image import EmbeddedImage
    from bench.report.view import View


def render_html(view: View, examples: Sequence[EmbeddedImage] = (), examples_note: str = "") -> str:
    """Write the whole view as one HTML page of about a megabyte, larger with example images.

    Every string passes through `clean` and through Jinja's escaping; every plot is on the page as a table, too.
    """
    vega, script = scripts.vega(), scripts.inline(_asset("report.js"))
    page_environment = environment("bench.report.html")
    page_environment.filters["json_script"] = scripts.as_json
    return page_environment.get_template("report.html").render(
        view=view,
        document=document,
        summary=summary,
        scores=scores,
        groups=groups,
        confirmed=confirmed,
        images=images,
        speed=speed,
        page=page,
        charts=charts(view),
        examples=examples,
        examples_note=examples_note,
        policy=scripts.policy(vega, script),
        style=Markup(_asset("report.css")),
        vega=vega,
        script=script,
        notice=scripts.VEGA_NOTICE,
    )  # fmt: skip


def _asset(name: str) -> str:
    return (resources.files("bench.report.html") / name).read_text(encoding="utf-8")
