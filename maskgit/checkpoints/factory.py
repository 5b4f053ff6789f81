"""`python:` checkpoints: a user's function that returns the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maskgit.checkpoints.python_part import load_part
from maskgit.errors import CheckpointError
from maskgit.model import MaskedImageModel

if TYPE_CHECKING:
    from maskgit.checkpoints.checkpoint import Checkpoint

MODEL_ATTRIBUTES = ("num_tokens", "num_codes", "image_size", "cell", "encode", "logits", "render")


def call_factory(checkpoint: Checkpoint) -> MaskedImageModel:
    """Call the factory, and give the model its fingerprint (see `maskgit.checkpoints.locate`).

    Raises:
        CheckpointError: it cannot be imported, raises an exception or does not return a model.
    """
    assert checkpoint.part is not None
    loaded = load_part(checkpoint.part, "one that returns a model")
    model = loaded.call(loaded.value, what="the factory failed")
    if missing := [name for name in MODEL_ATTRIBUTES if not hasattr(model, name)]:
        raise CheckpointError(
            f"python:{checkpoint.name}: returns no maskgit.model.MaskedImageModel: add {', '.join(missing)} to it"
        )
    declared = (
        getattr(loaded.module, "FINGERPRINT", None)
        or getattr(loaded.value, "fingerprint", None)
        or getattr(model, "fingerprint", None)
    )
    model.fingerprint = str(declared or checkpoint.fingerprint)
    if not hasattr(model, "reading"):
        model.reading = (f"the model is the user's own code {checkpoint.name}",)
    assert isinstance(model, MaskedImageModel)
    return model
