"""Comparison of two samples: Fréchet distance and kernel distance, with their standard errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.features.sources import Source, as_strict, resolve
from bench.fid.kinds import Features, Images, Sample
from bench.fid.samples import open_sample, require_same_images
from bench.metrics.frechet import GaussianStats, distance, prepare
from bench.metrics.influence import estimate_disjoint, estimate_paired
from bench.metrics.kernel import kernel_distance_disjoint, kernel_distance_paired
from bench.metrics.naming import label_of
from bench.run.caveats import of_extractors
from maskgit.data.problems import some_of
from maskgit.errors import InputError
from maskgit.files import make_writable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

DEFAULT_FEATURES = "inception"
GIVEN = "given"
"""Name of the extractor of features that were extracted elsewhere, if the user gives none."""


@dataclass(frozen=True)
class Scores:
    """The numbers of a comparison.

    Attributes:
        value: The squared Fréchet distance; mean_term and covariance_term add up to it.
        se: Its standard error over images. This field and the following ones are None if a side is only statistics.
        rank: Rank of the matrix under the root.
        kid: Kernel distance over all images; it is unbiased and therefore sometimes negative.
        kid_se: Its standard error over images.
        n_distinct: Number of distinct originals in a paired comparison, the sampling units; None if disjoint.
    """

    value: float
    mean_term: float
    covariance_term: float
    se: float | None = None
    rank: int | None = None
    kid: float | None = None
    kid_se: float | None = None
    n_distinct: int | None = None


@dataclass(frozen=True)
class Comparison:
    """Two samples, their distances, and how these were computed.

    Attributes:
        a: Name of the generated images.
        b: Name of the reference.
        n_a: Number of images in A; None for statistics, which do not say.
        n_b: Number of images in B, or None.
        scores: The numbers.
        paired: True if B holds A's originals, image by image; otherwise A and B are treated as independent.
        label: "FID", or "FD" if features are not those of FID's network with its official weights, or were given.
        features: Name of the extractor.
        verified: True if every feature was extracted here, with known weights.
        weights_sha256: sha256 of the extractor's weights; None if all features were given.
        strict: True if features were extracted in pytorch-fid's own order of operations.
        notes: Caveats for the reader.
    """

    a: str
    b: str
    n_a: int | None
    n_b: int | None
    scores: Scores
    paired: bool
    label: str
    features: str
    verified: bool
    weights_sha256: str | None
    strict: bool
    notes: tuple[str, ...]


def compare(
    a: Path,
    b: Path,
    *,
    features: str | None = None,
    weights: Path | None = None,
    allow_unverified: bool = False,
    device: str = "auto",
    paired: bool = False,
    strict: bool = False,
    cache: Path | None = None,
    quiet: bool = False,
) -> Comparison:
    """Distance of sample A to sample B; `bench.fid.samples.open_sample` lists the accepted forms.

    Args:
        a: The generated images.
        b: The reference.
        features: Name of the extractor, "inception" by default; for given features, the name to report.
        weights: File of the extractor's weights.
        allow_unverified: Accept weights whose sha256 is not the known one.
        device: "auto", "cpu", "cuda" or "cuda:1".
        paired: B holds A's originals, matched by number; otherwise the samples are treated as independent.
        strict: Extract in pytorch-fid's own order of operations.
        cache: Folder that caches extracted features by content; None caches nothing.
        quiet: Show no progress.

    Raises:
        InputError: A sample or the weights are missing or wrong, or the samples cannot be compared.
    """
    samples = open_sample(a, paired), open_sample(b, paired)
    if paired:
        require_same_images(*samples)
    of_images = [sample for sample in samples if isinstance(sample, Images)]
    source = _source(features, weights, allow_unverified, strict) if of_images else None
    cache, cache_notes = _usable(cache if of_images else None)
    if source is None:
        _refuse_idle(samples, weights, strict)
    x, y = _with_features(samples, source, device, cache, quiet)
    known = source is not None and len(of_images) == len(samples)
    return Comparison(
        a=samples[0].name,
        b=samples[1].name,
        n_a=_count(samples[0]),
        n_b=_count(samples[1]),
        scores=_scores(x, y, paired),
        paired=paired,
        label=source.label if source and known else label_of(False),
        features=source.name if source else features or GIVEN,
        verified=source.verified if source and known else False,
        weights_sha256=source.sha256 if source else None,
        strict=strict,
        notes=(*_notes(samples, source, paired), *cache_notes),
    )


def _source(features: str | None, weights: Path | None, allow_unverified: bool, strict: bool) -> Source:
    source = resolve(features or DEFAULT_FEATURES, weights, allow_unverified, download=True)
    return as_strict(source) if strict else source


def _refuse_idle(samples: tuple[Sample, Sample], weights: Path | None, strict: bool) -> None:
    """Refuse options of the extraction if there is nothing to extract."""
    for option, given in (("--weights", weights is not None), ("--strict", strict)):
        if given:
            raise InputError(f"{option}: {samples[0].name} and {samples[1].name} hold no images; leave it out")


def _with_features(
    samples: tuple[Sample, Sample], source: Source | None, device: str, cache: Path | None, quiet: bool
) -> list[Features | GaussianStats]:
    """Both sides, with features instead of images."""
    of_images = [sample for sample in samples if isinstance(sample, Images)]
    extracted: Iterator[NDArray[np.float32]] = iter(())
    if source is not None:
        from bench.fid.extraction import extract  # here, because given features need no torch

        extracted = iter(extract(of_images, source, device, cache, quiet))
    return [Features(s.name, s.numbers, next(extracted)) if isinstance(s, Images) else s for s in samples]


def _scores(a: Features | GaussianStats, b: Features | GaussianStats, paired: bool) -> Scores:
    x, y = (side if isinstance(side, GaussianStats) else prepare(side.values, side.name) for side in (a, b))
    if isinstance(a, GaussianStats) or isinstance(b, GaussianStats):
        value, shift = distance(x, y), x.mean - y.mean
        mean_term = float(shift @ shift)
        return Scores(value, mean_term, value - mean_term)
    assert not isinstance(x, GaussianStats)
    assert not isinstance(y, GaussianStats)
    if paired:
        originals = _same_rows(b.values)
        frechet = estimate_paired(x, y, originals)
        kernel = kernel_distance_paired(a.values, b.values, originals)
    else:
        originals = []
        groups = _same_rows(a.values), _same_rows(b.values)
        frechet = estimate_disjoint(x, y, *groups)
        kernel = kernel_distance_disjoint(a.values, b.values, *groups)
    return Scores(
        frechet.value,
        frechet.mean_term,
        frechet.covariance_term,
        frechet.se,
        frechet.rank,
        kernel.value,
        kernel.se,
        len(set(originals)) or None,
    )


def _same_rows(values: NDArray[np.generic]) -> list[int]:
    """A number per row, the same for equal rows: copies of one image have the same features, bit for bit."""
    numbers: dict[bytes, int] = {}
    return [numbers.setdefault(row.tobytes(), len(numbers)) for row in values]


def _count(sample: Sample) -> int | None:
    return None if isinstance(sample, GaussianStats) else sample.n


def _notes(samples: tuple[Sample, Sample], source: Source | None, paired: bool) -> tuple[str, ...]:
    """Notes on skipped or converted files, on biased numbers, and on samples that look paired but are not declared so."""
    notes: list[str] = []
    for sample in samples:
        notes += sample.notes
        if not isinstance(sample, Images):
            kind = "statistics" if isinstance(sample, GaussianStats) else "features"
            notes.append(f"{sample.name}: {kind} are used as given; the network that made them is not known")
    counts = [sample.n for sample in samples if not isinstance(sample, GaussianStats)]
    if source and counts:
        notes += of_extractors(min(counts), (source,))
    return (*notes, *([] if paired else [*_looks_paired(*samples), *_lacks_images(*samples)]))


def _usable(cache: Path | None) -> tuple[Path | None, tuple[str, ...]]:
    """The cache if it is writable; otherwise None and a note."""
    if cache is None:
        return None, ()
    try:
        make_writable(cache)
    except OSError as error:
        cause = f"{cache}: cannot be written ({error.strerror})"
        return None, (f"{cause}, so features are not cached; set XDG_CACHE_HOME to another folder, or give --no-cache",)
    return cache, ()


def _looks_paired(a: Sample, b: Sample) -> list[str]:
    if isinstance(a, GaussianStats) or isinstance(b, GaussianStats):
        return []
    notes = []
    if a.n == b.n and (a.numbers == b.numbers or a.numbers is None or b.numbers is None):
        notes.append(
            "A and B are taken as independent, but may be of the same images (equally many, and no number says otherwise): "
            "if B holds A's originals, --paired gives the standard error and the KID of that"
        )
    if isinstance(a, Images) and isinstance(b, Images) and (common := set(a.digests) & set(b.digests)):
        notes.append(f"{len(common)} images are both in A and in B, pixel by pixel")
    return notes


def _lacks_images(a: Sample, b: Sample) -> list[str]:
    """A note if one side lacks images of the other, by number, or if the counts differ and there are no numbers."""
    if isinstance(a, GaussianStats) or isinstance(b, GaussianStats):
        return []
    if a.numbers is None or b.numbers is None:
        unequal = f"A has {a.n} images and B has {b.n}: if B holds A's originals, give the same images on both sides"
        return [unequal] if a.n != b.n else []
    notes = []
    for name, numbers, others in (("A", set(a.numbers), set(b.numbers)), ("B", set(b.numbers), set(a.numbers))):
        if numbers < others:
            absent = some_of([str(number) for number in sorted(others - numbers)])
            notes.append(
                f"{name} has {len(numbers)} of the other side's {len(others)} images, by number (without {absent}), and the "
                "distance is between sets of different size: if B holds A's originals, give the same images on both sides"
            )
    return notes
