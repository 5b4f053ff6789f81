"""Executors by their name in `execution.executor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.executors import local, ray_pool, shared

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.executors.contract import Executor, Placement

EXECUTORS: dict[str, Callable[[Placement], Executor]] = {
    "local": lambda placement: local.execute,
    "ray": ray_pool.RayExecutor,
    "shared": shared.SharedExecutor,
}
