"""Train the bundled feature extractor on CIFAR-10 and export its weights.

    python -m tools.train_cifar_resnet CIFAR.parquet OUT_DIR [--export DIR]

OUT_DIR gets `curve.csv` (one line per epoch) and `checkpoint.pt` (replaced atomically after every epoch). The same
command resumes a killed run: all randomness is drawn from (seed, epoch), so a resumed run computes the same as an
undisturbed one. The last epoch is exported, never the best one, so the test split influences no choice.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save
from torch import Tensor

from bench.features.cifar_resnet import BLOCKS, FEATURE_VERSION, MEAN, STD, WIDTHS, CifarResNet, normalise
from maskgit.errors import InputError

PAD = 4

EVALUATE_EVERY = 4
"""Epochs between two evaluations on the test split, each of which costs a tenth of an epoch."""

Data = dict[str, tuple[Tensor, Tensor]]
"""Split (train, test) → images (N, 32, 32, 3) uint8 and labels (N,) int64."""


@dataclass(frozen=True)
class Recipe:
    """Everything that determines the weights, apart from the data and the network.

    The `closing_epochs` come after the others, with a separate learning rate and without CutMix.
    """

    epochs: int = 64
    closing_epochs: int = 10
    batch_size: int = 256
    peak_lr: float = 0.2
    closing_lr: float = 0.04
    warmup: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    cutout: int = 12
    cutmix: float = 0.5
    ema_decay: float = 0.995
    seed: int = 0


def read_cifar(path: Path) -> Data:
    """Read the data set and decode every image once.

    Raises InputError if the file or one of its columns image, label, split is missing.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a Parquet file with image (JPEG bytes), label, split")
    table = pq.read_table(path)
    missing = {"image", "label", "split"} - set(table.column_names)
    if missing:
        raise InputError(f"{path}: column {', '.join(sorted(missing))} missing; expected image, label, split")
    images = np.stack(
        [np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB")) for jpeg in table.column("image").to_pylist()]
    )
    labels = table.column("label").to_numpy().astype(np.int64)
    splits = np.array(table.column("split").to_pylist())
    return {
        name: (torch.from_numpy(images[splits == name]), torch.from_numpy(labels[splits == name]))
        for name in ("train", "test")
    }


def augment(padded: Tensor, rows: Tensor, cutout: int, generator: torch.Generator) -> Tensor:
    """Random crop, flip and cutout of the images `rows`: normalised float32 (B, 3, 32, 32), channels-last.

    padded: (N, 32 + 2 PAD, 32 + 2 PAD, 3) uint8. cutout: side in px of the square set to the mean colour; its
    centre can be anywhere, so part of it may be outside (DeVries & Taylor 2017).
    """
    B, side = len(rows), padded.shape[1] - 2 * PAD
    ramp = torch.arange(side)
    top, left = (torch.randint(2 * PAD + 1, (B, 1), generator=generator) for _ in range(2))
    flip = torch.rand(B, 1, generator=generator) < 0.5
    ys = top + ramp
    xs = left + torch.where(flip, side - 1 - ramp, ramp)
    crops = padded[rows[:, None, None], ys[:, :, None], xs[:, None, :]]
    y, x = (torch.randint(side, (B, 1), generator=generator) - cutout // 2 for _ in range(2))
    inside_y, inside_x = ((ramp >= start) & (ramp < start + cutout) for start in (y, x))
    cut = inside_y[:, None, :, None] & inside_x[:, None, None, :]
    return normalise(crops.permute(0, 3, 1, 2)).masked_fill(cut, 0.0)


def cutmix(x: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, float]:
    """Paste a box from another image of the batch, its partner, into every image (Yun et al. 2019).

    The box's share of the area is uniform before it is cut at the border (the paper's Beta(1, 1)); the box
    is the same for the whole batch. x: (B, 3, H, W), changed in place.

    Returns the images, the partners' labels (B,), and the share of the area that remains from the image itself.
    """
    height, width = x.shape[2:]
    share = float(torch.rand((), generator=generator))
    centres = [int(torch.randint(side, (), generator=generator)) for side in (height, width)]
    halves = [int(side * share**0.5) // 2 for side in (height, width)]
    top, left = (max(0, centre - half) for centre, half in zip(centres, halves, strict=True))
    bottom, right = (
        min(side, centre + half) for side, centre, half in zip((height, width), centres, halves, strict=True)
    )
    partner = torch.randperm(len(x), generator=generator)
    x[:, :, top:bottom, left:right] = x[partner, :, top:bottom, left:right]
    own = 1 - (bottom - top) * (right - left) / (height * width)
    return x, labels[partner], own


def learning_rate(epoch: float, recipe: Recipe) -> float:
    """Learning rate at a time in epochs: linear from 0 to the peak over the warm-up's share of the epochs, then linear to
    0; in the closing epochs linear from their own rate to 0.
    """
    if epoch <= recipe.epochs:
        up = recipe.warmup * recipe.epochs
        return recipe.peak_lr * min(epoch / up, (recipe.epochs - epoch) / (recipe.epochs - up))
    return recipe.closing_lr * (1 - (epoch - recipe.epochs) / recipe.closing_epochs)


@torch.inference_mode()
def accuracy(model: CifarResNet, images: Tensor, labels: Tensor, batch_size: int = 500) -> float:
    """Share of the images (N, 32, 32, 3) uint8 that are classified correctly, in float32 and evaluation mode."""
    model.eval()
    right = 0
    for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        right += int((model(normalise(x.permute(0, 3, 1, 2))).argmax(1) == y).sum())
    return right / len(labels)


def train(data: Data, out_dir: Path, recipe: Recipe) -> tuple[CifarResNet, list[dict]]:
    """Train or resume in out_dir; returns the averaged network of the last epoch and the curve, one dict per epoch."""
    torch.manual_seed(recipe.seed)
    images, labels = data["train"]
    padded = F.pad(images.permute(0, 3, 1, 2).float(), (PAD,) * 4, mode="reflect").to(torch.uint8)
    padded = padded.permute(0, 2, 3, 1).contiguous()
    model, averaged = (CifarResNet().to(memory_format=torch.channels_last) for _ in range(2))
    averaged.load_state_dict(model.state_dict())
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.SGD(
        [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
        lr=recipe.peak_lr, momentum=recipe.momentum, nesterov=True,
    )  # fmt: skip
    epoch_steps = len(labels) // recipe.batch_size
    curve: list[dict] = []

    checkpoint = out_dir / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        if state["recipe"] != asdict(recipe):
            raise InputError(f"{checkpoint}: made with recipe {state['recipe']}; give an empty OUT_DIR")
        model.load_state_dict(state["model"])
        averaged.load_state_dict(state["averaged"])
        optimizer.load_state_dict(state["optimizer"])
        curve = state["curve"]

    epochs = recipe.epochs + recipe.closing_epochs
    for epoch in range(len(curve), epochs):
        generator = torch.Generator().manual_seed(recipe.seed * 10_000 + epoch)
        started, loss_sum = time.perf_counter(), 0.0
        order = torch.randperm(len(labels), generator=generator)[: epoch_steps * recipe.batch_size]
        model.train()
        for i, rows in enumerate(order.split(recipe.batch_size)):
            step = epoch * epoch_steps + i
            for group in optimizer.param_groups:
                group["lr"] = learning_rate((step + 1) / epoch_steps, recipe)
            x, y = augment(padded, rows, recipe.cutout, generator), labels[rows]
            partner, own = y, 1.0
            if epoch < recipe.epochs and torch.rand((), generator=generator) < recipe.cutmix:
                x, partner, own = cutmix(x, y, generator)
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(x)
                loss = own * F.cross_entropy(logits, y, label_smoothing=recipe.label_smoothing)
                loss += (1 - own) * F.cross_entropy(logits, partner, label_smoothing=recipe.label_smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += loss.item()
            # An early average would remember the random start, so its decay is warmed up.
            decay = min(recipe.ema_decay, (step + 1) / (step + 10))
            with torch.no_grad():
                values = model.state_dict()
                for name, average in averaged.state_dict().items():
                    if average.is_floating_point():
                        average.lerp_(values[name], 1 - decay)
        seconds = time.perf_counter() - started
        looks = (epoch + 1) % EVALUATE_EVERY == 0 or epoch + 1 == epochs
        curve.append(
            {
                "epoch": epoch + 1,
                "train_loss": round(loss_sum / epoch_steps, 4),
                "test_accuracy": round(accuracy(averaged, *data["test"]), 4) if looks else None,
                "images_per_s": round(len(order) / seconds, 1),
                "seconds": round(time.perf_counter() - started, 1),
            }
        )
        state = {
            "recipe": asdict(recipe), "model": model.state_dict(), "averaged": averaged.state_dict(),
            "optimizer": optimizer.state_dict(), "curve": curve,
        }  # fmt: skip
        torch.save(state, checkpoint.with_suffix(".tmp"))
        checkpoint.with_suffix(".tmp").replace(checkpoint)
        eta_s = curve[-1]["seconds"] * (epochs - epoch - 1)
        print(" ".join(f"{k} {v}" for k, v in curve[-1].items()), f"eta_s {eta_s:.0f}", flush=True)

    with (out_dir / "curve.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, curve[0].keys())
        writer.writeheader()
        writer.writerows(curve)
    return averaged, curve


def export(model: CifarResNet, data: Data, facts: dict, target: Path) -> dict:
    """Write weights.safetensors (float16) and config.json into target; returns the configuration.

    The recorded accuracy is that of the rounded weights, read back from the file.
    """
    target.mkdir(parents=True, exist_ok=True)
    weights = target / "weights.safetensors"
    # num_batches_tracked counts training steps; evaluation never reads it.
    state = {k: v.half().contiguous() for k, v in model.state_dict().items() if v.is_floating_point()}
    weights.write_bytes(save(state))
    shipped = CifarResNet().to(memory_format=torch.channels_last)
    shipped.load_state_dict({k: v.float() for k, v in load_file(weights).items()}, strict=False)
    config = {
        "name": "cifar-resnet",
        "feature_version": FEATURE_VERSION,
        "widths": list(WIDTHS),
        "blocks": list(BLOCKS),
        "feature_dim": shipped.feature_dim,
        "mean": list(MEAN),
        "std": list(STD),
        "parameters": sum(p.numel() for p in shipped.parameters()),
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "test_accuracy": accuracy(shipped, *data["test"]),
        "torch": str(torch.__version__),
        "date": datetime.now(UTC).date().isoformat(),
        **facts,
    }
    (target / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    return config


def main(argv: list[str] | None = None) -> None:
    """Read the data, train or resume, export."""
    parser = argparse.ArgumentParser(description="Train the bundled feature extractor on CIFAR-10.")
    parser.add_argument("cifar", type=Path, help="Parquet file: image (JPEG bytes), label, split")
    parser.add_argument("out_dir", type=Path, help="checkpoint and curve")
    parser.add_argument("--export", type=Path, help="folder for weights and config (default OUT_DIR/export)")
    arguments = parser.parse_args(argv)
    arguments.out_dir.mkdir(parents=True, exist_ok=True)
    recipe = Recipe()
    data = read_cifar(arguments.cifar)
    model, curve = train(data, arguments.out_dir, recipe)
    facts = {
        "data_sha256": hashlib.sha256(arguments.cifar.read_bytes()).hexdigest(),
        "training_seconds": round(sum(row["seconds"] for row in curve), 1),
        "recipe": asdict(recipe),
    }
    config = export(model, data, facts, arguments.export or arguments.out_dir / "export")
    print(f"exported: test accuracy {config['test_accuracy']:.4f}, sha256 {config['sha256']}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
