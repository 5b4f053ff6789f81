"""Reading of users' checkpoints: its evidence in the test set, its check in a plan, and its caveats."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from bench.run.block_work import BlockWork
from maskgit.checkpoints.evidence import FEWEST_IMAGES, Evidence, frequency_nats, reads
from maskgit.checkpoints.load_lab import examine_lab
from maskgit.masks import token_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.run.blocks import Block
    from bench.run.inputs import Inputs
    from bench.run.job import Job
    from bench.store.store import Store
    from maskgit.data.testset import TestSet


def evidence_of(test_set: TestSet) -> Evidence:
    """The images of a test set on which the reading of a lab checkpoint is measured."""
    assert test_set.truth is not None
    return Evidence.of(test_set.masked, test_set.truth, test_set.hole)


def examined(inputs: Inputs) -> Inputs:
    """The inputs with the files of every lab checkpoint read: fingerprints include the reading, errors are those of a run.

    Raises:
        InputError: A checkpoint cannot be loaded.
    """
    checkpoints = {
        name: examine_lab(checkpoint) if checkpoint.kind == "lab" else checkpoint
        for name, checkpoint in inputs.checkpoints.items()
    }
    return replace(inputs, checkpoints=checkpoints)


def model_caveats(job: Job, blocks: Sequence[Block], store: Store) -> list[str]:
    """Caveats of a checkpoint: those of its reading, and a warning if it predicts no better than token frequencies."""
    works = [BlockWork(job, block, store) for block in blocks]
    nats = np.concatenate([work.truth_nll_nats() for work in works]).astype(np.float64)
    truth = torch.from_numpy(np.concatenate([work.truth_tokens() for work in works]))
    mask = token_mask(torch.from_numpy(np.concatenate([block.hole for block in blocks])), job.model.cell)
    holed = mask.any(1).numpy()
    frequencies = frequency_nats(truth, mask, job.model.num_codes)
    texts = [f"{job.name}: {text}" for text in getattr(job.model, "caveats", ())]
    if holed.sum() >= FEWEST_IMAGES and not reads(nats[holed], frequencies[holed]):
        texts.append(
            f"{job.name} predicts the masked tokens of the ground truth no better than their frequencies do: "
            f"{nats[holed].mean():.2f} against {frequencies[holed].mean():.2f} nats per token. Its weights may be untrained, "
            "belong to another model, or be read differently than their author intended (docs/checkpoints.md)."
        )
    return texts
