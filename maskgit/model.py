"""The model interface that decoding needs, and MaskGIT, which implements it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

import torch
from torch import Tensor

from maskgit.errors import InputError
from maskgit.tokenizer import VQGAN, to_uint8

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maskgit.transformer import BidirectionalTransformer


@runtime_checkable
class MaskedImageModel(Protocol):
    """Images to tokens, tokens to logits and to images: B images, N = num_tokens, V = num_codes, H = W = image_size.

    Token V is the mask token. `cell` is the side in pixels of a token's square. `fingerprint` names the weights:
    results are reused between models of equal fingerprint. An image's results must not depend on its batch.
    """

    num_tokens: int
    num_codes: int
    image_size: int
    cell: int
    fingerprint: str

    def encode(self, images_u8: Tensor) -> Tensor:
        """Images (B, 3, H, W) uint8 to tokens (B, N) int64 in [0, V)."""
        ...

    def logits(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N) int64 in [0, V] to logits (B, N, V + 1) float32."""
        ...

    def render(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N) int64 in [0, V) to images (B, 3, H, W) uint8."""
        ...


class MaskGIT:
    """A VQGAN tokenizer and a bidirectional transformer, in float32, for inference; results stay on `device`.

    `reading` has sentences on how a user's checkpoint was read, `caveats` its caveats; both are empty for native ones.
    """

    def __init__(
        self,
        tokenizer: VQGAN,
        transformer: BidirectionalTransformer,
        *,
        fingerprint: str,
        device: str = "cpu",
        tf32: bool = False,
        reading: tuple[str, ...] = (),
        caveats: tuple[str, ...] = (),
    ) -> None:
        self.device = checked_device(device)
        # Channels last: convolutions take a fifth to a third less time on a CPU.
        self.tokenizer = (
            tokenizer.to(self.device, torch.float32).to(memory_format=torch.channels_last).eval().requires_grad_(False)
        )
        self.transformer = transformer.to(self.device, torch.float32).eval().requires_grad_(False)
        self.fingerprint = fingerprint
        self.reading = reading
        self.caveats = caveats
        self.tf32 = tf32
        self.num_tokens = tokenizer.config.num_tokens
        self.num_codes = tokenizer.config.num_codebook_vectors
        self.image_size = tokenizer.config.img_resolution
        self.cell = tokenizer.config.cell

    @property
    def num_parameters(self) -> int:
        """Parameters of both networks."""
        return sum(p.numel() for net in (self.tokenizer, self.transformer) for p in net.parameters())

    @torch.inference_mode()
    def encode(self, images_u8: Tensor) -> Tensor:
        """Images (B, 3, H, W) uint8 to tokens (B, N) int64 in [0, V).

        Raises:
            InputError: the images are not uint8 RGB of the model's size.
        """
        expected = (3, self.image_size, self.image_size)
        if tuple(images_u8.shape[1:]) != expected or images_u8.dtype != torch.uint8:
            actual = f"{tuple(images_u8.shape[1:])} {images_u8.dtype}"
            raise InputError(f"images are {actual}, but this model takes {expected} torch.uint8; resize the test set")
        with self._arithmetic():
            return self.tokenizer.encode(images_u8.to(self.device).float() / 255.0)

    @torch.inference_mode()
    def logits(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N) int64 in [0, V] to logits (B, N, V + 1) float32."""
        with self._arithmetic():
            return cast("Tensor", self.transformer(tokens.to(self.device)))

    @torch.inference_mode()
    def render(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N) int64 in [0, V) to images (B, 3, H, W) uint8, rounding half up."""
        with self._arithmetic():
            return to_uint8(self.tokenizer.decode(tokens.to(self.device)))

    @contextmanager
    def _arithmetic(self) -> Iterator[None]:
        """Deterministic convolutions, and TF32 only where asked for (for convolutions it is PyTorch's default)."""
        if self.device.type != "cuda":
            yield
            return
        matmul = torch.backends.cuda.matmul
        before, matmul.allow_tf32 = matmul.allow_tf32, self.tf32
        try:
            with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=self.tf32):
                yield
        finally:
            matmul.allow_tf32 = before


def chosen_device(name: str) -> torch.device:
    """The device that a setting names: "auto" uses a CUDA GPU if there is one, else the CPU.

    Raises:
        InputError: this machine has no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return checked_device(name)


def checked_device(device: str) -> torch.device:
    """The device, if this machine has it.

    Raises:
        InputError: no such kind of device, or none on this machine.
    """
    try:
        parsed = torch.device(device)
    except RuntimeError as error:
        raise InputError(f"device = {device!r}: no such device; use cpu, cuda or cuda:1, mps") from error
    if parsed.type == "cpu":
        return parsed
    if parsed.type == "cuda" and torch.cuda.is_available() and (parsed.index or 0) < torch.cuda.device_count():
        return parsed
    if parsed.type == "mps" and torch.backends.mps.is_available():
        return parsed
    raise InputError(f"device = {device!r}: this machine has no such GPU for torch to use; use device = 'cpu'")
