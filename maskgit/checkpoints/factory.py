"""`python:` checkpoints: a user's function that returns the model."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from maskgit.checkpoints import user_code
from maskgit.errors import CheckpointError
from maskgit.model import MaskedImageModel

if TYPE_CHECKING:
    from maskgit.checkpoints.locate import Checkpoint

MODEL_ATTRIBUTES = ("num_tokens", "num_codes", "image_size", "cell", "encode", "logits", "render")


def call_factory(checkpoint: Checkpoint) -> MaskedImageModel:
    """Call the factory, and give the model its fingerprint (see `maskgit.checkpoints.locate`).

    Raises:
        CheckpointError: it cannot be imported, raises an exception or does not return a model.
    """
    if checkpoint.code is not None:
        code = user_code.load(checkpoint.code)
        module, factory = code.module, code.value
        model = code.call(factory, what="the factory failed")
    else:
        module, factory = _installed(checkpoint.name)
        with user_code.one_line(f"python:{checkpoint.name}: the factory failed"):
            model = factory()
    if missing := [name for name in MODEL_ATTRIBUTES if not hasattr(model, name)]:
        raise CheckpointError(
            f"python:{checkpoint.name}: returns no maskgit.model.MaskedImageModel: add {', '.join(missing)} to it"
        )
    declared = (
        getattr(module, "FINGERPRINT", None)
        or getattr(factory, "fingerprint", None)
        or getattr(model, "fingerprint", None)
    )
    model.fingerprint = str(declared or checkpoint.fingerprint)
    if not hasattr(model, "reading"):
        model.reading = (f"the model is the user's own code {checkpoint.name}",)
    assert isinstance(model, MaskedImageModel)
    return model


def _installed(name: str) -> tuple[Any, Any]:
    """An installed module and its factory."""
    module_name, factory_name = name.split(":")
    with user_code.one_line(f"python:{name}: cannot be imported"):
        module = importlib.import_module(module_name)
    factory = getattr(module, factory_name, None)
    if not callable(factory):
        raise CheckpointError(
            f"python:{name}: no function {factory_name} in {module_name}; name one that returns a model"
        )
    return module, factory
