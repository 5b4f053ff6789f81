"""Recipes: what is wrong is refused with file, key and remedy, before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskgit.errors import InputError
from maskgit.training.config import (
    TokenizerRecipe,
    TransformerRecipe,
    read_recipe,
    tokenizer_config,
    transformer_config,
)

RECIPES = Path(__file__).parents[3] / "maskgit" / "pretrained" / "recipes"


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
        ("[train]", "[train", "is not TOML"),
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


def test_committed_recipes_are_valid_and_name_no_machine() -> None:
    path = RECIPES / "tokenizer.toml"
    tokenizer = tokenizer_config(read_recipe(path, TokenizerRecipe), path)
    for name in ("catfaces", "cats64"):
        path = RECIPES / f"{name}.toml"
        recipe = read_recipe(path, TransformerRecipe)
        assert transformer_config(recipe, path, tokenizer).num_image_tokens == tokenizer.num_tokens
        assert recipe.name == name
        assert not any(Path(folder).is_absolute() for folder in recipe.data.folders)


def test_sizes_that_follow_from_the_tokenizer_may_not_be_given(
    tokenizer_recipe: Path, transformer_recipe: Path
) -> None:
    tokenizer = tokenizer_config(read_recipe(tokenizer_recipe, TokenizerRecipe), tokenizer_recipe)
    transformer_recipe.write_text(
        transformer_recipe.read_text().replace("n_heads = 2", "n_heads = 2\nnum_image_tokens = 64")
    )
    with pytest.raises(InputError, match=r"model\.num_image_tokens follows from the tokenizer"):
        transformer_config(read_recipe(transformer_recipe, TransformerRecipe), transformer_recipe, tokenizer)
