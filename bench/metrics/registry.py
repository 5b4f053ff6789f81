"""The metrics: name, label, unit, direction, decimals and function of each.

The columns of the tables, the labels of the reports and the documentation follow from `METRICS`. `declare` adds a metric,
also from outside the package (see CONTRIBUTING.md), before the rest of `bench` is imported. A pixel metric has one value
per image and becomes a column of cells.parquet and images.parquet; a feature metric has one number per extractor and
becomes rows of metrics.parquet. Imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bench.metrics.neighbours import K_DENSITY
from bench.metrics.pixels import mean_absolute_error, psnr_db

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import numpy as np
    from numpy.typing import NDArray

    from bench.metrics.embedded import EmbeddedImages
    from bench.metrics.repainted import RepaintedImages

Origin = Literal["pixels", "tokens", "features", "time"]


@dataclass(frozen=True)
class Metric:
    """A measured quantity.

    Attributes:
        name: Column of the tables, or value of the column `metric`.
        label: Name for people.
        of: Its origin: an image's pixels or tokens, the features of all images, or time.
        meaning: One sentence for the documentation.
        better: Direction of improvement; None if there is none.
        unit: Text after the number; "%" multiplies it by 100. Empty for a number without a unit.
        decimals: Digits after the decimal point.
        per_image: For a pixel metric: the values (N,) of repainted images.
        of_set: For a feature metric: the value over all images, and its standard error or None.
        version: For a metric declared after the first release; increases when its values change. It is part of the keys
            of stored pixel errors, so that a new pixel metric is also computed for images that are stored already.
        in_summary: True if reports show it first, with the best cell and in the tables over cells.
        extra: Name in metrics.extra that asks for it; empty for a metric that is always measured.
        min_images: Fewest images for which it can be measured.
    """

    name: str
    label: str
    of: Origin
    meaning: str
    better: Literal["higher", "lower"] | None = None
    unit: str = ""
    decimals: int = 2
    per_image: Callable[[RepaintedImages], NDArray[np.floating]] | None = None
    of_set: Callable[[EmbeddedImages], tuple[float, float | None]] | None = None
    version: int | None = None
    in_summary: bool = False
    extra: str = ""
    min_images: int = 0

    @property
    def label_with_unit(self) -> str:
        """The label for a column or an axis: PSNR in the hole, dB."""
        return f"{self.label}, {self.unit}" if self.unit else self.label

    def show(self, value: float | None) -> str:
        """Text of a value with its unit, or a dash for None."""
        if value is None:
            return "–"
        text = f"{value * (100 if self.unit == '%' else 1):.{self.decimals}f}"
        return f"{text} {self.unit}" if self.unit else text


METRICS: dict[str, Metric] = {}


def declare(metric: Metric) -> Metric:
    """Add a metric.

    Raises:
        ValueError: The name is taken, or a pixel or feature metric lacks its function.
    """
    if metric.name in METRICS:
        raise ValueError(f"the metric {metric.name} is declared already")
    if (metric.of == "pixels") != (metric.per_image is not None) or (metric.of == "features") != bool(metric.of_set):
        raise ValueError(f"the metric {metric.name} is of {metric.of}: give its function, and no other")
    METRICS[metric.name] = metric
    return metric


def metrics_of(*origins: Origin) -> tuple[Metric, ...]:
    """The metrics of some origins, in the order of the columns."""
    return tuple(metric for metric in METRICS.values() if metric.of in origins)


def extra_names() -> tuple[str, ...]:
    """The names that metrics.extra takes."""
    return tuple(dict.fromkeys(metric.extra for metric in METRICS.values() if metric.extra))


def feature_metrics(extra: Collection[str]) -> tuple[Metric, ...]:
    """The feature metrics to measure, given metrics.extra."""
    return tuple(metric for metric in metrics_of("features") if not metric.extra or metric.extra in extra)


def image_metrics() -> tuple[Metric, ...]:
    """The metrics with a value for each image."""
    return metrics_of("pixels", "tokens")


def added_pixel_metrics() -> list[str]:
    """Name and version of every pixel metric that was declared after the first release."""
    return sorted(f"{metric.name} {metric.version}" for metric in metrics_of("pixels") if metric.version is not None)


declare(
    Metric(
        "psnr_hole_db",
        "PSNR in the hole",
        "pixels",
        "Peak signal-to-noise ratio over the pixels of the hole, at most 100 dB; mean over images.",
        better="higher",
        unit="dB",
        per_image=lambda images: psnr_db(images.images, images.truth, images.hole),
        in_summary=True,
    )
)
declare(
    Metric(
        "mae_hole",
        "MAE in the hole",
        "pixels",
        "Mean absolute error over the pixels of the hole, in grey levels from 0 to 255.",
        better="lower",
        unit="/ 255",
        per_image=lambda images: mean_absolute_error(images.images, images.truth, images.hole),
        in_summary=True,
    )
)
declare(
    Metric(
        "ssim_hole",
        "SSIM in the hole",
        "pixels",
        "Structural similarity, mean over the pixels of the hole.",
        better="higher",
        decimals=3,
        per_image=lambda images: images.similarity.mean((1, 2), where=images.hole),
    )
)
declare(
    Metric(
        "psnr_ring_db",
        "PSNR at the hole's border",
        "pixels",
        "Peak signal-to-noise ratio within 2 pixels of the hole's border, on both sides, where a seam would be visible.",
        better="higher",
        unit="dB",
        per_image=lambda images: psnr_db(images.images, images.truth, images.ring),
    )
)
declare(
    Metric(
        "ssim_ring",
        "SSIM at the hole's border",
        "pixels",
        "Structural similarity, mean within 2 pixels of the hole's border.",
        better="higher",
        decimals=3,
        per_image=lambda images: images.similarity.mean((1, 2), where=images.ring),
    )
)
declare(
    Metric(
        "token_accuracy",
        "token accuracy",
        "tokens",
        "Share of the hole's tokens that equal those of the ground truth, in [0, 1].",
        better="higher",
        unit="%",
        decimals=1,
        in_summary=True,
    )
)
declare(
    Metric(
        "truth_nll_nats",
        "NLL of the ground-truth tokens",
        "tokens",
        "Mean negative log-likelihood of the ground truth's tokens in the hole under the first step's logits.",
        better="lower",
        unit="nats per token",
        decimals=3,
    )
)
FRECHET = declare(
    Metric(
        "frechet_distance",
        "Fréchet distance",
        "features",
        "Fréchet distance of the images to their originals: FID on FID's own features, otherwise FD.",
        better="lower",
        of_set=lambda images: (images.frechet.value, images.frechet.se),
    )
).name
declare(
    Metric(
        "frechet_mean_term",
        "mean term",
        "features",
        "Part of the Fréchet distance that is due to the difference of the means.",
        of_set=lambda images: (images.frechet.mean_term, None),
    )
)
declare(
    Metric(
        "frechet_covariance_term",
        "covariance term",
        "features",
        "Part of the Fréchet distance that is due to the difference of the covariances.",
        of_set=lambda images: (images.frechet.covariance_term, None),
    )
)
declare(
    Metric(
        "frechet_rank",
        "rank under the root",
        "features",
        "Numerical rank of the matrix whose root the Fréchet distance takes.",
        decimals=0,
        of_set=lambda images: (float(images.frechet.rank), None),
    )
)
KERNEL = declare(
    Metric(
        "kernel_distance",
        "kernel distance",
        "features",
        "Kernel distance of the images to their originals: KID on FID's own features, otherwise KD.",
        better="lower",
        decimals=4,
        of_set=lambda images: (images.kernel.value, images.kernel.se),
    )
).name
MONGE = declare(
    Metric(
        "monge_distance",
        "sliced Wasserstein distance",
        "features",
        "Sliced 2-Wasserstein distance of the images to their originals: MIND on FID's own features, otherwise SW2.",
        better="lower",
        of_set=lambda images: (images.monge.value, images.monge.se),
        extra="mind",
    )
).name
declare(
    Metric(
        "precision",
        "precision",
        "features",
        "Share of the images that are among their originals, by 3 nearest neighbours.",
        better="higher",
        decimals=3,
        of_set=lambda images: images.support.mean_and_se("precision", images.groups),
        extra="prdc",
        min_images=K_DENSITY + 1,
    )
)
declare(
    Metric(
        "recall",
        "recall",
        "features",
        "Share of the originals that are among the images, by 3 nearest neighbours.",
        better="higher",
        decimals=3,
        of_set=lambda images: images.support.mean_and_se("recall", images.groups),
        extra="prdc",
        min_images=K_DENSITY + 1,
    )
)
declare(
    Metric(
        "density",
        "density",
        "features",
        "Mean number of originals whose 5 nearest neighbours are no closer to them than an image, over 5.",
        better="higher",
        decimals=3,
        of_set=lambda images: images.support.mean_and_se("density", images.groups),
        extra="prdc",
        min_images=K_DENSITY + 1,
    )
)
declare(
    Metric(
        "coverage",
        "coverage",
        "features",
        "Share of the originals with an image closer than their fifth nearest neighbour.",
        better="higher",
        decimals=3,
        of_set=lambda images: images.support.mean_and_se("coverage", images.groups),
        extra="prdc",
        min_images=K_DENSITY + 1,
    )
)
declare(
    Metric(
        "images_per_s",
        "images/s",
        "time",
        "Images per second: 1000 / ms_per_image.",
        better="higher",
        unit="images/s",
    )
)
declare(
    Metric(
        "ms_per_image",
        "ms/image",
        "time",
        "Milliseconds per image: encoding, the executed steps and rendering, from unit costs measured on full tiles.",
        better="lower",
        unit="ms",
    )
)
