"""The machine and the software of a run."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.store.keys import Numerics

if TYPE_CHECKING:
    from bench.grid.sections import ExecutionSection

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "pandas", "pyarrow", "pytorch-fid", "safetensors")


def resolve_device(name: str) -> str:
    """The device with a given name; "auto" chooses one.

    Raises:
        InputError: The requested device is not available.
    """
    from maskgit.model import chosen_device

    return str(chosen_device(name))


def configure(execution: ExecutionSection, device: str) -> Numerics:
    """Configure torch for bit-reproducible work; returns everything that may change the last bit of its results."""
    numbers = numerics(execution, device)
    apply(numbers)
    return numbers


def apply(numerics: Numerics) -> None:
    """Configure torch for bit-reproducible work with these numerics."""
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(numerics.threads)
    torch.use_deterministic_algorithms(True)
    allow_tf32 = numerics.precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = allow_tf32
    torch.backends.cudnn.allow_tf32 = allow_tf32
    torch.backends.cudnn.benchmark = False


def numerics(execution: ExecutionSection, device: str) -> Numerics:
    """Everything that may change the last bit of a network's output, for keys."""
    return Numerics(
        device=device.partition(":")[0],
        precision=execution.precision,
        tile=execution.tile,
        torch=version("torch"),
        threads=threads(execution),
    )


def threads(execution: ExecutionSection) -> int:
    """CPU threads of a run: as specified, otherwise one per core that this process may use."""
    if execution.threads != "auto":
        return execution.threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def describe(device: str, n_threads: int) -> dict[str, Any]:
    """The environment, as shown in reports."""
    return {
        "maskbench": package_version("maskbench"),
        "python": platform.python_version(),
        **{name: package_version(name) for name in PACKAGES},
        "platform": " ".join((platform.system(), platform.machine(), *platform.libc_ver())).strip(),
        "cpu": _cpu_name(),
        "threads": n_threads,
        "device": device,
        "gpu": _gpu_name(device),
    }


def package_version(name: str) -> str | None:
    """Version of a package, or None if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _gpu_name(device: str) -> str | None:
    if not device.startswith("cuda"):
        return None
    import torch

    return torch.cuda.get_device_name(device)
