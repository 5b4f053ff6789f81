"""The model library: MaskGIT inpainting (schedules, noise, decoding, networks, checkpoints, data, training).

import maskgit
model = maskgit.load_model("cats64")
painted = maskgit.inpaint(model, images, holes, gamma="cosine", total_iter=8, sweet_spot=6, seed=0)
"""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from maskgit.model import MaskedImageModel
    from maskgit.own_schedules import OwnGamma

    __version__: str

__all__ = ["__version__", "inpaint", "load_model"]


def _report_shadowed_harness() -> None:
    """Warn where `import bench` would not get the harness that was installed with this package, which runs without it."""
    spec = importlib.util.find_spec("bench")
    place = spec.origin if spec is not None else None
    if place is not None and Path(place).resolve().parents[1] != Path(__file__).resolve().parents[1]:
        warnings.warn(
            f"{place} hides maskbench's own package bench from `import bench`; rename it or start from another folder",
            stacklevel=3,
        )


_report_shadowed_harness()


def __getattr__(name: str) -> str:
    """`__version__`, looked up on demand."""
    if name == "__version__":
        from maskgit.version import version

        return version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_model(checkpoint: str | Path, device: str = "auto", *, base: str | Path | None = None) -> MaskedImageModel:
    """Find and load a checkpoint.

    Args:
        checkpoint: A bundled name, a folder, or "python:module:factory", as in `model.checkpoint` of a grid.toml.
        device: "auto", "cpu", "cuda" or "cuda:1".
        base: Folder that a relative path starts from; the current one unless given.

    Raises:
        InputError: No such checkpoint or device, or weights that do not fit.
    """
    from maskgit.checkpoints.locate import locate
    from maskgit.checkpoints.native import load_model as load
    from maskgit.model import chosen_device

    return load(locate(str(checkpoint), Path(base or Path.cwd())), str(chosen_device(device)))


def inpaint(
    model: MaskedImageModel,
    images: Tensor,
    holes: Tensor,
    *,
    gamma: str | OwnGamma = "cosine",
    total_iter: int = 8,
    sweet_spot: int | None = None,
    seed: int = 0,
    **options: Any,
) -> Tensor:
    """Fill the holes (B, H, W) bool of images (B, 3, H, W) uint8; see `maskgit.inpainting.inpaint` for all options."""
    from maskgit.inpainting import inpaint as fill

    return fill(model, images, holes, gamma=gamma, total_iter=total_iter, sweet_spot=sweet_spot, seed=seed, **options)
