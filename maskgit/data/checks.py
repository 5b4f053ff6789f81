"""Check that masks, masked images and ground truth belong together, and find the side of the masks that is the hole.

A masked image is its ground truth with the hole painted in one plain colour (grey 128 in the lab's data, but any colour
works). This shows that mask and image belong together, and which side of the mask is the hole. If at least a quarter of a
set is painted in exactly one colour, every hole must be. Otherwise the set was saved with loss (JPEG), and 80 % of a hole
must be within 32 grey levels of its median colour.
`tests/maskgit/data/test_testset.py` fixes how many matching pairs of real faces pass and how many with exchanged masks are
refused. A hole filled with noise or with another image is refused too: leave `masked_images` out, and holes are
painted grey over the ground truth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MasksAre = Literal["auto", "hole_black", "hole_white"]
"""Side of a mask that is the hole: black (0), white (255), or the side that the images show."""

_NEAR = 32  # grey levels: lossy compression changes few pixels by more, another image many
_PLAIN_SHARE = 0.8  # of a lossily saved painted hole
_EXACT_SETS = 0.25  # with this share of exactly plain holes, the set counts as lossless
_OTHER_IMAGE = 0.2  # of the known pixels; measured: at most 0.18 for JPEG of quality 50, at least 0.2 for other faces
_SAME_IMAGE = 0.02  # of a hole's pixels: most that may differ exactly if it was not painted
_MOSTLY_HOLE = 2 / 3  # real holes cover up to 0.3, so inverted masks 0.7 and more

INVERTED = "looks inverted: the image is painted on the side of the mask that is known, not in the hole"
UNPAINTED = (
    "the hole is not painted: the masked image shows the ground truth in it; leave data.masked_images out, and holes "
    "are painted for you"
)
_STRANGERS = (
    "mask and masked image do not belong together: the hole is not painted in one plain colour (where it is filled with "
    "something else, leave data.masked_images out)"
)


def hole_problem(hole: NDArray[np.bool_]) -> str | None:
    """Describe what is wrong with a single hole, if anything.

    Args:
        hole: bool, (H, W), True = repaint.
    """
    if not hole.any():
        return "no hole: every pixel is known"
    return "all hole: no pixel is known" if hole.all() else None


def size_problems(holes: NDArray[np.bool_]) -> list[str | None]:
    """Report masks that would repaint most of an image, for test sets without masked images to confirm them.

    Args:
        holes: bool, (N, H, W), True = repaint.

    Returns:
        One text per mask, or None if nothing is wrong. If the holes cover more than half of all pixels, every mask is
        reported; otherwise those with a hole of more than two thirds.
    """
    shares = holes.mean(axis=(1, 2))
    limit = 0.0 if shares.mean() > 0.5 else _MOSTLY_HOLE
    return [
        f"looks inverted: {share:.0%} would be repainted; if white is the hole, set data.masks_are = "
        '"hole_white", and if these holes are meant, "hole_black"'
        if share > limit
        else None
        for share in shares
    ]


def hole_is_white(
    masked: NDArray[np.uint8], white: NDArray[np.bool_], truth: NDArray[np.uint8], lossy: bool = False
) -> bool:
    """Decide which side of the masks is the hole: the one painted in more images, or black if none is.

    Args:
        masked: uint8, (N, 3, H, W).
        white: bool, (N, H, W), True on the white side of a mask.
        truth: uint8, (N, 3, H, W).
        lossy: As for `pair_problems`.
    """
    black_fits = np.array([problem is None for problem in pair_problems(masked, ~white, truth, lossy)])
    if black_fits.all():
        return False
    white_fits = np.array([problem is None for problem in pair_problems(masked, white, truth, lossy)])
    return int((white_fits & ~black_fits).sum()) > int((black_fits & ~white_fits).sum())


def pair_problems(
    masked: NDArray[np.uint8], hole: NDArray[np.bool_], truth: NDArray[np.uint8], lossy: bool = False
) -> list[str | None]:
    """Check for each image whether its mask, masked image and ground truth belong together.

    Args:
        masked: uint8, (N, 3, H, W).
        hole: bool, (N, H, W), True = repaint, neither all True nor all False.
        truth: uint8, (N, 3, H, W).
        lossy: Masks were saved with loss or antialiased, so that the edges of holes are not exact.

    Returns:
        One text per image, or None if nothing is wrong.
    """
    exact = [
        _plain_share(image[:, h], 0) == 1 or _plain_share(image[:, ~h], 0) == 1
        for image, h in zip(masked, hole, strict=True)
    ]
    near, share = (0, 1.0) if sum(exact) >= _EXACT_SETS * len(exact) and not lossy else (_NEAR, _PLAIN_SHARE)
    return [_pair_problem(*pair, near, share) for pair in zip(masked, hole, truth, strict=True)]


def _pair_problem(
    image: NDArray[np.uint8], hole: NDArray[np.bool_], true: NDArray[np.uint8], near: int, plain_share: float
) -> str | None:
    painted, known_painted = (_plain_share(image[:, side], near) >= plain_share for side in (hole, ~hole))
    if _shows_truth(image[:, hole], true[:, hole]):
        elsewhere = _differing(image[:, ~hole], true[:, ~hole], _NEAR) >= 0.5
        return INVERTED if known_painted or elsewhere else UNPAINTED
    if painted:
        return _other_image(image[:, ~hole], true[:, ~hole])
    if known_painted:
        return INVERTED
    whole = image.reshape(3, -1), true.reshape(3, -1)
    return UNPAINTED if _differing(*whole, _NEAR) <= _SAME_IMAGE else _STRANGERS


def same_image(masked: NDArray[np.uint8], true: NDArray[np.uint8]) -> bool:
    """True if most pixels of a masked image (3, H, W) agree with this ground truth; the mask is not needed."""
    return _differing(masked.reshape(3, -1), true.reshape(3, -1), _NEAR) < 0.5


def _plain_share(pixels: NDArray[np.uint8], near: int) -> float:
    """Share of the pixels (3, P) within `near` grey levels of their median colour, in every channel."""
    median = np.median(pixels, axis=1, keepdims=True)
    return float((np.abs(pixels - median) <= near).all(axis=0).mean())


def _differing(pixels: NDArray[np.uint8], others: NDArray[np.uint8], near: int) -> float:
    """Share of the pixels (3, P) more than `near` grey levels from their counterparts, in any channel."""
    return float((np.abs(pixels.astype(np.int16) - others) > near).any(axis=0).mean())


def _shows_truth(pixels: NDArray[np.uint8], true: NDArray[np.uint8]) -> bool:
    """True if a hole (3, P) was not painted; if it is plain in the ground truth, this cannot be decided."""
    return _differing(pixels, true, 0) <= _SAME_IMAGE and _plain_share(pixels, 0) < 1


def _other_image(known: NDArray[np.uint8], true: NDArray[np.uint8]) -> str | None:
    share = _differing(known, true, _NEAR)
    if share <= _OTHER_IMAGE:
        return None
    return f"masked image and ground truth are different images: {share:.0%} of the known pixels differ"
