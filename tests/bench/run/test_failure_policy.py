"""The guard: which failures are a checkpoint's, and what becomes of them."""

from __future__ import annotations

import pytest
import torch

from bench.run.failure_policy import FailurePolicy
from maskgit.errors import CheckpointError, InputError


def test_the_first_failure_stops_unless_it_is_to_keep_going() -> None:
    guard = FailurePolicy()
    with pytest.raises(CheckpointError, match="damaged"), guard.checkpoint("a"):
        raise CheckpointError("damaged")
    assert guard.failures == {}


def test_keeping_going_skips_says_so_and_remembers() -> None:
    told = []
    guard = FailurePolicy(keep_going=True, on_skip=lambda name, reason: told.append((name, reason)))
    with guard.checkpoint("a"):
        raise CheckpointError("damaged")
    with guard.checkpoint("b"):
        pass
    assert told == [("a", "damaged")]
    assert list(guard.failures) == ["a"]
    guard.require_any(["b"])
    with pytest.raises(CheckpointError, match="damaged"):
        guard.require_any([])


@pytest.mark.parametrize("keep_going", [False, True])
def test_a_lack_of_memory_is_a_failure_of_its_checkpoint(keep_going: bool) -> None:
    guard = FailurePolicy(keep_going)

    def exhaust() -> None:
        with guard.checkpoint("huge"):
            torch.empty(1 << 55, dtype=torch.uint8)

    if keep_going:
        exhaust()
        assert "huge: out of memory; lower execution.tile" in str(guard.failures["huge"])
    else:
        with pytest.raises(InputError, match="out of memory"):
            exhaust()


@pytest.mark.parametrize("bug", [RuntimeError("a bug"), KeyError("a bug")])
def test_a_bug_is_no_reason_to_keep_going(bug: Exception) -> None:
    with pytest.raises(type(bug), match="a bug"), FailurePolicy(keep_going=True).checkpoint("a"):
        raise bug
