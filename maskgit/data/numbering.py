"""Match the files of several folders by a number in their names."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from maskgit.data.folders import by_number, numbers_in
from maskgit.data.problems import short_name
from maskgit.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_LAST = -1

Numbered = dict[int, Path]


@dataclass(frozen=True)
class Matching:
    """The files of each role by number.

    Attributes:
        files: Path by number, ascending, for each role.
        notes: Notes on names in which a number other than the last was used.
        problems: Files without a number, or with the number of another file.
    """

    files: dict[str, Numbered]
    notes: tuple[str, ...]
    problems: tuple[str, ...]


def match(paths: Mapping[str, Sequence[Path]], larger: str) -> Matching:
    """Find the number in the names that matches the files of all folders.

    It is the last one (`image_007.png` is 7) unless only another one makes the folders fit: LaMa's `image7_mask001.png`
    belongs to `image7.png`. Folders fit if each number is in all of them once; one of them may hold more.

    Args:
        paths: Files by role, at least one role.
        larger: The role whose folder may hold more images than the others.
    """
    choices = [list(_candidates(files)) for files in paths.values()]
    roles = list(paths)
    for combination in sorted(product(*choices), key=lambda chosen: sum(rank for rank, _, _ in chosen)):
        files = {role: numbered for role, (_, _, numbered) in zip(roles, combination, strict=True)}
        if _fit(files, larger):
            positions = {role: position for role, (_, position, _) in zip(roles, combination, strict=True)}
            return Matching(files, tuple(_notes(files, positions)), ())
    by_last = {role: by_number(files) for role, files in paths.items()}
    problems = tuple(problem for _, problems in by_last.values() for problem in problems)
    return Matching({role: numbered for role, (numbered, _) in by_last.items()}, (), problems)


def missing(files: Mapping[str, Numbered], folders: Mapping[str, Path], larger: str) -> list[str]:
    """Report numbers without a file in some folder; those that only the larger folder has are not part of the test set."""
    numbers = sorted(set().union(*(numbered for role, numbered in files.items() if role != larger)))
    problems = []
    for number in numbers:
        there = next(numbered[number] for numbered in files.values() if number in numbered)
        problems += [
            f"{short_name(there)}: no file with the number {number} in {one_line(folders[role].name)} ({role})"
            for role, numbered in files.items()
            if number not in numbered
        ]
    return problems


def shifted(files: Mapping[str, Numbered]) -> str | None:
    """Report folders with equally many consecutive numbers that start at different values; None if there are none."""
    ranges = {role: (min(numbered), max(numbered), len(numbered)) for role, numbered in files.items() if numbered}
    running = all(last - first + 1 == count for first, last, count in ranges.values())
    if not running or len({count for _, _, count in ranges.values()}) != 1 or len(set(ranges.values())) == 1:
        return None
    listed = ", ".join(f"{role} {first}…{last}" for role, (first, last, _) in ranges.items())
    return (
        f"numbers in the names: {listed}; images belong together by number, rename the files to start at the same one"
    )


def _candidates(paths: Sequence[Path]) -> Iterator[tuple[int, int, Numbered]]:
    """Rank, position and files for every number that all names have and that differs between any two files."""
    numbers = [numbers_in(path) for path in paths]
    shortest = min(map(len, numbers))
    for rank, position in enumerate([*range(_LAST, -shortest - 1, -1), *range(shortest)]):
        at_position = [in_name[position] for in_name in numbers]
        numbered = {n: path for n, path in zip(at_position, paths, strict=True) if n is not None}
        if len(numbered) == len(paths):
            yield rank, position, {number: numbered[number] for number in sorted(numbered)}


def _fit(files: Mapping[str, Numbered], larger: str) -> bool:
    numbers = {role: set(numbered) for role, numbered in files.items()}
    rest = [numbers[role] for role in numbers if role != larger] or [numbers[larger]]
    return all(folder_numbers == rest[0] for folder_numbers in rest) and rest[0] <= numbers.get(larger, rest[0])


def _notes(files: Mapping[str, Numbered], positions: Mapping[str, int]) -> Iterator[str]:
    for role, numbered in files.items():
        number, path = next(iter(numbered.items()))
        if numbers_in(path)[_LAST] != number or positions[role] != _LAST:
            yield f"{role}: matched by a number that is not the last in a name: {one_line(path.name)} is {number}"
