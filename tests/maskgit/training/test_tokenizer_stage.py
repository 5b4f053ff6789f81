"""Stage 1: codebook, discriminator, augmentation, learning."""

from __future__ import annotations

import csv
import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from maskgit.checkpoints.native import load_tokenizer
from maskgit.config import TokenizerConfig
from maskgit.data.demo import catfaces
from maskgit.errors import InputError
from maskgit.training.codebook import CodebookKeeper
from maskgit.training.config import TokenizerTraining
from maskgit.training.data import TrainingImages
from maskgit.training.discriminator import PatchDiscriminator, adaptive_weight, hinge_loss
from maskgit.training.perceptual import TAPS, PerceptualDistance
from maskgit.training.tokenizer_stage import TokenizerStage, train_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

WIDTHS = (32,) * 6


def stage(**settings: object) -> TokenizerStage:
    training = TokenizerTraining.model_validate(
        {"steps": 40, "batch": 4, "hole_pool": 4, "quantise_after": 2, **settings}
    )
    images = catfaces.render(np.arange(4))
    sizes = TokenizerConfig(
        latent_dim=8, num_codebook_vectors=16, enc_channels=WIDTHS, dec_channels=WIDTHS[:5], enc_blocks=1, dec_blocks=1
    )
    data = TrainingImages(images, {"catfaces": images[:2]}, {})
    return TokenizerStage(sizes, training, data, name="t", seed=1, perceptual=None)


def keeper(codes: int, dim: int, **settings: object) -> CodebookKeeper:
    return CodebookKeeper(torch.zeros(codes, dim), TokenizerTraining.model_validate({"steps": 1, **settings}))


def test_first_codes_are_the_centres_of_the_latents() -> None:
    draw = torch.Generator().manual_seed(1)
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
    latents = centres.repeat(50, 1) + 0.1 * torch.randn(200, 2, generator=draw)
    book = keeper(4, 2)
    book.initialise(latents, draw)
    assert torch.cdist(book.codes, latents).min(1).values.max() < 0.3
    assert torch.cdist(latents, book.codes).min(1).values.max() < 7.1  # never further than between two centres


def test_codes_move_to_the_mean_of_the_latents_that_choose_them() -> None:
    book = keeper(2, 1, codebook_decay=0.5)
    book.codes[:] = torch.tensor([[0.0], [10.0]])
    latents, chosen = torch.tensor([[1.0], [2.0], [12.0]]), torch.tensor([0, 0, 1])
    for _ in range(30):
        book.update(latents, chosen, None)
    torch.testing.assert_close(book.codes, torch.tensor([[1.5], [12.0]]))


def test_dead_codes_restart_as_latents_and_used_ones_stay() -> None:
    book = keeper(3, 1, codebook_decay=0.5)
    latents = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    book.counts[:] = torch.tensor([2.0, 2.0, 0.0])
    book.sums[:] = torch.tensor([[3.0], [7.0], [0.0]])
    book.codes[:] = torch.tensor([[1.5], [3.5], [-99.0]])
    book.update(latents, torch.tensor([0, 0, 1, 1]), torch.Generator().manual_seed(1))
    torch.testing.assert_close(book.codes[:2], torch.tensor([[1.5], [3.5]]))
    assert float(book.codes[2]) in latents.flatten().tolist()


def test_hinge_loss_is_zero_beyond_the_margins_alone() -> None:
    assert float(hinge_loss(torch.tensor([1.0, 5.0]), torch.tensor([-1.0, -5.0]))) == 0.0
    assert float(hinge_loss(torch.zeros(2), torch.zeros(2))) == 1.0


def test_adaptive_weight_balances_the_gradients_at_the_last_layer() -> None:
    layer = torch.nn.Parameter(torch.tensor([2.0]))
    assert float(adaptive_weight(6.0 * layer.sum(), 3.0 * layer.sum(), layer)) == pytest.approx(2.0, rel=1e-5)


def test_discriminator_judges_patches() -> None:
    assert PatchDiscriminator(4)(torch.zeros(2, 3, 64, 64)).shape == (2, 1, 16, 16)


def test_a_share_of_the_images_has_a_grey_hole() -> None:
    grey = torch.tensor(128 / 255.0)
    for share in (0.0, 1.0):
        batch = stage(hole_share=share).batch(0)
        holes = (batch == grey).all(1).float().mean((1, 2))
        assert ((holes > 0.09) == (share == 1.0)).all()


