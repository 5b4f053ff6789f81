from __future__ import annotations

from dataclasses import replace

from bench.store.keys import BlockIdentity, Numerics, feature_key, model_key, pixels_key, trajectory_key

BLOCK = BlockIdentity((0, 1), ("a", "b"), ("x", "y"))
NUMERICS = Numerics("cpu", "float32", 16, "2.15.0", 2)
SETTINGS = {"gamma": "cosine", "total_iter": 8, "seed": 0}


def test_keys_change_with_what_their_layer_depends_on_and_with_nothing_else() -> None:
    key = model_key("weights", BLOCK, NUMERICS)
    assert key != model_key("other weights", BLOCK, NUMERICS)
    assert key != model_key("weights", replace(BLOCK, pixels=("a", "c")), NUMERICS)
    assert key == model_key("weights", replace(BLOCK, truth=("x", "z")), NUMERICS)
    for change in ({"tile": 8}, {"device": "cuda"}, {"torch": "2.11.0"}, {"threads": 1}, {"precision": "tf32"}):
        assert key != model_key("weights", BLOCK, replace(NUMERICS, **change))

    path = trajectory_key(key, BLOCK, SETTINGS)
    assert path != trajectory_key(key, BLOCK, {**SETTINGS, "seed": 1})
    assert path != trajectory_key(key, replace(BLOCK, image_ids=(0, 2)), SETTINGS)
    assert path == trajectory_key(key, BLOCK, dict(reversed(SETTINGS.items())))

    assert feature_key(key, "extractor") != feature_key(key, "other")
    assert pixels_key(key, BLOCK) != pixels_key(key, replace(BLOCK, truth=("x", "z")))
