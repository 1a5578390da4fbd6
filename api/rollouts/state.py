"""Where a rollout stands.

Knows what is kept of it. Knows nothing of where that is stored, or of who changes it.
"""

import enum
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from api.rollouts.pins import Pin
from api.rollouts.policy import Kind, Policy
from rag.types import Value


class Arm(enum.StrEnum):
    CONTROL = "control"
    CANDIDATE = "candidate"


class Status(enum.StrEnum):
    """All but the first are ends: one variant answers then, the candidate where it was promoted."""

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
    status: Status = Status.RUNNING
    stage: int = 0
    """Of a canary, counted from 0."""
    active: Arm = Arm.CONTROL
    """Of a blue-green."""
    since: str
    """When this state began; ISO 8601, UTC."""
    why: str = ""
    pins: Mapping[Arm, Pin] = {}
    """The variants as they were at the start; empty where an earlier version of ours began it."""

    @property
    def ended(self) -> bool:
        return self.status is not Status.RUNNING


class Rollout(Value):
    """A policy on its way; `revision` counts the changes."""

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
        """Percent of the requests whose reader gets the candidate's answer."""
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
        """What answers the requests of an arm."""
        return self.policy.candidate if arm is Arm.CANDIDATE else self.policy.control


class Event(Value):
    """One change, for the audit."""

    at: str
    actor: str
    event: Change
    detail: str
    started: Mapping[str, Any] | None = None
    """Of a start, its policy and pins; null for all else, and where an earlier version of ours wrote it."""


def now() -> str:
    """ISO 8601, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
