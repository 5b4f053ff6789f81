"""What a model makes of the ground truth: its tokens, and how likely they are to it; stored by block."""

from __future__ import annotations

from typing import cast

import numpy as np
import pyarrow as pa
import torch

from bench.run.blocks import Block
from bench.run.decode import MaskedBlock
from bench.run.job import Job
from bench.store.canvases import column, vectors
from bench.store.keys import truth_likelihood_key, truth_tokens_key
from bench.store.kinds import TRUTH_LIKELIHOOD, TRUTH_TOKENS
from bench.store.store import Store
from maskgit.tiles import tiled


def truth_tokens(job: Job, block: Block, store: Store) -> np.ndarray:
    """Tokens (B, N) int64 of a block's ground truth, from the store if they are there."""
    key = truth_tokens_key(job.model.fingerprint, block.identity, job.numerics)

    def compute() -> pa.Table:
        images = torch.from_numpy(block.truth).to(job.device)
        tokens = tiled(job.model.encode, images, job.tile).cpu().numpy()
        return pa.table({"tokens": column(tokens.astype(np.uint16))})

    return vectors(store.get_or_compute(TRUTH_TOKENS, key, compute), "tokens").astype(np.int64)


def truth_nll_nats(job: Job, block: Block, store: Store, masked: MaskedBlock | None = None) -> np.ndarray:
    """Mean negative log-likelihood (B,) float32, in nats a token, of the ground truth's tokens in the hole.

    Under the logits of the first step, where the whole hole is masked: −1/|M| Σ_{i in M} log p(yᵢ | y_known), the
    training loss of masked token modelling (Chang et al. 2022, equation 1) for the test set's own holes. It depends on
    the model alone and on no decoding setting. `masked` is the block, where its first logits are at hand.
    """
    key = truth_likelihood_key(job.key(block), block.identity)

    def compute() -> pa.Table:
        first = masked or job.masked(block)
        tokens = torch.from_numpy(truth_tokens(job, block, store)).to(job.device)
        log_p = first.first_logits[..., : job.model.num_codes].float().log_softmax(-1)
        nll = -log_p.gather(2, tokens[..., None]).squeeze(2)
        mean = nll.masked_fill(~first.mask, 0.0).sum(1) / first.mask.sum(1)
        return pa.table({"nll_nats": mean.cpu().numpy()})

    return cast("np.ndarray", store.get_or_compute(TRUTH_LIKELIHOOD, key, compute)["nll_nats"].to_numpy())
