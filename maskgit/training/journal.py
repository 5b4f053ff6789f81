"""Logs of a training: curves.csv, TensorBoard, and a progress bar on a terminal or plain lines elsewhere."""

from __future__ import annotations

import csv
import io
import time
from typing import TYPE_CHECKING, Self

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor

from maskgit.extras import install_line, installed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from torch.utils.tensorboard import SummaryWriter

from maskgit.files import write_bytes

CURVES = "curves.csv"
COLUMNS = ("step", "name", "value", "seconds")


class Journal:
    """Curves of one training; `curves.csv` is long: step, name, value, seconds of training so far.

    Entries after `step` (from a training killed after its last checkpoint) are removed on opening.
    """

    def __init__(self, folder: Path, *, step: int, steps: int, print_s: float) -> None:
        self._steps, self._first, self._print_s = steps, step, print_s
        self._begun = self._printed = time.monotonic()
        self._console = Console()
        path = folder / CURVES
        kept: list[dict[str, str]] = []
        if path.exists() and step:
            with path.open(newline="", encoding="utf-8") as file:
                kept = [row for row in csv.DictReader(file) if row["seconds"] and int(row["step"]) <= step]
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(kept)
        write_bytes(path, text.getvalue().encode())
        self._file = path.open("a", newline="", encoding="utf-8")
        self._board = _open_board(folder / "tensorboard", step)
        self._bar: Progress | None = None
        if self._console.is_terminal:
            columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, TextColumn("{task.description}"), console=self._console)
            self._task = self._bar.add_task("", total=steps, completed=step)

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()
        if self._board:
            self._board.close()
        self._file.close()

    def progress(self, step: int, losses: Mapping[str, float]) -> None:
        """Show the progress of the training: losses, steps per second and time left."""
        text = "  ".join(f"{name} {value:.4f}" for name, value in losses.items())
        if self._bar:
            self._bar.update(self._task, completed=step, description=text)
            return
        now = time.monotonic()
        if now - self._printed >= self._print_s or step == self._steps:
            self._printed = now
            rate = (step - self._first) / (now - self._begun)
            left_s = (self._steps - step) / rate
            print(f"step {step}/{self._steps}  {text}  {rate:.2f} steps/s  {left_s / 60:.1f} min left", flush=True)

    def record(
        self, step: int, numbers: Mapping[str, float], seconds: float, images: Mapping[str, Tensor] | None = None
    ) -> None:
        """Write numbers of a step; given images uint8 (3, H, W), even none, it is a validation and is printed too."""
        writer = csv.writer(self._file)
        for name, value in numbers.items():
            writer.writerow((step, name, f"{value:.6g}", f"{seconds:.1f}"))
            if self._board:
                self._board.add_scalar(name, value, step)
        if self._board:
            for name, image in (images or {}).items():
                self._board.add_image(name, image, step)
        self._file.flush()
        if images is not None:
            print(f"step {step}  " + "  ".join(f"{name} {value:.4g}" for name, value in numbers.items()), flush=True)


def _open_board(folder: Path, step: int) -> SummaryWriter | None:
    """A TensorBoard log that continues after `step`; None, with a note, if the package is not installed."""
    if not installed("tensorboard"):
        print(f"no TensorBoard logs, curves.csv alone: tensorboard is not installed; {install_line('tensorboard')}")
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=step + 1)


def image_grid(rows: list[Tensor]) -> Tensor:
    """Join rows of images, each uint8 (n, 3, H, W), into one image uint8 (3, rows · H, n · W)."""
    return torch.cat([torch.cat(list(row), 2) for row in rows], 1)
