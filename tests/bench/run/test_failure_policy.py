"""The policy: which failures are a checkpoint's, and what becomes of them."""

from __future__ import annotations

import pytest
import torch

from bench.run.failure_policy import FailurePolicy
from maskgit.errors import CheckpointError, InputError


def test_the_first_failure_stops_unless_it_is_to_keep_going() -> None:
    policy = FailurePolicy()
    with pytest.raises(CheckpointError, match="damaged"), policy.checkpoint("a"):
        raise CheckpointError("damaged")
    assert policy.failures == {}


def test_keeping_going_skips_says_so_and_remembers() -> None:
    told = []
    policy = FailurePolicy(keep_going=True, on_skip=lambda name, reason: told.append((name, reason)))
    with policy.checkpoint("a"):
        raise CheckpointError("damaged")
    with policy.checkpoint("b"):
        pass
    assert told == [("a", "damaged")]
    assert list(policy.failures) == ["a"]
    policy.require_any(["b"])
    with pytest.raises(CheckpointError, match="damaged"):
        policy.require_any([])


@pytest.mark.parametrize("keep_going", [False, True])
def test_a_lack_of_memory_is_a_failure_of_its_checkpoint(keep_going: bool) -> None:
    policy = FailurePolicy(keep_going)

    def exhaust() -> None:
        with policy.checkpoint("huge"):
            torch.empty(1 << 55, dtype=torch.uint8)

    if keep_going:
        exhaust()
        assert "huge: out of memory; lower execution.tile" in str(policy.failures["huge"])
    else:
        with pytest.raises(InputError, match="out of memory"):
            exhaust()


@pytest.mark.parametrize("bug", [RuntimeError("a bug"), KeyError("a bug")])
def test_a_bug_is_no_reason_to_keep_going(bug: Exception) -> None:
    with pytest.raises(type(bug), match="a bug"), FailurePolicy(keep_going=True).checkpoint("a"):
        raise bug
