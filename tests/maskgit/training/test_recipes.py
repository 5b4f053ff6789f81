"""Recipes: what is wrong is refused with file, key and remedy, before any work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from maskgit.checkpoints.locate import bundled, locate, locate_tokenizer
from maskgit.errors import InputError
from maskgit.training.config import (
    TokenizerRecipe,
    TransformerRecipe,
    read_recipe,
    tokenizer_config,
    transformer_config,
)

if TYPE_CHECKING:
    from maskgit.config import TokenizerConfig

ROOT = Path(__file__).parents[3]
RECIPES = ROOT / "maskgit" / "pretrained" / "recipes"
TOKENIZERS = ("tokenizer", "tokenizer_colour", "tokenizer_decoder")
TRANSFORMERS = ("catfaces", "catfaces_colour", "catfaces_plain", "catfaces_more", "cats64")
CHAIN = (*TOKENIZERS, *TRANSFORMERS)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("steps = 6", "steps = 6\nspeed = 3", "unknown key train.speed; the known ones: steps"),
        ("steps = 6\n", "", "missing key train.steps"),
        ("steps = 6", "steps = 0", "train.steps = 0"),
        ("steps = 6", 'steps = "6"', "train.steps = '6'"),
        ("seed = 5", "seed = 5\ncolour = 1", "unknown key colour; the known ones: name"),
        ("latent_dim = 4", "latent_dims = 4", "unknown key latent_dims"),
        ("latent_dim = 4", "latent_dim = 0", "model.latent_dim = 0"),
        ("[train]", "[train", "not valid TOML"),
    ],
)
def test_bad_recipe_is_refused_in_one_line(tokenizer_recipe: Path, old: str, new: str, said: str) -> None:
    tokenizer_recipe.write_text(tokenizer_recipe.read_text().replace(old, new))
    with pytest.raises(InputError) as caught:
        tokenizer_config(read_recipe(tokenizer_recipe, TokenizerRecipe), tokenizer_recipe)
    message = str(caught.value)
    assert message.startswith(str(tokenizer_recipe))
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize("mask", ["bernoulli!", "gamma:cosinus", "gamma"])
def test_unknown_mask_is_refused(transformer_recipe: Path, mask: str) -> None:
    transformer_recipe.write_text(transformer_recipe.read_text().replace("accumulate = 2", f'mask = "{mask}"'))
    with pytest.raises(InputError, match=r"train\.mask"):
        read_recipe(transformer_recipe, TransformerRecipe)


def test_a_recipe_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: cannot be read"):
        read_recipe(tmp_path / "none.toml", TokenizerRecipe)


def read_any(stem: str) -> TokenizerRecipe | TransformerRecipe:
    kind: type = TokenizerRecipe if stem in TOKENIZERS else TransformerRecipe
    return read_recipe(RECIPES / f"{stem}.toml", kind)


def bundled_tokenizer() -> TokenizerConfig:
    found = locate_tokenizer("tokenizer", Path()).tokenizer
    assert found is not None
    return found


def test_every_committed_recipe_is_looked_at() -> None:
    assert sorted(path.stem for path in RECIPES.iterdir()) == sorted(CHAIN)
    assert {read_any(stem).name for stem in TRANSFORMERS} == set(bundled())


@pytest.mark.parametrize("stem", CHAIN)
def test_a_committed_recipe_names_no_machine_and_the_results_of_earlier_ones_alone(stem: str) -> None:
    recipe = read_any(stem)
    assert recipe.output == f"runs/{stem}"
    folders = [recipe.data.root, *recipe.data.folders, *recipe.data.exclude_equal_to, *recipe.data.val]
    assert not any(Path(folder).is_absolute() for folder in folders)
    earlier = {f"runs/{other}/checkpoint" for other in CHAIN[: CHAIN.index(stem)]}
    assert {recipe.start, getattr(recipe, "tokenizer", None)} - {None} <= earlier
    if stem.endswith("_colour"):
        assert recipe.start == f"runs/{stem.removesuffix('_colour')}/checkpoint"


@pytest.mark.parametrize("stem", TOKENIZERS)
def test_a_committed_tokenizer_recipe_has_the_bundled_sizes(stem: str) -> None:
    path = RECIPES / f"{stem}.toml"
    assert tokenizer_config(read_recipe(path, TokenizerRecipe), path) == bundled_tokenizer()


@pytest.mark.parametrize("stem", TRANSFORMERS)
def test_a_committed_transformer_recipe_has_the_bundled_sizes(stem: str) -> None:
    path = RECIPES / f"{stem}.toml"
    recipe = read_recipe(path, TransformerRecipe)
    assert transformer_config(recipe, path, bundled_tokenizer()) == locate(recipe.name, Path()).transformer


def test_the_examples_recipe_is_valid() -> None:
    path = ROOT / "examples" / "quality-over-training" / "recipe.toml"
    transformer_config(read_recipe(path, TransformerRecipe), path, bundled_tokenizer())


def test_sizes_that_follow_from_the_tokenizer_may_not_be_given(
    tokenizer_recipe: Path, transformer_recipe: Path
) -> None:
    tokenizer = tokenizer_config(read_recipe(tokenizer_recipe, TokenizerRecipe), tokenizer_recipe)
    transformer_recipe.write_text(
        transformer_recipe.read_text().replace("n_heads = 2", "n_heads = 2\nnum_image_tokens = 64")
    )
    with pytest.raises(InputError, match=r"model\.num_image_tokens follows from the tokenizer"):
        transformer_config(read_recipe(transformer_recipe, TransformerRecipe), transformer_recipe, tokenizer)
