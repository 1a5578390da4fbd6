"""A rollout with its state, and the changes in its audit.

Knows the values. Knows nothing of where they are stored, or who changes them.
"""

import enum
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from api.rollouts.pins import Pin
from api.rollouts.policy import Kind, Policy
from rag.types import Value


class Arm(enum.StrEnum):
    """One of the two variants of a rollout."""

    CONTROL = "control"
    CANDIDATE = "candidate"


class Status(enum.StrEnum):
    """A rollout runs or has ended. Then one variant answers: the candidate if it was promoted, otherwise the control."""

    RUNNING = "running"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled back"
    STOPPED = "stopped"


class Change(enum.StrEnum):
    """What can happen to a rollout."""

    STARTED = "started"
    ADVANCED = "advanced"
    SWITCHED = "switched"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled back"
    STOPPED = "stopped"


class State(Value):
    """What changes during a rollout."""

    status: Status = Status.RUNNING
    stage: int = 0
    """The stage of a canary, counted from 0."""
    active: Arm = Arm.CONTROL
    """The arm of a blue-green rollout that answers."""
    since: str
    """When this state began; ISO 8601, UTC."""
    why: str = ""
    pins: Mapping[Arm, Pin] = {}
    """The variants as they were at the start; empty if an earlier version of Groundwire began the rollout."""

    @property
    def ended(self) -> bool:
        return self.status is not Status.RUNNING


class Rollout(Value):
    """A policy that was started, with its state; `revision` counts the changes."""

    policy: Policy
    state: State
    revision: int
    created_at: str
    """When it was started; ISO 8601, UTC."""

    @property
    def name(self) -> str:
        return self.policy.name

    @property
    def share(self) -> float:
        """Percent of requests that the candidate answers for readers."""
        if self.state.ended:
            return 100 if self.state.status is Status.PROMOTED else 0
        match self.policy.kind:
            case Kind.AB:
                return self.policy.share
            case Kind.CANARY:
                return self.policy.stages[self.state.stage]
            case Kind.SHADOW:
                return 0
            case Kind.BLUE_GREEN:
                return 100 if self.state.active is Arm.CANDIDATE else 0

    def variant(self, arm: Arm) -> str:
        """The variant of an arm."""
        return self.policy.candidate if arm is Arm.CANDIDATE else self.policy.control


class Event(Value):
    """One change, for the audit."""

    at: str
    actor: str
    event: Change
    detail: str
    started: Mapping[str, Any] | None = None
    """The policy and pins of a start; null for other changes, and if an earlier version of Groundwire wrote it."""


def now() -> str:
    """The current time; ISO 8601, UTC, in milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
