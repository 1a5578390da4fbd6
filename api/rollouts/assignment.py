"""Which variant of a rollout answers which user.

Knows a rollout and a unit, the digest of a user or session id. Stores nothing: every process computes the same assignment.
"""

import hashlib
from typing import NamedTuple

from api.rollouts.policy import Kind
from api.rollouts.state import Arm, Rollout


class Choice(NamedTuple):
    """The variant that answers one request, and the experiment and arm that the request belongs to, if any."""

    variant: str
    experiment: str | None = None
    arm: str | None = None
    shadow: str | None = None
    """The variant that answers a copy of the request."""


def position(rollout: str, unit: str) -> float:
    """A number from 0 to 1: uniform over units, and independent between rollouts."""
    return int.from_bytes(hashlib.sha256(f"{rollout}:{unit}".encode()).digest()[:8]) / 2**64


def choose(rollout: Rollout, unit: str) -> Choice:
    """The candidate answers the units whose position is below its share, so that none returns to the control as the share grows.

    In a shadow rollout only the copied requests belong to the experiment. After the end of a rollout none does.
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
