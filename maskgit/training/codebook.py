"""Codebook updates in stage 1: initial codes from latents, moving averages, restart of dead codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maskgit.training.config import TokenizerTraining

KMEANS_ROUNDS = 10


class CodebookKeeper:
    """Moves the codes (K, D), in place, to the moving average of the latents that chose them.

    `counts` (K,) and `sums` (K, D) are the moving averages of how many latents chose each code, and of their sum.
    """

    def __init__(self, codes: Tensor, settings: TokenizerTraining) -> None:
        self.codes, self.settings = codes, settings
        self.counts = codes.new_zeros(len(codes))
        self.sums = torch.zeros_like(codes)

    @torch.no_grad()
    def initialise(self, latents: Tensor, draw: torch.Generator) -> None:
        """Set the codes to centres of the latents (…, D) by k-means from random ones."""
        flat = latents.reshape(-1, latents.shape[-1])
        centres = self._some(flat, len(self.codes), draw)
        for _ in range(KMEANS_ROUNDS):
            counts, sums = self._assign(flat, torch.cdist(flat, centres).argmin(1))
            empty = counts == 0
            centres = sums / counts.clamp(min=1.0)[:, None]
            centres[empty] = self._some(flat, int(empty.sum()), draw)
        self.codes.copy_(centres)
        self.counts.fill_(len(flat) / len(self.codes))
        self.sums.copy_(centres * self.counts[:, None])

    @torch.no_grad()
    def adopt(self, latents: int) -> None:
        """Continue from trained codes, as if batches of `latents` latents had chosen each equally often."""
        self.counts.fill_(latents / len(self.codes))
        self.sums.copy_(self.codes * self.counts[:, None])

    @torch.no_grad()
    def update(self, latents: Tensor, chosen: Tensor, restart: torch.Generator | None) -> None:
        """Update with a batch: latents (…, D) and the codes they chose (…); with a generator, restart dead codes.

        A code is dead when its average count is below `restart_below` of an equal share; it becomes a random latent.
        """
        flat, decay = latents.reshape(-1, latents.shape[-1]), self.settings.codebook_decay
        counts, sums = self._assign(flat, chosen.flatten())
        self.counts.lerp_(counts, 1.0 - decay)
        self.sums.lerp_(sums, 1.0 - decay)
        share = len(flat) / len(self.codes)
        if restart is not None:
            dead = self.counts < self.settings.restart_below * share
            fresh = self._some(flat, int(dead.sum()), restart)
            self.counts[dead] = share
            self.sums[dead] = fresh * share
        alive = self.counts > 1e-3
        self.codes[alive] = self.sums[alive] / self.counts[alive, None]

    def state_dict(self) -> dict[str, Tensor]:
        """The moving averages; the codes belong to the model's state."""
        return {"counts": self.counts, "sums": self.sums}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state_dict` returned."""
        self.counts.copy_(state["counts"])
        self.sums.copy_(state["sums"])

    def _assign(self, flat: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        counts = torch.zeros_like(self.counts).index_add_(0, chosen, flat.new_ones(len(flat)))
        return counts, torch.zeros_like(self.sums).index_add_(0, chosen, flat)

    @staticmethod
    def _some(flat: Tensor, count: int, draw: torch.Generator) -> Tensor:
        return flat[torch.randint(len(flat), (count,), generator=draw).to(flat.device)]