def test_it_learns_uses_its_codes_and_trains_the_discriminator() -> None:
    s = stage(lr=3e-3, discriminator_start=0.8, discriminator_width=4, hole_share=0.0, restart_every=2)
    losses = [s.train_step(step, 1.0) for step in range(14)]
    assert losses[-1]["l1"] < 0.7 * losses[0]["l1"]
    assert "commitment" not in losses[1]
    assert "commitment" in losses[2]
    assert "adversarial" not in losses[-1]
    before = [p.clone() for p in s.discriminator.parameters()]
    late = s.train_step(32, 1.0)
    assert {"adversarial", "discriminator"} <= set(late)
    assert all(not torch.equal(a, b) for a, b in zip(before, s.discriminator.parameters(), strict=True))
    numbers, pictures = s.validate()
    assert numbers["codes_used"] > 4
    assert numbers["perplexity"] <= numbers["codes_used"] + 1e-3
    assert pictures["reconstruction_catfaces"].shape == (3, 128, 128)


def test_a_training_that_starts_from_another_goes_on_with_its_weights_and_codes() -> None:
    first = stage(lr=3e-3)
    for step in range(4):
        first.train_step(step, 1.0)
    settings = TokenizerTraining.model_validate({**first.settings.model_dump(), "lr": 1e-12})
    second = TokenizerStage(
        first.model.config, settings, first.images, name="t", seed=2, perceptual=None, start=first.model
    )
    assert "commitment" in second.train_step(0, 1.0)  # quantised from the first step on
    changed = second.model.codebook.embedding.weight - first.model.codebook.embedding.weight
    spread = first.model.codebook.embedding.weight.std()
    assert float(changed.norm(dim=1).median()) < float(spread)
    for a, b in zip(first.weights, second.weights, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


def test_a_training_that_starts_from_another_may_have_more_codes() -> None:
    first = stage()
    sizes = dataclasses.replace(first.model.config, num_codebook_vectors=24)
    settings = TokenizerTraining.model_validate({**first.settings.model_dump(), "quantise_after": 1, "lr": 1e-12})
    second = TokenizerStage(sizes, settings, first.images, name="t", seed=2, perceptual=None, start=first.model)
    assert all(torch.equal(a, b) for a, b in zip(first.weights, second.weights, strict=True))
    assert "commitment" not in second.train_step(0, 1.0)  # no codes yet
    assert "commitment" in second.train_step(1, 1.0)
    latents = second.model.latents(second.batch(1)).reshape(-1, sizes.latent_dim)
    codes = second.model.codebook.embedding.weight
    assert len(codes) == 24
    assert torch.cdist(codes, latents).min(1).values.max() < torch.cdist(latents, latents).max()
    torch.testing.assert_close(second.average.codebook.embedding.weight, codes, rtol=0, atol=0.1)


def test_decoder_only_keeps_every_token(tmp_path: Path) -> None:
    first = stage(lr=3e-3)
    for step in range(4):
        first.train_step(step, 1.0)
    settings = TokenizerTraining.model_validate({**first.settings.model_dump(), "decoder_only": True})
    second = TokenizerStage(
        first.model.config, settings, first.images, name="t", seed=2, perceptual=None, start=first.model
    )
    losses = [second.train_step(step, 1.0) for step in range(8)]
    assert "commitment" not in losses[0]
    assert losses[-1]["l1"] < losses[0]["l1"]
    for stage_, folder in ((first, "first"), (second, "second")):
        stage_.average.load_state_dict(stage_.model.state_dict())
        stage_.export(tmp_path / folder, {})
    before, after = (load_file(tmp_path / folder / "tokenizer.safetensors") for folder in ("first", "second"))
    changed = {key.split(".")[0] for key in before if not torch.equal(before[key], after[key])}
    assert changed == {"decoder", "post_quant_conv"}


def test_decoder_only_without_a_start_is_refused(tokenizer_recipe: Path, tmp_path: Path) -> None:
    tokenizer_recipe.write_text(tokenizer_recipe.read_text() + "decoder_only = true\n")
    with pytest.raises(InputError, match=r"train\.decoder_only keeps the tokens of start; name a start"):
        train_tokenizer(tokenizer_recipe, resume=False, output=tmp_path / "out")


def test_the_exported_weights_are_the_moving_average(tmp_path: Path) -> None:
    s = stage(lr=3e-3, ema_decay=0.9)
    expected = {key: value.clone() for key, value in s.average.named_parameters()}
    for step in range(5):
        s.train_step(step, 1.0)
        weight = 1.0 - min(0.9, (1 + step) / (10 + step))
        current = dict(s.model.named_parameters())
        if step == s.settings.quantise_after:
            expected["codebook.embedding.weight"] = current["codebook.embedding.weight"].clone()
        expected = {key: value.lerp(current[key], weight) for key, value in expected.items()}
    s.export(tmp_path / "checkpoint", {})
    exported = load_file(tmp_path / "checkpoint" / "tokenizer.safetensors")
    assert exported.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(exported[key].float(), value.detach(), rtol=2e-3, atol=2e-3)
    assert not torch.equal(s.average.decoder.model[0].weight, s.model.decoder.model[0].weight)


def test_chroma_weight_multiplies_colour_errors_and_leaves_grey_ones() -> None:
    plain, weighted = stage(), stage(chroma_weight=3.0)
    for s in (plain, weighted):
        torch.nn.init.zeros_(s.model.decoder.model[-1].weight)
        s.model.std.fill_(1.0)
    a, b = (s.train_step(0, 0.0)["l2"] for s in (plain, weighted))
    error = plain.model.decoder.model[-1].bias.detach().view(3, 1, 1) + plain.model.mean - plain.batch(0)
    chroma = (error - error.mean(1, keepdim=True)).square().mean()
    assert b - a == pytest.approx(float(8.0 * chroma), rel=1e-3)


def test_bfloat16_trains_too() -> None:
    s = stage(precision="bfloat16")
    assert all(np.isfinite(value) for step in range(3) for value in s.train_step(step, 1.0).values())
    assert all(p.dtype == torch.float32 for p in s.model.parameters())


@pytest.fixture(scope="module")
def vgg16_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seeded random weights of the layers of vgg16 that are used, in a file as torchvision's."""
    from torchvision.models import vgg16

    with torch.random.fork_rng():
        torch.manual_seed(1)
        features = vgg16(weights=None).features[: TAPS[-1] + 1]
    path = tmp_path_factory.mktemp("vgg16") / "vgg.pth"
    torch.save({f"features.{key}": value for key, value in features.state_dict().items()}, path)
    return path


def test_perceptual_distance_is_read_from_its_file_and_zero_for_equal_images(vgg16_weights: Path) -> None:
    distance = PerceptualDistance(vgg16_weights)
    x, y = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    assert float(distance(x, x)) == 0.0
    assert float(distance(x, y)) > 0.0
    assert not any(p.requires_grad for p in distance.parameters())


def test_a_training_with_perceptual_weights_learns_from_their_distance(
    tokenizer_recipe: Path, vgg16_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tokenizer_recipe.read_text().replace("steps = 6", "steps = 2")
    tokenizer_recipe.write_text(text)
    train_tokenizer(tokenizer_recipe, resume=False, output=tmp_path / "without")
    tokenizer_recipe.write_text(text + f'perceptual_weights = "{vgg16_weights.as_posix()}"\n')
    train_tokenizer(tokenizer_recipe, resume=False, output=tmp_path / "with")
    assert f"perceptual loss: VGG16 features of {vgg16_weights.as_posix()}" in capsys.readouterr().out
    with (tmp_path / "with" / "curves.csv").open() as file:
        distances = [float(row["value"]) for row in csv.DictReader(file) if row["name"] == "perceptual"]
    assert len(distances) == 2
    assert min(distances) > 0
    weights = [load_file(tmp_path / run / "checkpoint" / "tokenizer.safetensors") for run in ("without", "with")]
    moved = [key for key in weights[0] if not torch.equal(weights[0][key], weights[1][key])]
    assert any(key.startswith("encoder") for key in moved)
    assert any(key.startswith("decoder") for key in moved)


def test_the_perceptual_loss_sees_its_share_of_the_batch(vgg16_weights: Path) -> None:
    distance = PerceptualDistance(vgg16_weights)
    images = torch.rand(4, 3, 64, 64)
    output = torch.cat([images[:2], torch.rand(2, 3, 64, 64)])
    for share, differs in ((0.5, False), (0.75, True)):
        s = stage(perceptual_share=share)
        s.perceptual, losses = distance, {}
        s._reconstruction(output, images, losses)
        assert (float(losses["perceptual"]) > 0) == differs


def test_a_named_file_that_holds_no_vgg16_is_refused(tokenizer_recipe: Path, tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "vgg.pth")
    tokenizer_recipe.write_text(tokenizer_recipe.read_text() + 'perceptual_weights = "vgg.pth"\n')
    with pytest.raises(InputError, match=r"vgg\.pth: train\.perceptual_weights is not a state dict"):
        train_tokenizer(tokenizer_recipe, resume=False, output=tmp_path / "out")


def test_a_start_of_other_sizes_is_refused(tokenizer_recipe: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    start = f'start = "{tiny_checkpoint.as_posix()}"\nseed = 5'
    tokenizer_recipe.write_text(tokenizer_recipe.read_text().replace("seed = 5", start))
    with pytest.raises(InputError, match="has other sizes than model"):
        train_tokenizer(tokenizer_recipe, resume=False, output=tmp_path / "out")


def test_the_exported_tokenizer_loads(
    tokenizer_recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train_tokenizer(tokenizer_recipe, resume=False, output=tmp_path / "out")
    said = capsys.readouterr().out
    assert "perceptual loss: absent" in said
    assert "step 6/6" in said
    tokenizer = load_tokenizer(tmp_path / "out" / "checkpoint")
    assert tokenizer.encode(torch.rand(1, 3, 64, 64)).shape == (1, 256)
