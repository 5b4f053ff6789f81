"""Where a training runs."""

from __future__ import annotations

import torch

from maskgit.model import checked_device


def training_device(name: str) -> torch.device:
    """The device that a recipe names: "auto" takes a CUDA GPU where there is one, else the CPU.

    Raises:
        InputError: the device asked for is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return checked_device(name)
