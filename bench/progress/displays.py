"""Displays of progress on stderr: a bar on a terminal, occasional plain lines elsewhere, JSON lines, or nothing.

`--json-logs` writes one JSON object per line. Keys are stable; "start", "progress" and "end" have all of them except the last
four groups, with null for unknown values:

    event          "start", "progress", "skip", "warning", "end", and "error" (the command failed)
    stage          "reference", "inpaint", "throughput" or "score"
    checkpoint     the current checkpoint
    block, blocks  the current block of test images, from 1, and the number of blocks
    trajectory, trajectories
                   the current decoding run within the block, from 1, and their number; null while its canvases are
                   rendered and embedded
    cell, cells    the cell being scored, from 1, and the number of cells
    share          share of all decoding and rendering that is done, from 0 to 1
    done, total    the same in images: every cell makes one image per test image
    images_per_s   such images per second since the start. Cells share work, so this exceeds the speed of a single cell and
                   is not a result; work found in the store does not count
    elapsed_s, eta_s
                   time since the start; time until decoding and rendering are done, at the mean speed so far
    best           the best cell so far: cell_id, metric, value, images. While blocks are inpainted the metric is
                   "psnr_hole_db", the mean over the images of the current checkpoint's finished blocks, since a Fréchet
                   distance needs all images; while cells are scored it is the score itself, "fid" or "fd"
    reason         in "skip": why the checkpoint is skipped
    finished       in "end": true if the work was completed
    message        in "warning" (for example a damaged part of the store) and in "error"
    exit_code      in "error"
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from bench.document.text import clean, duration, significant
from bench.metrics.naming import labels_of
from bench.metrics.registry import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterable

BAR_WIDTH = 24
DISTANCES = {label.lower(): label for label in labels_of()}  # labels by the values of `Best.metric`


@dataclass(frozen=True)
class Place:
    """The position of a run, with the keys of the JSON lines; numbers count from 1."""

    stage: str
    checkpoint: str | None = None
    block: int | None = None
    blocks: int | None = None
    trajectory: int | None = None
    trajectories: int | None = None
    cell: int | None = None
    cells: int | None = None

    def with_trajectory(self, number: int, count: int) -> Place:
        """The same place, with a trajectory of the block."""
        return replace(self, trajectory=number, trajectories=count)


@dataclass(frozen=True)
class Best:
    """The best cell so far: the metric, its value, and the number of images behind it."""

    cell_id: str
    metric: str
    value: float
    images: int


@dataclass(frozen=True)
class State:
    """The state to show, with the keys of the JSON lines."""

    place: Place
    share: float
    done: int | None
    total: int | None
    images_per_s: float | None
    elapsed_s: float
    eta_s: float | None
    best: Best | None


class Display(Protocol):
    """A way to show progress."""

    def start(self, state: State) -> None:
        """Begin."""

    def show(self, state: State, before: Place, due: bool) -> bool:
        """Show the state if it is worth showing; returns True if it was shown.

        Args:
            state: The current state.
            before: The previous place.
            due: True if nothing was shown for a while.
        """

    def skipped(self, checkpoint: str, reason: str) -> None:
        """Say that a checkpoint is skipped."""

    def warned(self, message: str) -> None:
        """Show a warning."""

    def end(self, state: State, finished: bool) -> None:
        """Finish."""


def choose_display(quiet: bool, as_json: bool) -> Display:
    """The display for the given options: JSON if requested, nothing if quiet, a bar on a terminal, else lines."""
    if as_json:
        return JsonLines()
    if quiet:
        return Quiet()
    console = Console(stderr=True)
    return Bar(console) if console.is_terminal else Lines()


def where(place: Place) -> str:
    """A place in words: inpaint catfaces, block 2/4, trajectory 3/6."""
    parts = [f"{place.stage} {place.checkpoint}" if place.checkpoint else place.stage]
    counts = {
        "block": (place.block, place.blocks),
        "trajectory": (place.trajectory, place.trajectories),
        "cell": (place.cell, place.cells),
    }
    parts += [f"{name} {at}/{count}" for name, (at, count) in counts.items() if at is not None]
    return clean(", ".join(parts))


def speed(state: State) -> str:
    """Images per second and the time left, as far as they are known: 41.2 images/s, 1 min 05 s left."""
    parts = [f"{significant(state.images_per_s)} images/s"] if state.images_per_s is not None else []
    parts += [f"{duration(state.eta_s)} left"] if state.eta_s is not None and state.share < 1 else []
    return ", ".join(parts)


def best_so_far(best: Best | None) -> str:
    """The best cell in words, with its score and number of images; empty if there is none.

    A pixel metric names no cell: it shows that a run works, and ranks cells differently than the score does.
    """
    if best is None:
        return ""
    value, images = significant(best.value, 4), f"over {best.images} images"
    if metric := METRICS.get(best.metric):
        return f"{metric.label} up to {value} {metric.unit} {images}"
    return f"best so far {clean(best.cell_id)}: {DISTANCES[best.metric]} {value} {images}"


class Quiet:
    """Shows only skipped checkpoints and warnings."""

    def start(self, state: State) -> None:
        """Nothing."""

    def show(self, state: State, before: Place, due: bool) -> bool:
        """Nothing."""
        return False

    def skipped(self, checkpoint: str, reason: str) -> None:
        """One line."""
        _print_line(f"skipped {checkpoint}: {reason}")

    def warned(self, message: str) -> None:
        """One line."""
        _print_line(f"warning: {message}")

    def end(self, state: State, finished: bool) -> None:
        """Nothing."""


class Lines(Quiet):
    """One plain line when another stage or checkpoint begins, and at intervals."""

    def show(self, state: State, before: Place, due: bool) -> bool:
        """A line if a stage or a checkpoint begins or if one is due."""
        place = state.place
        news = (place.stage, place.checkpoint) != (before.stage, before.checkpoint)
        if news or due:
            self._line(state)
        return news or due

    def _line(self, state: State) -> None:
        parts = [f"{where(state.place)}: {100 * state.share:.0f} %", f"{duration(state.elapsed_s)} elapsed"]
        parts += [text for text in (speed(state), best_so_far(state.best)) if text]
        _print_line(", ".join(parts))


class JsonLines:
    """One JSON object per line: when a stage, a checkpoint or a block begins, and at intervals."""

    def start(self, state: State) -> None:
        """The first line."""
        self._print("start", state)

    def show(self, state: State, before: Place, due: bool) -> bool:
        """A line if a stage, a checkpoint or a block begins or if one is due."""
        place = state.place
        if not due and (place.stage, place.checkpoint, place.block) == (before.stage, before.checkpoint, before.block):
            return False
        self._print("progress", state)
        return True

    def skipped(self, checkpoint: str, reason: str) -> None:
        """One line."""
        print_json_line({"event": "skip", "checkpoint": checkpoint, "reason": reason})

    def warned(self, message: str) -> None:
        """One line."""
        print_json_line({"event": "warning", "message": message})

    def end(self, state: State, finished: bool) -> None:
        """The last line."""
        self._print("end", state, finished=finished)

    def _print(self, event: str, state: State, **more: Any) -> None:
        fields = asdict(state)
        print_json_line({"event": event, **fields.pop("place"), **fields, **more})


class Bar:
    """A progress bar, with the best cell so far below it."""

    def __init__(self, console: Console) -> None:
        self._bar = _WithNote(
            BarColumn(bar_width=BAR_WIDTH),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.description}", markup=False),  # texts of any length follow the bar, which never moves
            TextColumn("{task.fields[speed]}", markup=False),
            console=console,
            transient=True,
        )
        self._task = TaskID(0)

    def start(self, state: State) -> None:
        """Draw the bar."""
        self._bar.start()
        self._task = self._bar.add_task(where(state.place), total=1.0, speed="")

    def show(self, state: State, before: Place, due: bool) -> bool:
        """Move the bar; it draws itself ten times a second."""
        self._bar.note = best_so_far(state.best)
        self._bar.update(self._task, completed=state.share, description=where(state.place), speed=speed(state))
        return True

    def skipped(self, checkpoint: str, reason: str) -> None:
        """One line above the bar."""
        self._bar.console.print(Text(clean(f"skipped {checkpoint}: {reason}"), "yellow"))

    def warned(self, message: str) -> None:
        """One line above the bar."""
        self._bar.console.print(Text(clean(f"warning: {message}"), "yellow"))

    def end(self, state: State, finished: bool) -> None:
        """Remove the bar."""
        self._bar.stop()


class _WithNote(Progress):
    """A bar with a line of text below."""

    note = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bar, then the note."""
        yield from super().get_renderables()
        if self.note:
            yield Text(self.note, "dim", no_wrap=True, overflow="ellipsis")


def print_json_line(content: dict[str, Any]) -> None:
    """Write one JSON object as a line on stderr, in ASCII."""
    _write(json.dumps(content))


def _print_line(text: str) -> None:
    _write(clean(text))


def _write(line: str) -> None:
    """Write a line to standard error; a failure to write (a full disk, for example) does not stop the work."""
    with suppress(OSError):
        print(line, file=sys.stderr, flush=True)
