"""Stage 2: gradients, weight decay, learning, what is exported."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from maskgit.checkpoints.locate import locate
from maskgit.checkpoints.native import load_model, load_tokenizer
from maskgit.config import TransformerConfig
from maskgit.errors import InputError
from maskgit.training.config import TransformerTraining
from maskgit.training.loop import load_state
from maskgit.training.tokens import TokenSet, draw_masked
from maskgit.training.transformer_stage import TransformerStage, decay_groups, train_transformer
from maskgit.transformer import BidirectionalTransformer

if TYPE_CHECKING:
    from pathlib import Path


def stage(tiny_checkpoint: Path, **settings: object) -> TransformerStage:
    """A stage on images whose tokens are all the same few codes, so that there is something to learn."""
    codes = torch.arange(256).remainder(3)
    full = torch.stack([(codes + shift).remainder(3) for shift in range(3)])[:, None].short()
    hole = torch.zeros(3, 1, 256, dtype=torch.bool)
    hole[..., 100:140] = True
    tokens = TokenSet(full, full, hole)
    training = TransformerTraining.model_validate({"steps": 40, "batch": 6, "walk_share": 0.0, "lr": 1e-2, **settings})
    return TransformerStage(
        TransformerConfig(256, 48, 16, 2, 32, 2),
        training,
        tokens,
        tokens,
        seed=1,
        name="t",
        tokenizer=load_tokenizer(tiny_checkpoint),
        tokenizer_folder=tiny_checkpoint,
        facts={},
    )


def test_accumulated_gradients_equal_those_of_the_whole_batch(tiny_checkpoint: Path) -> None:
    """Parts with few and with many masked tokens weigh by their tokens, not by their number."""
    whole, parts = stage(tiny_checkpoint, accumulate=1), stage(tiny_checkpoint, accumulate=3)
    inputs, targets, masked = draw_masked(
        whole.tokens, torch.tensor([0, 1, 2, 0, 1, 2]), whole.settings, torch.Generator().manual_seed(2), 48
    )
    masked[:2, 8:] = False
    assert len({int(part.sum()) for part in masked.chunk(3)}) == 3
    losses = [s.accumulate_gradients(inputs, targets, masked) for s in (whole, parts)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for (name, a), b in zip(whole.model.named_parameters(), parts.model.parameters(), strict=True):
        assert a.grad is not None
        assert b.grad is not None
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-6, msg=name)


def test_only_masked_places_teach(tiny_checkpoint: Path) -> None:
    s = stage(tiny_checkpoint)
    inputs, targets, masked = draw_masked(s.tokens, torch.arange(3), s.settings, torch.Generator().manual_seed(2), 48)
    first = s.accumulate_gradients(inputs, targets, masked)
    wrong = torch.where(masked, targets, (targets + 1).remainder(48))
    assert s.accumulate_gradients(inputs, wrong, masked) == first


def test_weight_decay_spares_norms_biases_and_embeddings() -> None:
    model = BidirectionalTransformer(TransformerConfig(256, 48, 16, 2, 32, 2))
    decayed, others = decay_groups(model, 0.05)
    names = {id(p): name for name, p in model.named_parameters()}
    chosen = {names[id(p)] for p in decayed["params"]}
    assert {names[id(p)] for p in others["params"]} | chosen == set(names.values())
    assert all(name.endswith(".weight") and "LayerNorm" not in name and "emb" not in name for name in chosen)
    assert "blocks.1.MLP.2.weight" in chosen
    assert "Token_Prediction.0.weight" in chosen
    assert (decayed["weight_decay"], others["weight_decay"]) == (0.05, 0.0)


def test_it_learns_what_can_be_learnt(tiny_checkpoint: Path) -> None:
    s = stage(tiny_checkpoint, ema_decay=0.8, label_smoothing=0.0)
    before = s.validate()[0]["score"]
    for step in range(40):
        s.train_step(step, 1.0)
    after = s.validate()[0]["score"]
    assert before > 3.5
    assert after < 1.3  # ln 3 = 1.1 without looking at the other tokens


def test_validation_is_the_same_each_time_and_leaves_the_training_alone(tiny_checkpoint: Path) -> None:
    s, undisturbed = stage(tiny_checkpoint), stage(tiny_checkpoint)
    assert s.validate()[0] == s.validate()[0]
    s.train_step(0, 1.0)
    undisturbed.train_step(0, 1.0)
    for a, b in zip(s.model.parameters(), undisturbed.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_training_that_starts_from_another_begins_with_its_weights(
    transformer_recipe: Path, tmp_path: Path, tiny_checkpoint: Path
) -> None:
    sizes = "dim = 32\nn_layers = 2\nhidden_dim = 64\nn_heads = 4\n"
    text = transformer_recipe.read_text().replace("dim = 16\nn_layers = 2\nhidden_dim = 32\nn_heads = 2\n", sizes)
    start = f'start = "{tiny_checkpoint.as_posix()}"\nseed = 6'
    transformer_recipe.write_text(text.replace("seed = 6", start).replace("lr = 3e-3", "lr = 1e-9"))
    train_transformer(transformer_recipe, resume=False, output=tmp_path / "out")
    trained = load_model(locate(str(tmp_path / "out" / "checkpoint"), tmp_path))
    begun = load_model(locate(str(tiny_checkpoint), tmp_path))
    tokens = torch.full((1, 256), 48)
    torch.testing.assert_close(trained.logits(tokens), begun.logits(tokens), rtol=0, atol=0.05)
    transformer_recipe.write_text(transformer_recipe.read_text().replace("dim = 32", "dim = 36"))
    with pytest.raises(InputError, match="has other sizes than model"):
        train_transformer(transformer_recipe, resume=False, output=tmp_path / "other")


def test_validation_shows_filled_holes_where_training_has_none(
    transformer_recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lab's and the paper's masking: no random walks."""
    transformer_recipe.write_text(transformer_recipe.read_text().replace("walk_share = 0.5", "walk_share = 0.0"))
    train_transformer(transformer_recipe, resume=False, output=tmp_path / "out")
    said = capsys.readouterr().out
    assert all(f"step {step}  val_loss" in said for step in (4, 8))
    assert load_state(tmp_path / "out" / "tokens.pt")["hole"] is None
    board = EventAccumulator(str(tmp_path / "out" / "tensorboard")).Reload()
    assert [event.step for event in board.Images("one_step_fill")] == [4, 8]


