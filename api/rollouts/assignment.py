"""Which variant answers whom.

Knows a rollout and a unit: a digest of a user or session. Keeps no row of either, so every process says the same, always.
"""

import hashlib
from typing import NamedTuple

from api.rollouts.policy import Kind
from api.rollouts.state import Arm, Rollout


class Choice(NamedTuple):
    """What answers one request; a request that is no part of an experiment has none."""

    variant: str
    experiment: str | None = None
    arm: str | None = None
    shadow: str | None = None
    """A variant that answers a copy."""


def position(rollout: str, unit: str) -> float:
    """Where a unit stands between 0 and 1: uniform over units, and independent between rollouts."""
    return int.from_bytes(hashlib.sha256(f"{rollout}:{unit}".encode()).digest()[:8]) / 2**64


def choose(rollout: Rollout, unit: str) -> Choice:
    """The candidate answers the units that stand below its share: as that grows, none goes back to the control.

    Of a shadow, the requests that are copied are the experiment. What has ended is none.
    """
    policy = rollout.policy
    if rollout.state.ended:
        return Choice(policy.candidate if rollout.share else policy.control)
    name = rollout.policy.name
    if policy.kind is Kind.SHADOW:
        copied = 100 * position(name, unit) < policy.share
        return Choice(policy.control, name, Arm.CONTROL, policy.candidate) if copied else Choice(policy.control)
    arm = Arm.CANDIDATE if 100 * position(name, unit) < rollout.share else Arm.CONTROL
    return Choice(rollout.variant(arm), name, arm)
