"""Feed mutated files to every reader and count what becomes of them: read, refused in one line, or crashed.

    python -m tools.fuzz --minutes 60 --seed 0 --output results/reference/fuzz.md

An input is a function of the seed, its format and its number, so that every finding can be repeated:
`python -m tools.fuzz --seed 0 --only PNG --number 17` reads that input alone and prints the whole traceback.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import io
import os
import platform
import resource
import shlex
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from maskgit.errors import MaskgitError
from tools.fuzz.formats import Format, formats, fresh_copy
from tools.fuzz.small_run import small_run

MEMORY = 4 << 30  # bytes that one process may add to what it has when it starts
SECONDS = 20  # that one input may take
AT_ONCE = 50  # inputs of a format per process


@dataclass
class Tally:
    """Results of one format; findings by number of the input."""

    counts: Counter[str] = field(default_factory=Counter)
    findings: dict[int, str] = field(default_factory=dict)

    def add(self, number: int, outcome: str) -> None:
        """Count an input."""
        kind = outcome if outcome in ("read", "refused") else "crashed"
        self.counts[kind] += 1
        if kind == "crashed":
            self.findings[number] = outcome


def outcome_of(format: Format, number: int, seed: int, place: Path) -> str:
    """`read` if any reader took it, `refused` if none did, or one line on a crash."""
    rng = Random(f"{seed}/{format.name}/{number}")
    path = fresh_copy(format, place)
    format.mutate(format.seed, path, rng)
    outcome = "refused"
    for read in format.readers:
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                read(path)
            outcome = "read"
        except MaskgitError as error:
            if "\n" in str(error) or len(str(error)) > 2000:
                return f"no single line: {str(error)[:80]!r}"
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)
            ours = [frame for frame in where if "/bench/" in frame.filename or "/maskgit/" in frame.filename]
            frame = (ours or where)[-1]
            name = "/".join(Path(frame.filename).parts[-2:])
            return f"{type(error).__name__} at {name}:{frame.lineno}: {str(error)[:80]!r}"
    return outcome


def batch(format: Format, numbers: range, seed: int, tally: Tally) -> None:
    """Read inputs in a process of its own, with limits on memory and time, and count what becomes of them."""
    numbers_left = list(numbers)
    while numbers_left:
        receiver, sender = os.pipe()
        if not (child := os.fork()):
            _work(format, numbers_left, seed, sender)
        os.close(sender)
        with os.fdopen(receiver, encoding="utf-8") as lines:
            outcomes = [line.rstrip("\n") for line in lines]
        status = os.waitpid(child, 0)[1]
        for number, outcome in zip(numbers_left, outcomes, strict=False):
            tally.add(number, outcome)
        numbers_left = numbers_left[len(outcomes) :]
        if numbers_left:  # the process died on the next one
            killed = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"exit {status >> 8}"
            tally.add(numbers_left.pop(0), "took too long" if killed == "SIGALRM" else f"process ended: {killed}")


def _work(format: Format, numbers: list[int], seed: int, sender: int) -> None:
    """The child: one line per input; never returns."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    with tempfile.TemporaryDirectory() as place, os.fdopen(sender, "w", encoding="utf-8") as lines:
        for number in numbers:
            signal.alarm(SECONDS)
            outcome = outcome_of(format, number, seed, Path(place) / "input")
            signal.alarm(0)
            lines.write(" ".join(outcome.encode("ascii", "backslashreplace").decode().split()) + "\n")
            lines.flush()
    os._exit(0)


def fuzz(chosen: list[Format], seed: int, seconds: float, at_most: int | None = None) -> dict[str, Tally]:
    """Read batches of every format in turn until the time is over, or until there were enough inputs."""
    tallies = {format.name: Tally() for format in chosen}
    end, start = time.monotonic() + seconds, 0
    while time.monotonic() < end and (at_most is None or start < at_most):
        size = AT_ONCE if at_most is None else min(AT_ONCE, at_most - start)
        for format in chosen:
            if time.monotonic() < end:
                batch(format, range(start, start + size), seed, tallies[format.name])
        start += size
    return tallies


def table(tallies: dict[str, Tally]) -> list[str]:
    """A Markdown table, one row per format, and every finding."""
    lines = ["| format | inputs | read | refused in one line | crashed |", "| --- | ---: | ---: | ---: | ---: |"]
    total: Counter[str] = Counter()
    for name, tally in tallies.items():
        total += tally.counts
        lines.append(_row(name, tally.counts))
    lines.append(_row("all", total))
    findings = [f"- {name}, input {n}: {text}" for name, tally in tallies.items() for n, text in tally.findings.items()]
    return [*lines, *(["", *findings] if findings else [])]


def _row(name: str, counts: Counter[str]) -> str:
    numbers = [counts.total(), *(counts[kind] for kind in ("read", "refused", "crashed"))]
    return f"| {name} | {' | '.join(f'{number:,}' for number in numbers)} |"


def main() -> int:
    """Parse the arguments, fuzz, print the table."""
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="name of one format")
    parser.add_argument("--number", type=int, help="one input of --only, read in this process")
    parser.add_argument("--output", type=Path, help="file for the table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        chosen = formats(Path(folder), small_run(Path(folder)))
        chosen = [format for format in chosen if options.only in (None, format.name)]
        if options.number is not None:
            print(outcome_of(chosen[0], options.number, options.seed, Path(folder) / "input"))
            return 0
        start = time.monotonic()
        tallies = fuzz(chosen, options.seed, options.minutes * 60)
    minutes = (time.monotonic() - start) / 60
    command = f"python -m tools.fuzz {shlex.join(sys.argv[1:])}"
    head = (
        f"`{command}`, {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, {minutes:.0f} minutes on {platform.machine()}."
    )
    text = "\n".join(["# Mutated files", "", head, "", *table(tallies)]) + "\n"
    print(text)
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    return int(any(tally.findings for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
