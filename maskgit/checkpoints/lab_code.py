"""A checkout of the lab's code as a model: its class is built from its YAML, and its own networks are loaded and run."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from maskgit.checkpoints import user_code
from maskgit.checkpoints.compare import difference
from maskgit.checkpoints.lab import TRAINING_ONLY
from maskgit.checkpoints.lab_config import model_param
from maskgit.checkpoints.load_lab import load_lab
from maskgit.checkpoints.nearby import CONFIGURED
from maskgit.checkpoints.own_attention import TOLERANCE
from maskgit.checkpoints.plain_yaml import read_yaml
from maskgit.checkpoints.unwrap import ANCHORS, ANCHORS_NEEDED, Role, unwrap
from maskgit.checkpoints.weight_files import read_content
from maskgit.config import TokenizerConfig
from maskgit.errors import CheckpointError
from maskgit.model import MaskGIT

if TYPE_CHECKING:
    from pathlib import Path

    from maskgit.checkpoints.checkpoint import Checkpoint
    from maskgit.checkpoints.user_code import UserCode
    from maskgit.tokenizer import VQGAN
    from maskgit.transformer import BidirectionalTransformer


class CodeTokenizer(nn.Module):
    """The checkout's tokenizer with the interface of ours: images in [0, 1], tokens (B, N)."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, config: TokenizerConfig, code: UserCode) -> None:
        super().__init__()
        self.network, self.config, self.code = network, config, code
        self.register_buffer("mean", torch.tensor(config.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(1, -1, 1, 1), persistent=False)

    def encode(self, images: Tensor) -> Tensor:
        """Images to tokens: the integer tensor that its `encode` returns, one value per token."""
        with self.code.errors("the tokenizer's encode"):
            output = cast("Any", self.network).encode((images - self.mean) / self.std)
        count = len(images) * self.config.num_tokens
        for tensor in _tensors(output):
            if tensor.numel() == count and not tensor.is_floating_point():
                return tensor.reshape(len(images), -1).long()
        raise CheckpointError(
            f"{self.code.reference}: the tokenizer's encode returns no {count} whole numbers, one per token"
        )

    def decode(self, tokens: Tensor) -> Tensor:
        """Tokens to images; values may leave [0, 1]."""
        side = self.config.latent_resolution
        with self.code.errors("the tokenizer's decode"):
            embedding = self.network.get_submodule("codebook.embedding")
            latents = embedding(tokens).view(len(tokens), side, side, -1).permute(0, 3, 1, 2).contiguous()
            output = cast("Any", self.network).decode(latents)
        shape = (len(tokens), 3, self.config.img_resolution, self.config.img_resolution)
        for tensor in _tensors(output):
            if tuple(tensor.shape) == shape:
                return tensor * self.std + self.mean
        raise CheckpointError(f"{self.code.reference}: the tokenizer's decode returns no images of {shape}")


class CodeTransformer(nn.Module):
    """The checkout's transformer: tokens (B, N) to logits (B, N, V + 1), one image at a time if needed."""

    def __init__(self, network: nn.Module, num_codes: int, code: UserCode) -> None:
        super().__init__()
        self.network, self.num_codes, self.code = network, num_codes, code
        self.image_by_image = False

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits over all V codes and the mask token at every position."""
        if self.image_by_image:
            return torch.cat([self.run(row[None]) for row in tokens])
        return self.run(tokens)

    def run(self, tokens: Tensor) -> Tensor:
        """Logits of a whole batch in one call."""
        with self.code.errors("the transformer"):
            output = self.network(tokens)
        shape = (*tokens.shape, self.num_codes + 1)
        for tensor in _tensors(output):
            if tuple(tensor.shape) == shape:
                return tensor.float()
        raise CheckpointError(f"{self.code.reference}: the transformer returns no logits of {shape}")

    @torch.inference_mode()
    def settle_batch(self, num_tokens: int, device: torch.device) -> None:
        """Find out whether images can share a batch.

        Raises:
            CheckpointError: it fails on one image, or returns different numbers on every call.
        """
        tokens = torch.randint(self.num_codes + 1, (3, num_tokens), generator=torch.Generator().manual_seed(0)).to(
            device
        )
        alone = torch.cat([self.run(row[None]) for row in tokens])
        limit = TOLERANCE * float(alone.abs().max())
        if not (self.run(tokens[:1]) - alone[:1]).abs().max() <= limit:
            raise CheckpointError(
                f"{self.code.reference}: the transformer gives NaN, or other numbers every time; use nn.Dropout, or "
                "F.dropout(…, self.training)"
            )
        try:
            self.image_by_image = not (self.run(tokens) - alone).abs().max() <= limit
        except CheckpointError:  # it may be written for one image at a time
            self.image_by_image = True


def load_lab_code(checkpoint: Checkpoint, device: str, tf32: bool, *, compare: bool = True) -> MaskGIT:
    """Build, load and wrap the model of a checkout and, if asked, compare it with our own reading of the files.

    Raises:
        CheckpointError: its code raises an exception, or its weights do not fit what it builds.
    """
    assert checkpoint.code is not None
    assert checkpoint.folder is not None
    code = user_code.load(checkpoint.code)
    model = _construct(code, checkpoint)
    parts = {role: _part(model, role, code) for role in ANCHORS}
    _fill(parts, checkpoint, code)
    num_codes = int(parts["tokenizer"].get_parameter("codebook.embedding.weight").shape[0])
    num_tokens = int(parts["transformer"].get_parameter("pos_emb").shape[-2])
    tokenizer = CodeTokenizer(parts["tokenizer"], _config(checkpoint, num_codes, num_tokens), code)
    transformer = CodeTransformer(parts["transformer"], num_codes, code)
    wrapped = MaskGIT(
        cast("VQGAN", tokenizer),
        cast("BidirectionalTransformer", transformer),
        fingerprint=code.fingerprint(checkpoint.fingerprint),
        device=device,
        tf32=tf32,
    )
    tokenizer.to(memory_format=torch.contiguous_format)  # their views may rely on it
    transformer.settle_batch(num_tokens, wrapped.device)
    wrapped.reading = (f"computed by the code of the checkout: {code.reference.name} ({code.reference.file.name})",)
    wrapped.caveats = _caveats(transformer, code)
    if compare:
        _compare(wrapped, checkpoint, device, tf32)
    return wrapped


def _construct(code: UserCode, checkpoint: Checkpoint) -> nn.Module:
    """Build the class as the lab's scripts do, from `model_param`, or else from the whole config."""
    whole = read_yaml(checkpoint.files["transformer_config"])
    param = _with_local_files(model_param(checkpoint.files["transformer_config"]), checkpoint)

    def build() -> Any:
        try:
            return code.value(param)
        except (KeyError, TypeError) as first:
            try:
                return code.value({**whole, "model_param": param})
            except Exception:
                raise first from None

    dtype = torch.get_default_dtype()
    try:
        with torch.random.fork_rng(devices=[]), _loading_on_cpu():
            model = code.call(build, what="cannot be built from its config", folder=checkpoint.folder)
    finally:
        torch.set_default_dtype(dtype)
    if not isinstance(model, nn.Module):
        raise CheckpointError(f"{code.reference}: is no torch.nn.Module; name the model class")
    return model.eval().requires_grad_(False)


def _with_local_files(param: Mapping[str, Any], checkpoint: Checkpoint) -> dict[str, Any]:
    """The config, in which paths of tokenizer files that do not exist are replaced by those of the located files."""
    table = param.get("VQ_Configs")
    if not isinstance(table, dict) or checkpoint.folder is None:
        return dict(param)
    corrected = dict(table)
    for role, key in CONFIGURED.items():
        if key in table and role in checkpoint.files and not (checkpoint.folder / str(table[key])).is_file():
            corrected[key] = str(checkpoint.files[role].resolve())
    return {**param, "VQ_Configs": corrected}


@contextlib.contextmanager
def _loading_on_cpu() -> Iterator[None]:
    """Make `torch.load` put tensors on the CPU by default in the user's code, since files may come from a GPU."""
    original = torch.load

    @functools.wraps(original)
    def load(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **({"map_location": "cpu"} if len(args) < 2 else {}) | kwargs)

    torch.load = load
    try:
        yield
    finally:
        torch.load = original


def _part(model: nn.Module, role: Role, code: UserCode) -> nn.Module:
    """Find the outermost module whose state dict is a network of that role."""
    modules: list[tuple[str, nn.Module]] = list(model.named_modules())
    for _, module in sorted(modules, key=lambda entry: entry[0].count(".") + bool(entry[0])):
        if len(module.state_dict().keys() & set(ANCHORS[role])) >= ANCHORS_NEEDED:
            return module
    raise CheckpointError(
        f"{code.reference}: builds no {role} of the lab layout (with {', '.join(ANCHORS[role][:2])}); "
        "name the class that holds both networks"
    )


def _fill(parts: Mapping[Role, nn.Module], checkpoint: Checkpoint, code: UserCode) -> None:
    """Load both networks' weights strictly.

    A tokenizer without its own file is read from the transformer's file if it is there, and else stays as built.
    """
    file = checkpoint.files["transformer"]
    content = read_content(file, checkpoint.sha256["transformer"])
    weights = unwrap(content, "transformer", file, ema=checkpoint.declared.ema)
    if weights is None:
        raise CheckpointError(f"{file}: holds no transformer; name the file that was trained with {code.reference}")
    _load(parts["transformer"], weights.state, file, "transformer", code)
    if "tokenizer" in checkpoint.files:
        file = checkpoint.files["tokenizer"]
        content = read_content(file, checkpoint.sha256["tokenizer"])
    tokenizer = unwrap(content, "tokenizer", file, ema=None)
    if tokenizer is not None:
        _load(parts["tokenizer"], tokenizer.state, file, "tokenizer", code)


def _load(network: nn.Module, state: Mapping[str, object], file: Path, role: Role, code: UserCode) -> None:
    expected = network.state_dict()
    missing = [key for key in expected if key not in state]
    extra = [key for key in state if key not in expected and key.partition(".")[0] not in TRAINING_ONLY]
    tensors = {key: state[key] for key in expected if key in state}
    broken = [
        key for key, tensor in tensors.items() if not isinstance(tensor, Tensor) or not torch.isfinite(tensor).all()
    ]
    misshaped = [key for key, t in tensors.items() if isinstance(t, Tensor) and t.shape != expected[key].shape]
    faults = {"missing": missing, "unexpected": extra, "misshaped": misshaped, "no finite tensor": broken}
    if any(faults.values()):
        listing = "; ".join(f"{fault}: {', '.join(keys[:8])}" for fault, keys in faults.items() if keys)
        raise CheckpointError(
            f"{file}: not the {role} that {code.reference} builds: {listing}; name the file that was trained with this code"
        )
    network.load_state_dict(cast("dict[str, Tensor]", tensors))


def _config(checkpoint: Checkpoint, num_codes: int, num_tokens: int) -> TokenizerConfig:
    """Sizes as the networks have them; the image size is taken from the config."""
    file = checkpoint.files["tokenizer_config"]
    resolution = model_param(file).get("img_resolution")
    side = round(num_tokens**0.5)
    if not isinstance(resolution, int) or side * side != num_tokens or resolution % side:
        raise CheckpointError(
            f"{file}: model_param.img_resolution = {resolution!r} must be a multiple of the {side} tokens of a row"
        )
    sizes = checkpoint.tokenizer or TokenizerConfig()
    return replace(sizes, num_codebook_vectors=num_codes, latent_resolution=side, img_resolution=resolution)


def _caveats(transformer: CodeTransformer, code: UserCode) -> tuple[str, ...]:
    if not transformer.image_by_image:
        return ()
    return (f"{code.reference.name} mixes the images of a batch, so its transformer takes them one by one: slower.",)


def _compare(model: MaskGIT, checkpoint: Checkpoint, device: str, tf32: bool) -> None:
    """Add to the model's reading how our own reading of the same files differs, or that we have none."""
    if checkpoint.tokenizer is None or checkpoint.transformer is None:
        return
    try:
        ours = load_lab(replace(checkpoint, kind="lab", code=None), device, tf32)
    except CheckpointError:
        model.reading += ("our own reading of these files cannot be compared: they leave it open",)
        return
    gap = difference(ours, model)
    if gap.is_rounding:
        model.reading += (f"our own reading of these files computes the same ({gap})",)
    else:
        model.caveats += (f"Our own reading of these files differs from their code: {gap}. Their code was used.",)


def _tensors(output: object) -> Iterator[Tensor]:
    """Every tensor in what a function returned, in order."""
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, list | tuple):
        for item in output:
            yield from _tensors(item)
    elif isinstance(output, Mapping):
        yield from _tensors(list(output.values()))
