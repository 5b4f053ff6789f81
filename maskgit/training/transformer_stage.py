"""Stage 2: train the transformer by masked token modelling.

Chang et al., "MaskGIT: Masked Generative Image Transformer", CVPR 2022, section 3.2: predict the masked tokens of an
image from the others, with a random ratio masked. Optimiser and smoothing as in its appendix.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from maskgit.checkpoints import load_model, load_tokenizer, save_native
from maskgit.config import TransformerConfig
from maskgit.errors import InputError
from maskgit.locate import locate, locate_tokenizer
from maskgit.model import MaskGIT
from maskgit.tokenizer import VQGAN, to_uint8
from maskgit.training.config import TransformerRecipe, TransformerTraining, read_recipe, transformer_config
from maskgit.training.data import describe, load_images
from maskgit.training.journal import picture_grid
from maskgit.training.loop import batch_indices, prepare_output, seeded, train, update_average
from maskgit.training.tokens import TokenSet, cached_set, draw_masked
from maskgit.transformer import BidirectionalTransformer

STREAM_INIT, STREAM_MASK, STREAM_VALIDATION = 10, 11, 12
UNDECAYED = ("tok_emb.weight", "pos_emb", "bias")
SHOWN = 8


class TransformerStage:
    """Network, its moving average, optimiser and tokens of stage 2."""

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
    ) -> None:
        self.settings, self.tokens, self.val_tokens, self.seed = settings, tokens, val_tokens, seed
        self.name, self.tokenizer, self.tokenizer_folder, self.facts = name, tokenizer, tokenizer_folder, facts
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seeded(seed, 0, STREAM_INIT).initial_seed())
            self.model = BidirectionalTransformer(sizes)
        if start is not None:
            self.model.load_state_dict(start.state_dict())
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            decay_groups(self.model, settings.weight_decay),
            lr=settings.lr,
            betas=(settings.betas[0], settings.betas[1]),
        )

    def logits(self, model: nn.Module, inputs: Tensor) -> Tensor:
        """Logits in float32, the network run in the recipe's precision."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.precision == "bfloat16"):
            return model(inputs).float()

    def accumulate_gradients(self, inputs: Tensor, targets: Tensor, masked: Tensor) -> float:
        """Add up the gradients of a batch given in `accumulate` parts; its mean loss over masked tokens.

        Every part is divided by the masked tokens of the whole batch: the parts' own means would weigh a token more
        where fewer are masked.
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
        """One optimiser step."""
        settings = self.settings
        indices = batch_indices(len(self.tokens.full), settings.batch, self.seed, step)
        draw = seeded(self.seed, step, STREAM_MASK)
        mask_token = self.model.config.mask_token
        inputs, targets, masked = draw_masked(self.tokens, torch.from_numpy(indices), settings, draw, mask_token)
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
        """Cross-entropy (nats a masked token) of the averaged weights under fixed masks, and accuracy in whole holes."""
        tokens, every = self.val_tokens, torch.arange(len(self.val_tokens.full))
        draw = seeded(self.seed, 0, STREAM_VALIDATION)
        mask_token = self.model.config.mask_token
        inputs, targets, masked = draw_masked(tokens, every, self.settings, draw, mask_token)
        loss, _ = self._score(inputs, targets, masked)
        numbers = {"val_loss": loss, "score": loss}
        pictures: dict[str, Tensor] = {}
        if tokens.hole is not None and tokens.holed is not None:
            hole, full = tokens.hole[:, 0], tokens.full[:, 0].long()
            inputs = torch.where(hole, mask_token, tokens.holed[:, 0].long())
            numbers["hole_loss"], numbers["hole_accuracy"] = self._score(inputs, full, hole)
            guess = self.logits(self.average, inputs[:SHOWN])[..., :mask_token].argmax(-1)
            filled = torch.where(hole[:SHOWN], guess, inputs[:SHOWN])
            rows = [tokens.holed[:SHOWN, 0].long(), filled, full[:SHOWN]]
            pictures["one_step_fill"] = picture_grid([to_uint8(self.tokenizer.decode(row)) for row in rows])
        return numbers, pictures

    def _score(self, inputs: Tensor, targets: Tensor, masked: Tensor) -> tuple[float, float]:
        loss_sum, right = 0.0, 0
        for part in zip(inputs.split(32), targets.split(32), masked.split(32), strict=True):
            logits, wanted = self.logits(self.average, part[0])[part[2]], part[1][part[2]]
            loss_sum += float(F.cross_entropy(logits, wanted, reduction="sum"))
            right += int((logits.argmax(-1) == wanted).sum())
        return loss_sum / int(masked.sum()), right / int(masked.sum())

    def state(self) -> dict[str, Any]:
        """Network, average, optimiser."""
        return {key: getattr(self, key).state_dict() for key in ("model", "average", "optimizer")}

    def load(self, state: Mapping[str, Any]) -> None:
        """Put back what `state` returned."""
        for key, value in state.items():
            getattr(self, key).load_state_dict(value)

    def export(self, folder: Path, extra: Mapping[str, Any]) -> None:
        """Write the averaged weights as a native checkpoint in half precision, with the tokenizer's path."""
        facts = {"training": dict(extra), **self.facts}
        save_native(folder, self.tokenizer_folder, self.average, name=self.name, half=True, extra=facts)


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Parameter groups: weight decay on the linear layers' matrices alone, not on norms, biases and embeddings."""
    decayed = [p for key, p in model.named_parameters() if p.ndim > 1 and key not in UNDECAYED]
    others = [p for key, p in model.named_parameters() if p.ndim <= 1 or key in UNDECAYED]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def train_transformer(
    config_path: Path, *, resume: bool, output: Path | None = None, data_root: Path | None = None
) -> None:
    """Train a transformer as a recipe says, into `output` (default: the recipe's).

    Raises:
        InputError: the recipe, its tokenizer, its data or the output folder is unusable; one line.
    """
    recipe = read_recipe(config_path, TransformerRecipe)
    settings = recipe.train
    found = locate_tokenizer(recipe.tokenizer, config_path.parent)
    assert found.folder is not None
    tokenizer = load_tokenizer(found.folder.resolve())
    sizes = transformer_config(recipe, config_path, tokenizer.config)
    start = None
    if recipe.start is not None:
        other = locate(recipe.start, config_path.parent)
        if other.transformer != sizes:
            raise InputError(f"{config_path}: start = {recipe.start!r} has other sizes than model; make them the same")
        loaded = load_model(other)
        assert isinstance(loaded, MaskGIT)
        start = loaded.transformer
    folder = output or config_path.parent / recipe.output
    plain = {**recipe.model_dump(), "tokenizer_sha256": found.sha256["tokenizer"]}
    resumed = prepare_output(folder, plain, resume=resume)
    root = data_root or config_path.parent / recipe.data.root
    images = load_images(recipe.data, root, tokenizer.config.img_resolution)
    print(describe(images.counts), flush=True)
    common = {"walks": settings.walk_share > 0, "bfloat16": settings.precision == "bfloat16"}
    versions = settings.versions
    tokens = cached_set(folder / "tokens.pt", tokenizer, images.train, versions=versions, seed=recipe.seed, **common)
    every_val = torch.cat([torch.from_numpy(part) for part in images.val.values()]).numpy()
    val = cached_set(folder / "val_tokens.pt", tokenizer, every_val, versions=1, seed=recipe.seed + 1, **common)
    print(f"encoded {tokens.full.shape[0]} images in {versions} version(s)", flush=True)
    facts = {"data": images.counts}
    stage = TransformerStage(
        sizes, settings, tokens, val, seed=recipe.seed, name=recipe.name, tokenizer=tokenizer,
        tokenizer_folder=found.folder.resolve(), facts=facts, start=start,
    )  # fmt: skip
    train(stage, settings, folder, recipe=plain, resumed=resumed, keep_best=True)
