"""Stage 1: train the tokenizer (VQGAN).

Losses: Esser et al., CVPR 2021. Codebook: moving averages and restarts, van den Oord et al., "Neural Discrete
Representation Learning", NeurIPS 2017, appendix A.1, and Dhariwal et al., "Jukebox", 2020, section 3.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from maskgit.checkpoints.locate import locate_tokenizer
from maskgit.checkpoints.native import load_tokenizer, save_native
from maskgit.data.demo.walks import hole_masks
from maskgit.data.testset import HOLE_GREY
from maskgit.errors import InputError
from maskgit.model import chosen_device
from maskgit.tokenizer import VQGAN, to_uint8
from maskgit.training.codebook import CodebookKeeper
from maskgit.training.config import TokenizerRecipe, TokenizerTraining, read_recipe, tokenizer_config
from maskgit.training.data import TrainingImages, describe, load_images
from maskgit.training.discriminator import PatchDiscriminator, adaptive_weight, hinge_loss
from maskgit.training.group_norm import use_fast_group_norm
from maskgit.training.journal import image_grid
from maskgit.training.loop import batch_indices, make_output, saved_state, seeded, train, update_average
from maskgit.training.perceptual import PerceptualDistance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maskgit.config import TokenizerConfig

FROZEN = ("encoder", "quant_conv", "codebook")  # modules that determine the tokens
STREAM_INIT, STREAM_AUGMENT, STREAM_CODEBOOK = 0, 1, 2


class TokenizerStage:
    """Networks, optimisers and data of stage 1."""

    def __init__(
        self,
        sizes: TokenizerConfig,
        settings: TokenizerTraining,
        images: TrainingImages,
        *,
        name: str,
        seed: int,
        perceptual: PerceptualDistance | None,
        start: VQGAN | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.settings, self.images, self.name, self.seed = settings, images, name, seed
        self.device = torch.device(device)
        self.perceptual = perceptual.to(self.device) if perceptual is not None else None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seeded(seed, 0, STREAM_INIT).initial_seed())
            self.model = VQGAN(sizes).to(self.device)
            self.discriminator = PatchDiscriminator(settings.discriminator_width).to(self.device)
        self.begun = start is not None and start.config == sizes
        if start is not None:
            kept = {k: v for k, v in start.state_dict().items() if self.begun or not k.startswith("codebook")}
            self.model.load_state_dict(kept, strict=self.begun)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        for network in (self.model, self.discriminator):
            network.to(memory_format=torch.channels_last)
            use_fast_group_norm(network)
        frozen = FROZEN if settings.decoder_only else ("codebook",)
        for key, parameter in self.model.named_parameters():
            parameter.requires_grad_(not key.startswith(frozen))
        weights = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        betas = (settings.betas[0], settings.betas[1])
        self.optimizer = torch.optim.AdamW(weights, lr=settings.lr, betas=betas, weight_decay=settings.weight_decay)
        self.weights = weights
        self.judge = torch.optim.AdamW(
            self.discriminator.parameters(), lr=settings.discriminator_lr, betas=(0.5, 0.9), weight_decay=0.0
        )
        self.codebook = CodebookKeeper(self.model.codebook.embedding.weight, settings)
        if self.begun:
            self.codebook.adopt(settings.batch * sizes.num_tokens)
        self.holes = torch.from_numpy(hole_masks(np.arange(settings.hole_pool), sizes.img_resolution))

    def batch(self, step: int) -> Tensor:
        """Training images in [0, 1], (B, 3, H, W), channels-last, on the device.

        They are flipped at random, and a share of them have a grey hole.
        """
        indices = batch_indices(len(self.images.train), self.settings.batch, self.seed, step)
        images = torch.from_numpy(self.images.train[indices]).float() / 255.0
        draw = seeded(self.seed, step, STREAM_AUGMENT)
        flip = torch.rand(len(images), generator=draw) < 0.5
        images = torch.where(flip[:, None, None, None], images.flip(3), images)
        holed = torch.rand(len(images), generator=draw) < self.settings.hole_share
        holes = self.holes[torch.randint(len(self.holes), (len(images),), generator=draw)]
        images = images.masked_fill((holed[:, None, None] & holes)[:, None], HOLE_GREY / 255.0)
        return images.to(self.device, memory_format=torch.channels_last)

    def autocast(self) -> torch.autocast:
        """Autocast context for the recipe's precision."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.precision == "bfloat16")

    def train_step(self, step: int, lr_ratio: float) -> dict[str, float]:
        """Train the tokenizer for one step and, late in the training, the discriminator as well."""
        settings, model = self.settings, self.model
        images = self.batch(step)
        with self.autocast():
            latents = model.latents(images)
        quantised, losses = self._quantise(latents.float(), step)
        with self.autocast():
            output = model.decode_latents(quantised).float()
        reconstruction = self._reconstruction(output, images, losses)
        total = reconstruction
        if "commitment" in losses:
            total = total + model.config.beta * losses["commitment"]
        adversarial = step >= settings.discriminator_start * settings.steps and settings.discriminator_weight > 0
        if adversarial:
            total = total + settings.discriminator_weight * self._adversarial(output, reconstruction, losses)
        for group in self.optimizer.param_groups:
            group["lr"] = settings.lr * lr_ratio
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.weights, settings.grad_clip)
        self.optimizer.step()
        update_average(self.average, model, settings.ema_decay, step)
        if adversarial:
            losses["discriminator"] = self._judge_step(images, output.detach())
        return {name: float(value.detach()) for name, value in losses.items()}

    def _quantise(self, latents: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Replace latents (B, h, w, D) by codes with straight-through gradients; also returns the commitment loss.

        The codebook is updated with the latents; before `quantise_after`, they are returned unchanged, without a loss.
        """
        settings, codebook = self.settings, self.model.codebook
        if step < settings.quantise_after and not self.begun:
            return latents, {}
        draw = seeded(self.seed, step, STREAM_CODEBOOK)
        if step == settings.quantise_after and not self.begun:
            self.codebook.initialise(latents.detach(), draw)
            self.average.codebook.load_state_dict(codebook.state_dict())
        codes = codebook.nearest(latents.detach())
        chosen = codebook.embedding(codes).detach()
        if settings.decoder_only:
            return chosen, {}
        restart = step % settings.restart_every == 0
        self.codebook.update(latents.detach(), codes, draw if restart else None)
        return latents + (chosen - latents).detach(), {"commitment": F.mse_loss(latents, chosen)}

    def _reconstruction(self, output: Tensor, images: Tensor, losses: dict[str, Tensor]) -> Tensor:
        """Weighted sum of the reconstruction losses, each added to `losses`."""
        settings = self.settings
        difference = (output - images) / self.model.std
        grey = difference.mean(1, keepdim=True)
        difference = grey + settings.chroma_weight * (difference - grey)
        losses["l1"], losses["l2"] = difference.abs().mean(), difference.square().mean()
        total = settings.l1_weight * losses["l1"] + settings.l2_weight * losses["l2"]
        if self.perceptual is not None:
            part = math.ceil(settings.perceptual_share * len(images))
            with self.autocast():
                losses["perceptual"] = self.perceptual(output[:part], images[:part])
            total = total + settings.perceptual_weight * losses["perceptual"]
        return total

    def _adversarial(self, output: Tensor, reconstruction: Tensor, losses: dict[str, Tensor]) -> Tensor:
        """Adversarial loss, scaled to the gradient of the reconstruction loss; unscaled in `losses`."""
        with self.autocast():
            fake = self.discriminator((output - self.model.mean) / self.model.std).float()
        losses["adversarial"] = -fake.mean()
        last = self.model.decoder.model[-1].weight
        assert isinstance(last, Tensor)
        return adaptive_weight(reconstruction, losses["adversarial"], last) * losses["adversarial"]

    def _judge_step(self, images: Tensor, output: Tensor) -> Tensor:
        both = (torch.cat([images, output]) - self.model.mean) / self.model.std
        with self.autocast():
            real, fake = self.discriminator(both).float().chunk(2)
        loss = hinge_loss(real, fake)
        self.judge.zero_grad(set_to_none=True)
        loss.backward()
        self.judge.step()
        return loss.detach()

    @torch.inference_mode()
    def validate(self) -> tuple[dict[str, float], dict[str, Tensor]]:
        """PSNR (dB) of the averaged weights' 8-bit reconstructions of each validation set, and codebook usage."""
        numbers: dict[str, float] = {}
        grids: dict[str, Tensor] = {}
        size = self.average.config.num_codebook_vectors
        counts = torch.zeros(size)
        errors = []
        for name, array in self.images.val.items():
            tokens, reconstructions = [], []
            for part in torch.from_numpy(array).split(32):
                codes = self.average.encode(part.to(self.device).float() / 255.0)
                tokens.append(codes.cpu())
                reconstructions.append(to_uint8(self.average.decode(codes)).cpu())
            images, output = torch.from_numpy(array), torch.cat(reconstructions)
            mse = (images.double() - output.double()).square().flatten(1).mean(1).clamp(min=1e-4)
            numbers[f"psnr_{name}_db"] = float((10.0 * torch.log10(255.0**2 / mse)).mean())
            counts += torch.bincount(torch.cat(tokens).flatten(), minlength=size)
            errors.append(float(mse.mean()))
            grids[f"reconstruction_{name}"] = image_grid([images[:8], output[:8]])
        share = counts / counts.sum()
        numbers["codes_used"] = float((counts > 0).sum())
        numbers["perplexity"] = math.exp(float(-(share * share.clamp(min=1e-12).log()).sum()))
        numbers["score"] = sum(errors) / len(errors)
        return numbers, grids

    def state(self) -> dict[str, Any]:
        """Networks, their average, optimisers, codebook statistics."""
        return {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "judge": self.judge.state_dict(),
            "codebook": self.codebook.state_dict(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Restore what `state` returned."""
        for key, value in state.items():
            getattr(self, key).load_state_dict(value)

    def export(self, folder: Path, extra: Mapping[str, Any]) -> None:
        """Write the averaged weights as a native checkpoint in half precision."""
        facts = {"training": dict(extra), "data": self.images.counts}
        save_native(folder, self.average, None, name=self.name, half=True, extra=facts)


def train_tokenizer(
    config_path: Path, *, resume: bool, output: Path | None = None, data_root: Path | None = None
) -> None:
    """Train a tokenizer as a recipe says, into `output` (default: the recipe's).

    Raises:
        InputError: the recipe, its device, its data or the output folder is unusable; one line, before anything is written.
    """
    recipe = read_recipe(config_path, TokenizerRecipe)
    device = chosen_device(recipe.train.device)
    sizes = tokenizer_config(recipe, config_path)
    initial = locate_tokenizer(recipe.start, config_path.parent) if recipe.start is not None else None
    if initial is not None and not _same_but_for_codes(initial.tokenizer, sizes):
        raise InputError(f"{config_path}: start = {recipe.start!r} has other sizes than model; make them the same")
    if recipe.train.decoder_only and (initial is None or initial.tokenizer != sizes):
        raise InputError(
            f"{config_path}: train.decoder_only keeps the tokens of start; name a start with model's sizes and codes"
        )
    folder = output or config_path.parent / recipe.output
    plain = recipe.model_dump()
    resumed = saved_state(folder, plain, resume=resume)
    images = load_images(recipe.data, data_root or config_path.parent / recipe.data.root, sizes.img_resolution)
    print(describe(images.counts))
    weights = recipe.train.perceptual_weights
    perceptual = PerceptualDistance(config_path.parent / weights) if weights else None
    print("perceptual loss: " + (f"VGG16 features of {weights}" if weights else "absent, no weights named"))
    start = load_tokenizer((initial.folder or Path()).resolve()) if initial is not None else None
    make_output(folder)
    print(f"device: {device}", flush=True)
    stage = TokenizerStage(
        sizes, recipe.train, images, name=recipe.name, seed=recipe.seed, perceptual=perceptual, start=start,
        device=device,
    )  # fmt: skip
    train(stage, recipe.train, folder, recipe=plain, resumed=resumed, keep_best=False)


def _same_but_for_codes(first: TokenizerConfig | None, second: TokenizerConfig) -> bool:
    return first is not None and second == dataclasses.replace(first, num_codebook_vectors=second.num_codebook_vectors)
