"""The report as GitHub Markdown, for a pull request."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bench.document.text import clean, significant
from bench.report import lines
from bench.report.view import Grid, View
from bench.results.cells import describe

MARKS = {"best of the run": "★", "best": "✓", "worst": "✗"}


def escape(text: str) -> str:
    """Plain text that Markdown and HTML show as it is: no tag, table bar, emphasis, link, formula or mention in it."""
    entities = clean(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]~#$|])", r"\\\1", entities).replace("@", "@&#8203;")


def render_markdown(view: View) -> str:
    """Write the whole report; every string passes through `escape`."""
    parts = [f"## maskbench: {escape(view.record.name)}", _head(view)]
    if not view.record.complete:
        parts.append("> **⚠ This run is incomplete; what follows is what there is so far.**")
    best = view.best
    if best is None:
        parts.append("No cell has a score yet.")
    else:
        parts.append("\n".join(f"- **{escape(h.title)}:** {escape(h.sentence)}" for h in view.headlines))
        if tied := lines.tied_line(view):
            parts.append(escape(tied))
        facts = lines.best_numbers(view, best) + lines.best_settings(best)
        parts += ["### Best cell", _table(("", ""), facts)]
    parts.append(f"### {escape(view.metric.column)} by gamma and sweet spot")
    parts.append("Lower is better. ★ best of the run, ✓ best of its table, ✗ worst.  \n" + escape(describe(view.fixed)))
    for grid in view.grids:
        parts += [f"**{escape(lines.grid_title(view, grid))}**", _grid(view, grid)]
    if view.front:
        parts += ["### Quality against speed", "The Pareto front: nothing is both better and faster."]
        parts.append(_table(lines.front_header(view), lines.front_rows(view), right=(0, 1, 2)))
    if view.by_checkpoint:
        parts += ["### By checkpoint", _note(lines.CHECKPOINTS_NOTE, len(view.by_checkpoint))]
        parts.append(_table(lines.checkpoint_header(view), lines.checkpoint_rows(view), right=(2, 3)))
    if view.seeds:
        parts += ["### Over seeds", _note(lines.SEEDS_NOTE, len(view.seeds))]
        parts.append(_table(lines.seed_header(view), lines.seed_rows(view), right=(1, 2, 3, 4)))
    if references := lines.reference_rows(view):
        parts += [
            "### To read the scores against",
            escape(lines.REFERENCES_NOTE),
            _table(lines.reference_header(view), references, right=(1, 2)),
        ]
    if best and (holes := lines.hole_rows(view, best)):
        parts += [
            "### Best cell by size of the hole",
            _table(lines.HOLE_HEADER, holes, right=range(6)),
        ]
    if influential := lines.influence_rows(view):
        parts += ["### The most influential images", _table(lines.INFLUENCE_HEADER, influential, right=(0, 1))]
    if view.record.throughput:
        parts += ["### Throughput", escape(lines.speed_note(view))]
        parts.append(_table(lines.COST_HEADER, lines.cost_rows(view), right=(1, 2, 3)))
        if checks := lines.check_rows(view):
            parts.append(_table(lines.CHECK_HEADER, checks, right=(1, 2, 3)))
    if view.caveats:
        parts += ["### What to distrust", "\n".join(f"- ⚠ {escape(caveat.text)}" for caveat in view.caveats)]
    return "\n\n".join(parts) + "\n"


def _head(view: View) -> str:
    return "  \n".join(
        escape(line) for line in (lines.environment_line(view), lines.data_line(view), lines.work_line(view))
    )


def _note(note: str, count: int) -> str:
    return "  \n".join(escape(text) for text in (note, lines.shown_of(count)) if text)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    rule = ["---:" if i in right else ":---" for i in range(len(header))]
    body = [[escape(text) for text in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [[escape(title) for title in header], rule, *body])


def _grid(view: View, grid: Grid) -> str:
    rows = []
    for gamma, scores in zip(grid.gammas, grid.scores, strict=True):
        shown = []
        for score in scores:
            text, role = view.metric.show(score), lines.mark(view, grid, score)
            shown.append(
                f"**{MARKS[role]} {text}**" if role.startswith("best") else f"{MARKS[role]} {text}" if role else text
            )
        rows.append([escape(gamma), *shown])
    if any(grid.images_per_s):
        rows.append(["*images/s*", *(significant(speed) for speed in grid.images_per_s)])
    header = [escape(view.metric.column), *(f"s {spot}" for spot in grid.sweet_spots)]
    rule = [":---", *["---:"] * len(grid.sweet_spots)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [header, rule, *rows])
