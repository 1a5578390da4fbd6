"""The rollouts of a ledger: what all processes agree on, and the memory by which each of them answers.

Knows rows, and which change may follow which state. Knows nothing of guardrails.
"""

from collections.abc import Callable, Collection
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Engine, Row, insert, select, update

from api.rollouts.assignment import Choice, choose
from api.rollouts.policy import Kind, Policy
from api.rollouts.state import Arm, Change, Event, Rollout, State, Status, now
from rag.errors import GroundwireError, NotFoundError, StorageError
from rag.ledger.database import exclusive, insert_new, told
from rag.ledger.schema import rollout_events, rollouts

__all__ = ["Choice", "Rollouts"]


class Rollouts:
    """Opened with the state as it is; from then on `refresh` tells what others changed."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._known: dict[str, Rollout] = {}
        self.refresh()

    def names(self) -> list[str]:
        """All that can be asked for, ended ones too. From memory."""
        return sorted(self._known)

    def running(self) -> list[Rollout]:
        """From memory."""
        return [rollout for rollout in self._known.values() if not rollout.state.ended]

    def choose(self, model: str, unit: str) -> Choice:
        """What answers `unit` where `model` is asked for: a name that is no rollout is a variant. From memory, without I/O."""
        rollout = self._known.get(model)
        return choose(rollout, unit) if rollout else Choice(model)

    def refresh(self) -> None:
        """Read the state of all rollouts."""
        self._known = {rollout.name: rollout for rollout in self.all()}

    def all(self) -> list[Rollout]:
        """The latest first."""
        with told(self.engine.url), self.engine.connect() as connection:
            return [_rollout(row) for row in connection.execute(select(rollouts).order_by(rollouts.c.created_at.desc()))]

    def get(self, name: str) -> Rollout:
        """Raises `NotFoundError` where there is none."""
        with told(self.engine.url), self.engine.connect() as connection:
            row = connection.execute(select(rollouts).where(rollouts.c.name == name)).one_or_none()
        if row is None:
            raise _missing(name)
        return _rollout(row)

    def events(self, name: str) -> list[Event]:
        """The audit of a name, over all rollouts that had it, oldest first."""
        columns = rollout_events.c
        query = select(columns.at, columns.actor, columns.event, columns.detail).where(columns.rollout == name)
        with told(self.engine.url), self.engine.connect() as connection:
            return [Event(**row._mapping) for row in connection.execute(query.order_by(columns.id))]

    def start(self, policy: Policy, variants: Collection[str], actor: str) -> Rollout:
        """Begin a rollout; one that has ended under its name is replaced.

        Raises `GroundwireError` where that one still runs, where a variant has its name, or where a variant of it is none of `variants`.
        """
        if policy.name in variants:
            raise GroundwireError(f"rollout {policy.name} has the name of a variant", "rename its file")
        for variant in (policy.control, policy.candidate):
            if variant not in variants:
                raise NotFoundError(f"variant {variant} does not exist", f"there are {', '.join(sorted(variants)) or 'none'}")
        at = now()
        with exclusive(self.engine) as connection:
            row = connection.execute(select(rollouts).where(rollouts.c.name == policy.name).with_for_update()).one_or_none()
            before = _rollout(row) if row else None
            revision = before.revision + 1 if before else 0
            started = Rollout(policy=policy, state=State(since=at), revision=revision, created_at=at)
            changed = update(rollouts).where(rollouts.c.name == policy.name) if before else insert_new(connection, rollouts)
            # Of two that begin a new one at the same time, the second finds that of the first.
            if (before and not before.state.ended) or not connection.execute(changed.values(_row(started))).rowcount:
                raise GroundwireError(f"rollout {policy.name} is running", f"`api rollout stop {policy.name}` ends it")
            connection.execute(insert(rollout_events).values(_event(started, Change.STARTED, actor, policy.description)))
        self.refresh()
        return started

    def stop(self, name: str, actor: str, why: str = "") -> Rollout:
        """End it without a finding: all requests go to the control."""
        return self._end(name, Change.STOPPED, actor, why)

    def promote(self, name: str, actor: str, why: str = "") -> Rollout:
        """End it: all requests go to the candidate."""
        return self._end(name, Change.PROMOTED, actor, why)

    def rollback(self, name: str, actor: str, why: str = "") -> Rollout:
        """End it, or take a promotion back: all requests go to the control."""
        return self._end(name, Change.ROLLED_BACK, actor, why)

    def switch(self, name: str, actor: str, why: str = "") -> Rollout:
        """Of a blue-green: all requests go to the other variant. The same again goes back."""

        def switched(rollout: Rollout) -> State:
            if rollout.policy.kind is not Kind.BLUE_GREEN:
                raise GroundwireError(f"rollout {name} is of kind {rollout.policy.kind}", "only a blue-green is switched")
            _require_running(rollout)
            active = Arm.CANDIDATE if rollout.state.active is Arm.CONTROL else Arm.CONTROL
            return State(since=now(), active=active, why=why)

        return self._change(name, Change.SWITCHED, actor, why, switched)

    def step(self, rollout: Rollout, change: Change, state: State, actor: str) -> bool:
        """Bring a rollout into `state`, unless it has changed since it was read; whether it was done.

        Of all who try the same step, one succeeds.
        """
        with exclusive(self.engine) as connection:
            row = connection.execute(select(rollouts).where(rollouts.c.name == rollout.name).with_for_update()).one_or_none()
            stale = row is None or row.revision != rollout.revision
            if not stale:
                changed = rollout.model_copy(update={"state": state, "revision": rollout.revision + 1})
                connection.execute(update(rollouts).where(rollouts.c.name == rollout.name).values(_row(changed)))
                connection.execute(insert(rollout_events).values(_event(changed, change, actor, state.why)))
        self.refresh()
        return not stale

    def _end(self, name: str, change: Change, actor: str, why: str) -> Rollout:
        def ended(rollout: Rollout) -> State:
            if not (change is Change.ROLLED_BACK and rollout.state.status is Status.PROMOTED):
                _require_running(rollout)
            return rollout.state.model_copy(update={"status": Status(change), "since": now(), "why": why})

        return self._change(name, change, actor, why, ended)

    def _change(self, name: str, change: Change, actor: str, why: str, to: Callable[[Rollout], State]) -> Rollout:
        """What people ask for: it is done to the rollout as it is by then."""
        while True:
            rollout = self.get(name)
            if self.step(rollout, change, to(rollout), actor):
                return self.get(name)


def _require_running(rollout: Rollout) -> None:
    if rollout.state.ended:
        raise GroundwireError(
            f"rollout {rollout.name} has ended: {rollout.state.status}", "`api rollout start FILE` begins it anew"
        )


def _missing(name: str) -> NotFoundError:
    return NotFoundError(f"rollout {name} does not exist", "`api rollout list` shows what there is")


def _row(rollout: Rollout) -> dict[str, Any]:
    return {
        "name": rollout.name,
        "created_at": rollout.created_at,
        "revision": rollout.revision,
        "policy": rollout.policy.model_dump_json(),
        "state": rollout.state.model_dump_json(),
    }


def _rollout(row: Row[Any]) -> Rollout:
    try:
        policy, state = Policy.model_validate_json(row.policy), State.model_validate_json(row.state)
    except ValidationError as error:
        raise StorageError(
            f"rollout {row.name} of the ledger was written by another version of Groundwire", "run the version that started it"
        ) from error
    return Rollout(policy=policy, state=state, revision=row.revision, created_at=row.created_at)


def _event(rollout: Rollout, change: Change, actor: str, detail: str) -> dict[str, Any]:
    return {"rollout": rollout.name, "at": rollout.state.since, "actor": actor, "event": change, "detail": detail}
