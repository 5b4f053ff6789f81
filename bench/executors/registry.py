"""Executors by the name that `execution.executor` gives them."""

from __future__ import annotations

from bench.executors import local
from bench.executors.contract import Executor

EXECUTORS: dict[str, Executor] = {"local": local.execute}
