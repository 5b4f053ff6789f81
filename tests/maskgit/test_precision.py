"""bfloat16: close to float32, the same tokens of the masked images, and independent of the other images of a tile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from maskgit.checkpoints.locate import locate
from maskgit.checkpoints.native import load_model
from maskgit.errors import InputError
from maskgit.tiles import tiled

if TYPE_CHECKING:
    from pathlib import Path

    from maskgit.model import MaskedImageModel

TILE = 4
IMAGES = torch.randint(0, 256, (5, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def float32(tiny_checkpoint: Path) -> MaskedImageModel:
    return load_model(locate(str(tiny_checkpoint), tiny_checkpoint))


@pytest.fixture(scope="module")
def bf16(tiny_checkpoint: Path) -> MaskedImageModel:
    return load_model(locate(str(tiny_checkpoint), tiny_checkpoint), precision="bf16")


def masked(model: MaskedImageModel) -> torch.Tensor:
    return model.encode(IMAGES).index_fill(1, torch.arange(0, model.num_tokens, 2), model.num_codes)


def test_images_are_encoded_in_float32(float32: MaskedImageModel, bf16: MaskedImageModel) -> None:
    assert torch.equal(bf16.encode(IMAGES), float32.encode(IMAGES))


def test_logits_are_float32_close_to_those_of_float32_and_not_rounded_to_bfloat16(
    float32: MaskedImageModel, bf16: MaskedImageModel
) -> None:
    expected, logits = float32.logits(masked(float32)), bf16.logits(masked(bf16))
    assert logits.dtype == torch.float32
    assert not torch.equal(logits, expected)
    assert not torch.equal(logits, logits.bfloat16().float())
    assert float((logits - expected).abs().max()) < 2**-5 * float(
        expected.abs().max()
    )  # 8 significant bits, few layers


def test_images_are_close_to_those_of_float32(float32: MaskedImageModel, bf16: MaskedImageModel) -> None:
    tokens = float32.encode(IMAGES)
    expected, images = float32.render(tokens).int(), bf16.render(tokens).int()
    assert not torch.equal(images, expected)
    assert float((images - expected).abs().float().mean()) < 1.0  # grey levels


def test_shared_equals_alone_byte_for_byte(bf16: MaskedImageModel) -> None:
    tokens, codes = masked(bf16), bf16.encode(IMAGES)
    for network, batch in ((bf16.logits, tokens), (bf16.render, codes)):
        together = tiled(network, batch, TILE)
        alone = torch.cat([tiled(network, batch[i : i + 1], TILE) for i in range(len(batch))])
        assert torch.equal(together, alone)


def test_models_with_code_of_their_own_are_refused(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(
        "from maskgit.checkpoints.locate import locate\nfrom maskgit.checkpoints.native import load_model\n"
        "from pathlib import Path\n\n\n"
        "class Own:\n    num_tokens = num_codes = image_size = cell = 4\n    fingerprint = 'own'\n"
        "    def encode(self, images_u8): ...\n    def logits(self, tokens): ...\n    def render(self, tokens): ...\n",
        encoding="utf-8",
    )
    checkpoint = locate("python:./own.py:Own", tmp_path)
    assert load_model(checkpoint).fingerprint
    with pytest.raises(InputError, match=r'execution.precision = "bf16" is not available .* use "float32"'):
        load_model(checkpoint, precision="bf16")
