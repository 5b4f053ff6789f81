"""Executors by their name in `execution.executor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.executors import local

if TYPE_CHECKING:
    from bench.executors.contract import Executor

EXECUTORS: dict[str, Executor] = {"local": local.execute}