def test_holes_of_the_validation_images_do_not_change_pure_masking() -> None:
    draw = torch.Generator().manual_seed(3)
    full, hole = torch.randint(0, 48, (4, 1, 256), generator=draw).short(), torch.rand(4, 1, 256, generator=draw) < 0.3
    settings = TransformerTraining(steps=1, walk_share=0.0)
    with_holes, without = (
        draw_masked(tokens, torch.arange(4), settings, torch.Generator().manual_seed(1), 48)
        for tokens in (TokenSet(full, full + 1, hole), TokenSet(full, None, None))
    )
    assert all(torch.equal(a, b) for a, b in zip(with_holes, without, strict=True))


def test_the_exported_checkpoint_is_the_best_average_and_loads(transformer_recipe: Path, tmp_path: Path) -> None:
    # A learning rate that ruins the weights late: the last validation is not the best.
    transformer_recipe.write_text(transformer_recipe.read_text().replace("lr = 3e-3", "lr = 0.3"))
    train_transformer(transformer_recipe, resume=False, output=tmp_path / "out")
    with (tmp_path / "out" / "curves.csv").open() as file:
        scores = {int(row["step"]): float(row["value"]) for row in csv.DictReader(file) if row["name"] == "score"}
    found = locate(str(tmp_path / "out" / "checkpoint"), tmp_path)
    best = min(scores, key=lambda step: scores[step])
    assert found.extra["training"]["step"] == best
    assert load_state(tmp_path / "out" / "state.pt")["best"] == pytest.approx(scores[best], rel=1e-4)
    model = load_model(found)
    tokens = torch.full((1, 256), 48)
    assert model.logits(tokens).shape == (1, 256, 49)
    assert "data" in found.extra
