"""Tables on the reading of real checkpoints, and on how well a reading can be measured.

    python -m tools.checkpoint_readings CASES
    python -m tools.checkpoint_readings --model NAME [--ground-truth PATH --masks FOLDER]

The first command prints a Markdown table with one row per case, a folder in CASES with a `model/` (and with
`expected_logits.npy` and `expected_nll.npy` from the author's own attention): whether the model loads, its difference from
the expected values, and what decided the reading. The second prints the predictions of a trained model under each possible
reading of its attention, on the built-in images or on the given ones.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from maskgit.checkpoints.declared import Declared
from maskgit.checkpoints.evidence import MOST_IMAGES, Evidence, Nats, encode, frequency_nats, prediction_nats
from maskgit.checkpoints.locate import locate
from maskgit.checkpoints.native import load_model
from maskgit.config import VARIANTS
from maskgit.data.loading import load_test_set
from maskgit.data.testset import TestSet, catfaces_test_set
from maskgit.errors import CheckpointError
from maskgit.model import MaskGIT
from maskgit.transformer import BidirectionalTransformer

if TYPE_CHECKING:
    from collections.abc import Iterator

DECLARED = (
    Declared(),
    Declared(order="heads"),
    Declared(order="heads", variant="joined_by_view"),
    Declared(variant="softmax_over_queries"),
)
"""Declarations by the authors of the cases, tried in this order until the logits match theirs."""
CLOSE = 1e-4
PROJECTIONS = ("q_proj", "k_proj", "v_proj")


def main() -> None:
    """Print one of the two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="?", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--ground-truth", type=Path)
    parser.add_argument("--masks", type=Path)
    arguments = parser.parse_args()
    if arguments.cases is not None:
        lines = cases_table(arguments.cases)
    elif arguments.model:
        lines = readings_table(arguments.model, test_images(arguments.ground_truth, arguments.masks))
    else:
        parser.error("give CASES or --model")
    for line in lines:
        sys.stdout.write(line + "\n")


def cases_table(folder: Path) -> Iterator[str]:
    """The table of cases, one row each."""
    yield "| case | declared | loads | largest difference of logits | how it was read, or why not |"
    yield "| :--- | :--- | :--- | ---: | :--- |"
    for case in sorted(path.parent for path in folder.glob("*/model")):
        for declared in DECLARED:
            difference, reading = _read(case, declared)
            declarations = ", ".join(f"{key} = {value}" for key, value in declared.said.items()) or "–"
            distance = f"{difference:.1e}" if difference is not None else "–"
            loads = "no" if reading.startswith("refused") else "yes"
            if loads == "no" and declared.said:
                continue  # the author would not declare this
            yield f"| {case.name} | {declarations} | {loads} | {distance} | {reading} |"
            if not (case / "expected_logits.npy").exists() or (difference is not None and difference < CLOSE):
                break


def _read(case: Path, declared: Declared) -> tuple[float | None, str]:
    """The largest difference from the author's logits, if there are any, and the reading."""
    try:
        model = load_model(locate("model", case, declared=declared))
    except CheckpointError as error:
        return None, f"refused: {str(error).replace(str(case) + '/', '')}"
    assert isinstance(model, MaskGIT)
    words = "; ".join(model.reading)
    if not (case / "expected_logits.npy").exists():
        return None, words
    tokens = torch.from_numpy(np.load(case / "tokens.npy")).long()
    return float(np.abs(model.logits(tokens).numpy() - np.load(case / "expected_logits.npy")).max()), words


def test_images(ground_truth: Path | None, masks: Path | None) -> TestSet:
    """The given images, or the built-in ones."""
    if ground_truth is None or masks is None:
        return catfaces_test_set(MOST_IMAGES)
    return load_test_set(masks=masks, ground_truth=ground_truth, masked_images=None)


def readings_table(name: str, test_set: TestSet) -> Iterator[str]:
    """The predictions of a model under each reading, one row each."""
    model = load_model(locate(name, Path()))
    assert isinstance(model, MaskGIT)
    assert test_set.truth is not None
    images = encode(model, Evidence.of(test_set.masked, test_set.truth, test_set.hole), model.device)
    frequencies = frequency_nats(images.truth, images.mask, model.num_codes)
    scores: dict[str, Nats] = {}
    right, cfg = dict(model.transformer.state_dict()), model.transformer.config
    for reading, state, variant in _readings(right, cfg.n_heads):
        transformer = BidirectionalTransformer(replace(cfg, variant=variant))
        transformer.load_state_dict(state)
        model.transformer = transformer.eval().requires_grad_(False)
        scores[reading] = prediction_nats(model.logits, images, model.num_codes)
    scores["token frequencies"] = frequencies
    first = next(iter(scores.values()))
    above = "above the right one, in standard errors"
    yield f"| {name}, {len(first)} images | nats per token | below the frequencies | {above} |"
    yield "| :--- | ---: | ---: | ---: |"
    for reading, nats in scores.items():
        gap = nats - first
        errors = gap.mean() / (gap.std(ddof=1) / len(gap) ** 0.5) if gap.any() else None
        share = 1 - nats.mean() / frequencies.mean()
        yield f"| {reading} | {nats.mean():.2f} | {share:.1%} | {'–' if errors is None else f'{errors:.1f}'} |"


def _readings(right: dict[str, Tensor], heads: int) -> Iterator[tuple[str, dict[str, Tensor], str]]:
    """Readings of a model that was trained with the standard one: name, tensors and variant of each."""
    yield "right", right, "standard"
    yield "wrong row order", _wrong_order(right, heads), "standard"
    yield "k and v exchanged", _exchanged(right, "k_proj", "v_proj"), "standard"
    yield "q and k exchanged", _exchanged(right, "q_proj", "k_proj"), "standard"
    for variant in VARIANTS:
        if variant != "standard":
            yield f"variant {variant}", right, variant


def _wrong_order(state: dict[str, Tensor], heads: int) -> dict[str, Tensor]:
    """q, k and v fused one after the other, then split as if they were stored head by head."""
    wrong = dict(state)
    for key, tensor in state.items():
        if ".q_proj." in key:
            keys = [key.replace("q_proj", name) for name in PROJECTIONS]
            rows = torch.cat([state[name] for name in keys]).unflatten(0, (heads, 3, -1)).transpose(0, 1)
            wrong.update(zip(keys, rows.reshape(3, *tensor.shape), strict=True))
    return wrong


def _exchanged(state: dict[str, Tensor], first: str, second: str) -> dict[str, Tensor]:
    names = {first: second, second: first}
    return {".".join(names.get(part, part) for part in key.split(".")): value for key, value in state.items()}


if __name__ == "__main__":
    main()
