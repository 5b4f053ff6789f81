"""The plots of the report, by id, drawn from the tables of `bench.report.as_table`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.report.html.decoding_charts import schedule, tokens_fixed
from bench.report.html.image_charts import holes, influential
from bench.report.html.score_charts import pareto, steps
from bench.report.html.training_charts import training

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.report.html.marks import Chart
    from bench.report.view import View

CHARTS: dict[str, Callable[[View], Chart | None]] = {
    "steps": steps,
    "pareto": pareto,
    "training": training,
    "schedule": schedule,
    "tokens": tokens_fixed,
    "holes": holes,
    "influential": influential,
}


def charts(view: View) -> dict[str, Chart | None]:
    """Every plot by its id; None if the run has no data for it."""
    return {name: chart(view) for name, chart in CHARTS.items()}
