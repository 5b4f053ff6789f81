"""Stage 2: train the transformer by masked token modelling.

Chang et al., "MaskGIT: Masked Generative Image Transformer", CVPR 2022, section 3.2: predict the masked tokens of an
image from the others, with a random ratio masked. Optimiser and smoothing as in its appendix.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskgit.checkpoints.locate import locate, locate_tokenizer
from maskgit.checkpoints.native import load_model, load_tokenizer, save_native
from maskgit.errors import InputError
from maskgit.model import MaskGIT, chosen_device
from maskgit.tokenizer import VQGAN, to_uint8
from maskgit.training.config import TransformerRecipe, TransformerTraining, read_recipe, transformer_config
from maskgit.training.data import describe, load_images
from maskgit.training.journal import image_grid
from maskgit.training.loop import batch_indices, make_output, saved_state, seeded, train, update_average
from maskgit.training.tokens import TokenSet, cached_set, draw_masked
from maskgit.transformer import BidirectionalTransformer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from maskgit.config import TransformerConfig

STREAM_INIT, STREAM_MASK, STREAM_VALIDATION = 10, 11, 12
UNDECAYED = ("tok_emb.weight", "pos_emb", "bias")
SHOWN = 8


class TransformerStage:
    """Network, its moving average, optimiser and tokens of stage 2; `val_tokens` have holes."""

    def __init__(
        self,
        sizes: TransformerConfig,
        settings: TransformerTraining,
        tokens: TokenSet,
        val_tokens: TokenSet,
        *,
        seed: int,
        name: str,
        tokenizer: VQGAN,
        tokenizer_folder: Path,
        facts: Mapping[str, Any],
        start: BidirectionalTransformer | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.settings, self.tokens, self.val_tokens, self.seed = settings, tokens, val_tokens, seed
        self.name, self.tokenizer_folder, self.facts = name, tokenizer_folder, facts
        self.device = torch.device(device)
        self.tokenizer = tokenizer.to(self.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seeded(seed, 0, STREAM_INIT).initial_seed())
            self.model = BidirectionalTransformer(sizes).to(self.device)
        if start is not None:
            self.model.load_state_dict(start.state_dict())
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            decay_groups(self.model, settings.weight_decay),
            lr=settings.lr,
            betas=(settings.betas[0], settings.betas[1]),
        )

    def logits(self, model: nn.Module, inputs: Tensor) -> Tensor:
        """Logits in float32 from the network in the recipe's precision."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.precision == "bfloat16"):
            return cast("Tensor", model(inputs).float())

    def masked(self, tokens: TokenSet, indices: Tensor, draw: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Draw masked tokens with `draw_masked`, always on the CPU, and move them to the device."""
        inputs, targets, masked = draw_masked(tokens, indices, self.settings, draw, self.model.config.mask_token)
        return inputs.to(self.device), targets.to(self.device), masked.to(self.device)

    def accumulate_gradients(self, inputs: Tensor, targets: Tensor, masked: Tensor) -> float:
        """Accumulate the gradients of a batch in `accumulate` parts; returns its mean loss over masked tokens.

        Every part is divided by the number of masked tokens of the whole batch: the parts' own means would give more
        weight to tokens of parts with fewer masked tokens.
        """
        total, loss_sum = masked.sum(), 0.0
        parts = self.settings.accumulate
        for part in zip(inputs.chunk(parts), targets.chunk(parts), masked.chunk(parts), strict=True):
            logits = self.logits(self.model, part[0])
            smoothing = self.settings.label_smoothing
            loss = (
                F.cross_entropy(logits[part[2]], part[1][part[2]], reduction="sum", label_smoothing=smoothing) / total
            )
            loss.backward()
            loss_sum += float(loss.detach())
        return loss_sum

    def train_step(self, step: int, lr_ratio: float) -> dict[str, float]:
        """Do one optimiser step."""
        settings = self.settings
        indices = batch_indices(len(self.tokens.full), settings.batch, self.seed, step)
        draw = seeded(self.seed, step, STREAM_MASK)
        inputs, targets, masked = self.masked(self.tokens, torch.from_numpy(indices), draw)
        for group in self.optimizer.param_groups:
            group["lr"] = settings.lr * lr_ratio
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.accumulate_gradients(inputs, targets, masked)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), settings.grad_clip)
        self.optimizer.step()
        update_average(self.average, self.model, settings.ema_decay, step)
        return {"loss": loss, "gradient_norm": float(norm)}

    @torch.inference_mode()
    def validate(self) -> tuple[dict[str, float], dict[str, Tensor]]:
        """Cross-entropy (nats per masked token) of the averaged weights under fixed masks, and accuracy in whole holes.

        The logged image is a grid: images with their holes, images with the holes filled in one step, original images.
        """
        all_images = torch.arange(len(self.val_tokens.full))
        loss, _ = self._score(*self.masked(self.val_tokens, all_images, seeded(self.seed, 0, STREAM_VALIDATION)))
        hole, holed, full = self._val_holes()
        mask_token = self.model.config.mask_token
        inputs = torch.where(hole, mask_token, holed)
        hole_loss, hole_accuracy = self._score(inputs, full, hole)
        guess = self.logits(self.average, inputs[:SHOWN])[..., :mask_token].argmax(-1)
        filled = torch.where(hole[:SHOWN], guess, inputs[:SHOWN])
        rows = [to_uint8(self.tokenizer.decode(row)).cpu() for row in (holed[:SHOWN], filled, full[:SHOWN])]
        numbers = {"val_loss": loss, "score": loss, "hole_loss": hole_loss, "hole_accuracy": hole_accuracy}
        return numbers, {"one_step_fill": image_grid(rows)}

    def _val_holes(self) -> tuple[Tensor, Tensor, Tensor]:
        """Holes (n, N) bool, and tokens (n, N) int64 of the holed and of the whole validation images, on the device."""
        tokens = self.val_tokens
        assert tokens.hole is not None
        assert tokens.holed is not None
        hole, holed, full = (part[:, 0].to(self.device) for part in (tokens.hole, tokens.holed, tokens.full))
        return hole, holed.long(), full.long()

    def _score(self, inputs: Tensor, targets: Tensor, masked: Tensor) -> tuple[float, float]:
        loss_sum, right = 0.0, 0
        for part in zip(inputs.split(32), targets.split(32), masked.split(32), strict=True):
            logits, labels = self.logits(self.average, part[0])[part[2]], part[1][part[2]]
            loss_sum += float(F.cross_entropy(logits, labels, reduction="sum"))
            right += int((logits.argmax(-1) == labels).sum())
        return loss_sum / int(masked.sum()), right / int(masked.sum())

    def state(self) -> dict[str, Any]:
        """Network, average, optimiser."""
        return {key: getattr(self, key).state_dict() for key in ("model", "average", "optimizer")}

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned."""
        for key, value in state.items():
            getattr(self, key).load_state_dict(value)

    def export(self, folder: Path, extra: Mapping[str, Any]) -> None:
        """Write the averaged weights as a native checkpoint in half precision, with the tokenizer's path."""
        facts = {"training": dict(extra), **self.facts}
        save_native(folder, self.tokenizer_folder, self.average, name=self.name, half=True, extra=facts)


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Parameter groups: weight decay only on the linear layers' matrices, not on norms, biases and embeddings."""
    decayed = [p for key, p in model.named_parameters() if p.ndim > 1 and key not in UNDECAYED]
    others = [p for key, p in model.named_parameters() if p.ndim <= 1 or key in UNDECAYED]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def train_transformer(
    config_path: Path, *, resume: bool, output: Path | None = None, data_root: Path | None = None
) -> None:
    """Train a transformer as a recipe says, into `output` (default: the recipe's).

    Raises:
        InputError: the recipe, its device, its tokenizer, its data or the output folder is unusable; one line, before
            anything is written.
    """
    recipe = read_recipe(config_path, TransformerRecipe)
    settings = recipe.train
    device = chosen_device(settings.device)
    located = locate_tokenizer(recipe.tokenizer, config_path.parent)
    assert located.folder is not None
    assert located.tokenizer is not None
    sizes = transformer_config(recipe, config_path, located.tokenizer)
    initial = locate(recipe.start, config_path.parent) if recipe.start is not None else None
    if initial is not None and initial.transformer != sizes:
        raise InputError(f"{config_path}: start = {recipe.start!r} has other sizes than model; make them the same")
    folder = output or config_path.parent / recipe.output
    plain = {**recipe.model_dump(), "tokenizer_sha256": located.sha256["tokenizer"]}
    resumed = saved_state(folder, plain, resume=resume)
    root = data_root or config_path.parent / recipe.data.root
    images = load_images(recipe.data, root, located.tokenizer.img_resolution)
    print(describe(images.counts))
    tokenizer = load_tokenizer(located.folder.resolve(), str(device))
    loaded = load_model(initial) if initial is not None else None
    assert loaded is None or isinstance(loaded, MaskGIT)
    make_output(folder)
    print(f"device: {device}", flush=True)
    bfloat16, versions = settings.precision == "bfloat16", settings.versions
    tokens = cached_set(
        folder / "tokens.pt", tokenizer, images.train, versions=versions, walks=settings.walk_share > 0,
        seed=recipe.seed, bfloat16=bfloat16,
    )  # fmt: skip
    every_val = np.concatenate(list(images.val.values()))
    val = cached_set(
        folder / "val_tokens.pt", tokenizer, every_val, versions=1, walks=True, seed=recipe.seed + 1, bfloat16=bfloat16
    )
    print(f"encoded {tokens.full.shape[0]} images in {versions} version(s)", flush=True)
    facts = {"data": images.counts}
    stage = TransformerStage(
        sizes, settings, tokens, val, seed=recipe.seed, name=recipe.name, tokenizer=tokenizer,
        tokenizer_folder=located.folder.resolve(), facts=facts, start=loaded.transformer if loaded else None,
        device=device,
    )  # fmt: skip
    train(stage, settings, folder, recipe=plain, resumed=resumed, keep_best=True)
