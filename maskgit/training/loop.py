"""The training loop of both stages: random numbers, learning rate, checkpoints, curves, progress.

Everything random in step k is drawn from generators seeded by (seed, k, stream), and every checkpoint holds the whole
state. So a training killed at any moment and resumed ends with the same weights, bit for bit, as one without interruption
(on the same machine and number of threads; a GPU sums in no fixed order, so there it holds up to rounding).
"""

from __future__ import annotations

import json
import math
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from maskgit.errors import InputError
from maskgit.files import make_writable, new_file
from maskgit.training.journal import Journal

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

    from maskgit.training.config import LoopRecipe

STATE = "state.pt"
CHECKPOINT = "checkpoint"
# Keys that may differ on resumption because they do not affect the weights; exceptions are `steps`, which lengthens a
# training, and `device`, which affects rounding.
MAY_CHANGE = ("checkpoint_s", "print_s", "log_every", "output", "root", "steps", "device")


class Stage(Protocol):
    """Interface of a stage for the loop. `step` counts from 0."""

    def train_step(self, step: int, lr_ratio: float) -> dict[str, float]:
        """Do one optimiser step; returns losses by name."""

    def validate(self) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Numbers by name, "score" (lower is better) among them, and images uint8 (3, H, W) by name."""

    def state(self) -> dict[str, Any]:
        """Everything that later steps depend on: tensors, numbers and strings."""

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned."""

    def export(self, folder: Path, extra: Mapping[str, Any]) -> None:
        """Write a native checkpoint of the current weights."""


def seeded(seed: int, step: int, stream: int) -> torch.Generator:
    """A generator that depends only on its arguments."""
    words = np.random.SeedSequence([seed, stream, step]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(words[0] >> np.uint64(1)))


def batch_indices(count: int, batch: int, seed: int, step: int) -> np.ndarray:
    """Indices of the images of a step, int64 (batch,): a new permutation every epoch, without its incomplete last batch.

    A set smaller than the batch is repeated.
    """
    repeats = max(1, math.ceil(batch / count))
    per_epoch = count * repeats // batch
    epoch, place = divmod(step, per_epoch)
    order = np.random.default_rng([seed, epoch]).permutation(np.tile(np.arange(count), repeats))
    return order[place * batch : (place + 1) * batch]


def learning_rate_ratio(step: int, *, warmup: int, steps: int, floor: float) -> float:
    """Share of the peak learning rate at a step: linear warm-up, then a cosine from 1 to `floor`."""
    if step < warmup:
        return (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, steps - warmup))
    return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * progress))


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Exponential moving average of the parameters; the decay is at most (1 + step) / (10 + step)."""
    weight = 1.0 - min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), weight)


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a training checkpoint atomically: at every moment, the complete old or new one is there."""
    with new_file(path) as file:
        torch.save(dict(state), file)


def load_state(path: Path) -> dict[str, Any]:
    """Read a training checkpoint.

    Raises:
        InputError: the file is not a training checkpoint.
    """
    try:
        return cast("dict[str, Any]", torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # a damaged file may raise anything
        raise InputError(
            f"{path}: is not a training checkpoint ({type(error).__name__}); start without --resume"
        ) from error


def check_same_recipe(old: Mapping[str, Any], new: Mapping[str, Any], path: Path, prefix: str = "") -> None:
    """Refuse to resume with settings that change the weights.

    Raises:
        InputError: such a setting differs; the message names its key.
    """
    for key in sorted(set(old) | set(new)):
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            check_same_recipe(a, b, path, f"{prefix}{key}.")
        elif a != b and key not in MAY_CHANGE:
            raise InputError(
                f"{path}: {prefix}{key} was {a!r} when this training began and is {b!r} now; "
                "put it back, or start without --resume in a new output folder"
            )


def saved_state(output: Path, recipe: Mapping[str, Any], *, resume: bool) -> dict[str, Any] | None:
    """The state to resume from, or None for a new training; writes nothing.

    Raises:
        InputError: the folder holds a training and `resume` is False, or a training with another recipe.
    """
    path = output / STATE
    if not path.exists():
        return None
    if not resume:
        raise InputError(f"{path}: a training is there already; give --resume, or another output folder")
    state = load_state(path)
    check_same_recipe(json.loads(state["recipe"]), recipe, path)
    return state


def make_output(output: Path) -> None:
    """Make the output folder, after all inputs were checked.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    try:
        make_writable(output)
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror}); choose another output folder") from error


@contextmanager
def interrupt_deferred() -> Iterator[list[int]]:
    """Collect the first interrupt instead of raising it: in the middle of a step, the state cannot be saved."""
    asked: list[int] = []
    before = signal.getsignal(signal.SIGINT)

    def collect(number: int, frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    # Only the main thread may set handlers; a parent that ignores interrupts (nohup) wants them ignored here too.
    handled = threading.current_thread() is threading.main_thread() and before is signal.default_int_handler
    if handled:
        signal.signal(signal.SIGINT, collect)
    try:
        yield asked
    finally:
        if handled:
            signal.signal(signal.SIGINT, before)


def train(
    stage: Stage,
    settings: LoopRecipe,
    output: Path,
    *,
    recipe: Mapping[str, Any],
    resumed: Mapping[str, Any] | None,
    keep_best: bool,
) -> None:
    """Run the stage to its last step, from the beginning or from the state `resumed`.

    `output` gets state.pt (resumable), checkpoint/ (native; the best on validation, or the latest), curves.csv and
    tensorboard/. After an interrupt (Ctrl-C), the current step ends and the state is saved; a second one stops at once.

    Raises:
        InputError: a loss is not finite.
        KeyboardInterrupt: after the state was saved.
    """
    step, best, before_s = 0, math.inf, 0.0
    if resumed is not None:
        step, best, before_s = resumed["step"], resumed["best"], resumed["seconds"]
        stage.load(resumed["stage"])
    begun = saved = time.monotonic()
    journal = Journal(output, step=step, steps=settings.steps, print_s=settings.print_s)

    def save() -> None:
        seconds = before_s + time.monotonic() - begun
        save_state(
            output / STATE,
            {"step": step, "best": best, "seconds": seconds, "recipe": json.dumps(recipe), "stage": stage.state()},
        )

    with journal, interrupt_deferred() as interrupts:
        while step < settings.steps:
            ratio = learning_rate_ratio(step, warmup=settings.warmup, steps=settings.steps, floor=settings.lr_floor)
            losses = stage.train_step(step, ratio)
            if broken := [name for name, value in losses.items() if not math.isfinite(value)]:
                raise InputError(f"step {step}: {', '.join(broken)} is not finite; lower train.lr")
            step += 1
            seconds = before_s + time.monotonic() - begun
            journal.progress(step, losses)
            if step % settings.log_every == 0:
                journal.record(step, {**losses, "lr": settings.lr * ratio}, seconds)
            if step % settings.validate_every == 0 or step == settings.steps:
                numbers, images = stage.validate()
                journal.record(step, numbers, seconds, images)
                if not keep_best or numbers["score"] < best:
                    best = min(best, numbers["score"])
                    facts = {"step": step, "seconds": round(seconds), **{k: round(v, 5) for k, v in numbers.items()}}
                    stage.export(output / CHECKPOINT, facts)
            if interrupts or time.monotonic() - saved >= settings.checkpoint_s or step == settings.steps:
                save()
                saved = time.monotonic()
            if interrupts and step < settings.steps:
                raise KeyboardInterrupt
