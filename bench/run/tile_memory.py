"""A tile that does not fit into memory: the run starts again with a smaller one (torch is imported where it is needed).

The tile is part of every key, and all results of a run share one, so that its cells compare with each other. Therefore all
checkpoints start again; what was stored for the larger tile stays in the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maskgit.errors import is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bench.features.registry import Extractor
    from bench.grid.spec import Spec
    from bench.results.identity import RunIdentity
    from bench.run.job import Job


class SmallerTile(Exception):
    """A tile did not fit into memory, and a smaller one does."""

    def __init__(self, tile: int) -> None:
        super().__init__(tile)
        self.tile = tile


def starting_tile(earlier: RunIdentity | None, written: Spec) -> int:
    """The tile of the grid; or the smaller one with which the same run in the folder had to go on."""
    tile = written.execution.tile
    if earlier is None or earlier.numerics is None or earlier.spec.get("execution", {}).get("tile") != tile:
        return tile
    return min(tile, earlier.numerics.tile)


def with_tile(spec: Spec, tile: int) -> Spec:
    """The spec with another tile."""
    return spec.model_copy(update={"execution": spec.execution.model_copy(update={"tile": tile})})


def smaller_tile(job: Job, extractors: Iterable[Extractor], warn: Callable[[str], None]) -> int | None:
    """Half the tile, or half of that, and so on: the first that fits, after a warning; None if not even one image fits."""
    tile = job.runtime.tile // 2
    while tile and not _fits(job, extractors, tile):
        tile //= 2
    if not tile:
        return None
    warn(
        f"{job.name}: a tile of {job.runtime.tile} images does not fit into memory; all results of the run are computed "
        f"with tiles of {tile}"
    )
    return tile


def caveat(written: Spec, tile: int) -> list[str]:
    """A caveat if the run's tile is not the grid's."""
    if tile == written.execution.tile:
        return []
    text = (
        f"A tile of {written.execution.tile} images did not fit into memory: every result is of tiles of {tile}. Scores "
        "of runs with other tiles agree only within float32 rounding."
    )
    return [text]


def _fits(job: Job, extractors: Iterable[Extractor], tile: int) -> bool:
    """True if every network can be called with a tile of this size."""
    import torch

    model, device = job.model, job.runtime.device
    images = torch.zeros(tile, 3, model.image_size, model.image_size, dtype=torch.uint8, device=device)
    tokens = torch.zeros(tile, model.num_tokens, dtype=torch.int64, device=device)
    try:
        with torch.inference_mode():
            model.encode(images)
            model.logits(tokens)
            model.render(tokens)
            for extractor in extractors:
                extractor.embed(images)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return False
    return True
