"""What is wrong with a mask, and with a mask, a masked image and a ground truth taken together.

How masked images may look. A masked image is its ground truth with the hole painted in one plain colour (the lab's is
grey 128, but any will do): that is what shows that mask and image belong together and that the mask is not inverted.
Where at least a quarter of a set is painted in exactly one colour, every hole must be. Else the set was saved with loss
(JPEG), and 80 % of a hole must lie within 32 grey levels of its median colour. `tests/maskgit/data/test_testset.py`
holds how many matching pairs of real faces pass, and how many with exchanged masks are refused.
A hole filled with noise or with a picture is refused too: leave `masked_images` out, and holes are painted grey over
the ground truth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_NEAR = 32  # grey levels by which lossy compression moves few pixels, and another picture moves many
_PLAIN_SHARE = 0.8  # of a lossily saved painted hole
_EXACT_SETS = 0.25  # share of exactly plain holes from which the set counts as saved without loss
_OTHER_PICTURE = 0.2  # of the known pixels; measured: at most 0.18 for JPEG of quality 50, at least 0.2 for other faces
_SAME_PICTURE = 0.02  # of the pixels of a hole: what may differ, exactly, in one that was not painted
_MOSTLY_HOLE = 2 / 3  # real holes cover up to 0.3, so inverted masks 0.7 and more

_INVERTED = "looks inverted: the image is painted where the mask says 255 (known), not where it says 0"
_UNPAINTED = "the hole is not painted: the masked image shows the ground truth in it"
_STRANGERS = "mask and masked image do not belong together: the hole is not painted in one plain colour"


def mask_problem(mask: NDArray[np.uint8]) -> str | None:
    """Say what is wrong with a mask by itself.

    Args:
        mask: uint8, (H, W); right is 0 = hole and 255 = known, both present.
    """
    stray = int(((mask != 0) & (mask != 255)).sum())
    if stray and mask.max() == 1:
        return "values 0 and 1; write 0 for the hole and 255 for known pixels"
    if stray:
        return f"grey: {stray} of {mask.size} pixels are neither 0 (hole) nor 255 (known); save it without loss, as PNG"
    if mask.all():
        return "no hole: every pixel is 255 (known)"
    if not mask.any():
        return "all hole: every pixel is 0"
    return None


def polarity_problem(hole: NDArray[np.bool_]) -> str | None:
    """Suspect a mask that would have most of the picture repainted, where no masked image can prove it right.

    Args:
        hole: bool, (H, W), True = repaint.
    """
    if hole.mean() <= _MOSTLY_HOLE:
        return None
    return f"looks inverted: {hole.mean():.0%} hole; 0 is hole and 255 known (if it is meant, give masked_images too)"


def pair_problems(
    masked: NDArray[np.uint8], hole: NDArray[np.bool_], truth: NDArray[np.uint8] | None
) -> list[str | None]:
    """Say of each image whether its mask, masked image and ground truth belong together.

    Args:
        masked: uint8, (N, 3, H, W).
        hole: bool, (N, H, W), True = repaint, neither all True nor all False.
        truth: uint8, (N, 3, H, W), or None where there is none.

    Returns:
        One text an image, or None where nothing is wrong.
    """
    exact = [
        _plain_share(image[:, h], 0) == 1 or _plain_share(image[:, ~h], 0) == 1
        for image, h in zip(masked, hole, strict=True)
    ]
    near, share = (0, 1.0) if sum(exact) >= _EXACT_SETS * len(exact) else (_NEAR, _PLAIN_SHARE)
    found: list[str | None] = []
    for index, (image, h) in enumerate(zip(masked, hole, strict=True)):
        true = None if truth is None else truth[index]
        painted, known_painted = (_plain_share(image[:, where], near) >= share for where in (h, ~h))
        if true is not None and _shows_truth(image[:, h], true[:, h]):
            elsewhere = _differing(image[:, ~h], true[:, ~h], _NEAR) >= 0.5
            found.append(_INVERTED if known_painted or elsewhere else _UNPAINTED)
        elif painted:
            found.append(None if true is None else _other_picture(image[:, ~h], true[:, ~h]))
        else:
            found.append(_INVERTED if known_painted else _STRANGERS)
    return found


def _plain_share(pixels: NDArray[np.uint8], near: int) -> float:
    """Share of the pixels (3, P) within `near` grey levels of their median colour, in every channel."""
    median = np.median(pixels, axis=1, keepdims=True)
    return float((np.abs(pixels - median) <= near).all(axis=0).mean())


def _differing(pixels: NDArray[np.uint8], others: NDArray[np.uint8], near: int) -> float:
    """Share of the pixels (3, P) more than `near` grey levels from their counterparts, in any channel."""
    return float((np.abs(pixels.astype(np.int16) - others) > near).any(axis=0).mean())


def _shows_truth(pixels: NDArray[np.uint8], true: NDArray[np.uint8]) -> bool:
    """Whether a hole (3, P) was left as it is; one that is plain in truth cannot be told from a painted one."""
    return _differing(pixels, true, 0) <= _SAME_PICTURE and _plain_share(pixels, 0) < 1


def _other_picture(known: NDArray[np.uint8], true: NDArray[np.uint8]) -> str | None:
    share = _differing(known, true, _NEAR)
    if share <= _OTHER_PICTURE:
        return None
    return f"masked image and ground truth are different pictures: {share:.0%} of the known pixels differ"
