"""The rollouts of a ledger, with a copy in memory by which each process answers.

Knows rows, and which change may follow which state. Knows nothing of guardrails.
"""

import json
import logging
from collections.abc import Callable, Collection
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Engine, Row, insert, select, update

from api.rollouts.assignment import Choice, choose
from api.rollouts.pins import Pin, pin
from api.rollouts.policy import Kind, Policy
from api.rollouts.state import Arm, Change, Event, Rollout, State, Status, now
from rag import variant as variants
from rag.errors import ConfigurationError, GroundwireError, NotFoundError, StorageError
from rag.ledger.database import exclusive, insert_or_ignore
from rag.ledger.failures import translated
from rag.ledger.schema import rollout_events, rollouts
from rag.settings import Settings

__all__ = ["Choice", "Rollouts"]


class Rollouts:
    """Reads the state once when created; `refresh` reads it again.

    `settings` says where variants and prompts are: needed to answer by a rollout, or to start one.
    """

    def __init__(self, engine: Engine, settings: Settings | None = None) -> None:
        self.engine = engine
        self._settings = settings
        self._known: dict[str, Rollout] = {}
        self._unreadable: dict[str, StorageError] = {}
        self._variants: list[str] = []
        self._warned: set[str] = set()
        self.refresh()

    def names(self) -> list[str]:
        """The names of all rollouts, also of ended ones, from memory."""
        return sorted(self._known)

    def running(self) -> list[Rollout]:
        """The rollouts that have not ended, from memory."""
        return [rollout for rollout in self._known.values() if not rollout.state.ended]

    def unreadable(self) -> list[StorageError]:
        """The errors of the rollouts that could not be read, from memory."""
        return list(self._unreadable.values())

    def choose(self, model: str, unit: str) -> Choice:
        """The variant that answers `unit` when `model` is asked, from memory. A name that is no rollout is a variant.

        Raises `StorageError` if the rollout could not be read.
        """
        rollout = self._rollout_named(model)
        return choose(rollout, unit) if rollout else Choice(model)

    def fallback_variant(self, model: str) -> str:
        """The variant that `model` cannot do without: a candidate that cannot be used is rolled back to it."""
        rollout = self._rollout_named(model)
        variant = rollout.policy.control if rollout and not rollout.state.ended else self.choose(model, "").variant
        self.require(model, variant)
        return variant

    def require(self, model: str, variant: str) -> None:
        """Raises `ConfigurationError` if the rollout `model` needs `variant`, and its file is gone."""
        if self._settings and self._rollout_named(model) and variant not in self._variant_names():
            raise ConfigurationError(
                f"rollout {model}: variant {variant} does not exist", f"put its file back, or begin {model} anew without it"
            )

    def changed(self, rollout: Rollout) -> str:
        """How the variants differ from those at the start, as text; empty if they do not.

        Raises `GroundwireError` if a variant cannot be read.
        """
        present = self._pins(rollout.policy) if rollout.state.pins else {}
        found = ((arm, rollout.variant(arm), pinned.difference(rollout.state.pins[arm])) for arm, pinned in present.items())
        return "; ".join(f"the {arm} {variant} is not as it was at the start: {how}" for arm, variant, how in found if how)

    def _pins(self, policy: Policy) -> dict[Arm, Pin]:
        settings = self._settings
        if settings is None:
            return {}
        both = {Arm.CONTROL: policy.control, Arm.CANDIDATE: policy.candidate}
        return {arm: pin(variants.load(settings.variants, name), settings) for arm, name in both.items()}

    def _variant_names(self) -> list[str]:
        return variants.names(self._settings.variants) if self._settings else []

    def _rollout_named(self, model: str) -> Rollout | None:
        """The rollout of this name; null if a variant has the name and the rollout has ended."""
        rollout = self._known.get(model)
        if rollout is None and (why := self._unreadable.get(model)):
            raise StorageError(why.problem, why.mend)
        return None if rollout and rollout.state.ended and model in self._variants else rollout

    def refresh(self) -> None:
        """Read the state of all rollouts. One that cannot be read keeps its last known state."""
        read, unreadable = self._read()
        known = {name: self._known[name] for name in unreadable if name in self._known}
        self._variants = self._variant_names()
        self._unreadable = unreadable
        self._known = known | {rollout.name: rollout for rollout in read}
        self._warn(
            {str(error) for error in unreadable.values()}
            | {_shared(rollout.name) for rollout in self.running() if rollout.name in self._variants}
        )

    def _warn(self, warnings: set[str]) -> None:
        for warning in sorted(warnings - self._warned):
            logging.getLogger("groundwire").warning(warning)
        self._warned = warnings

    def all(self) -> list[Rollout]:
        """The rollouts that can be read, latest first."""
        return self._read()[0]

    def _read(self) -> tuple[list[Rollout], dict[str, StorageError]]:
        with translated(self.engine.url), self.engine.connect() as connection:
            rows = connection.execute(select(rollouts).order_by(rollouts.c.created_at.desc())).all()
        read, unreadable = [], {}
        for row in rows:
            try:
                read.append(_rollout(row))
            except StorageError as error:
                unreadable[row.name] = error
        return read, unreadable

    def get(self, name: str) -> Rollout:
        """The rollout of this name. Raises `NotFoundError`."""
        with translated(self.engine.url), self.engine.connect() as connection:
            row = connection.execute(select(rollouts).where(rollouts.c.name == name)).one_or_none()
        if row is None:
            raise _missing(name)
        return _rollout(row)

    def events(self, name: str) -> list[Event]:
        """The audit of all rollouts that had this name, oldest first."""
        columns = rollout_events.c
        wanted = (columns.at, columns.actor, columns.event, columns.detail, columns.started)
        query = select(*wanted).where(columns.rollout == name).order_by(columns.id)
        with translated(self.engine.url), self.engine.connect() as connection:
            return [
                Event(**{**row._mapping, "started": row.started and json.loads(row.started)}) for row in connection.execute(query)
            ]

    def start(self, policy: Policy, variants: Collection[str], actor: str) -> Rollout:
        """Begin a rollout. It replaces one of the same name that has ended or cannot be read.

        Raises `GroundwireError` if that one still runs, if a variant has its name, or if it needs a variant not in `variants`.
        """
        if policy.name in variants:
            raise GroundwireError(f"rollout {policy.name} has the name of a variant", "rename its file")
        for variant in (policy.control, policy.candidate):
            if variant not in variants:
                raise NotFoundError(f"variant {variant} does not exist", f"there are {', '.join(sorted(variants)) or 'none'}")
        at, pins = now(), self._pins(policy)
        with exclusive(self.engine) as connection:
            row = connection.execute(select(rollouts).where(rollouts.c.name == policy.name).with_for_update()).one_or_none()
            revision = row.revision + 1 if row else 0
            started = Rollout(policy=policy, state=State(since=at, pins=pins), revision=revision, created_at=at)
            changed = update(rollouts).where(rollouts.c.name == policy.name) if row else insert_or_ignore(connection, rollouts)
            # If two processes begin it at the same time, the second finds the row of the first.
            if (row and _runs(row)) or not connection.execute(changed.values(_row(started))).rowcount:
                raise GroundwireError(f"rollout {policy.name} is running", f"`api rollout stop {policy.name}` ends it")
            event = _event(started, Change.STARTED, actor, policy.description) | {"started": _started(started)}
            connection.execute(insert(rollout_events).values(event))
        self.refresh()
        return started

    def stop(self, name: str, actor: str, why: str = "") -> Rollout:
        """End the rollout without a decision: all requests go to the control."""
        return self._end(name, Change.STOPPED, actor, why)

    def promote(self, name: str, actor: str, why: str = "") -> Rollout:
        """End the rollout: all requests go to the candidate."""
        return self._end(name, Change.PROMOTED, actor, why)

    def rollback(self, name: str, actor: str, why: str = "") -> Rollout:
        """End the rollout, or take its promotion back: all requests go to the control."""
        return self._end(name, Change.ROLLED_BACK, actor, why)

    def switch(self, name: str, actor: str, why: str = "") -> Rollout:
        """Send all requests of a blue-green rollout to its other variant."""

        def switched(rollout: Rollout) -> State:
            if rollout.policy.kind is not Kind.BLUE_GREEN:
                raise GroundwireError(f"rollout {name} is of kind {rollout.policy.kind}", "only a blue-green is switched")
            _require_running(rollout)
            active = Arm.CANDIDATE if rollout.state.active is Arm.CONTROL else Arm.CONTROL
            return rollout.state.model_copy(update={"since": now(), "active": active, "why": why})

        return self._change(name, Change.SWITCHED, actor, why, switched)

    def step(self, rollout: Rollout, change: Change, state: State, actor: str) -> bool:
        """Bring a rollout into `state`, and return true, unless it has changed since it was read.

        If several processes try the same step, one succeeds.
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
            taken_back = change is Change.ROLLED_BACK and rollout.state.status is Status.PROMOTED
            if not taken_back or name in self._variants:
                _require_running(rollout)
            return rollout.state.model_copy(update={"status": Status(change), "since": now(), "why": why})

        return self._change(name, change, actor, why, ended)

    def _change(self, name: str, change: Change, actor: str, why: str, to: Callable[[Rollout], State]) -> Rollout:
        """Apply a change to the rollout's current state, again if another process changes it meanwhile."""
        while True:
            rollout = self.get(name)
            # If the change is no longer possible, `to` raises, and this process already knows the state of the others.
            self.refresh()
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
        first = error.errors()[0]
        field = ".".join(map(str, (error.title.lower(), *first["loc"])))
        raise StorageError(
            f"rollout {row.name} of the ledger was written by another version of Groundwire ({field}: {first['msg']})",
            "run that version, or begin it anew with `api rollout start FILE`",
        ) from error
    return Rollout(policy=policy, state=state, revision=row.revision, created_at=row.created_at)


def _runs(row: Row[Any]) -> bool:
    try:
        return not _rollout(row).state.ended
    except StorageError:
        return False


def _shared(name: str) -> str:
    return f"variant {name} has the name of a running rollout, and answers to it from when that has ended: rename its file"


def _event(rollout: Rollout, change: Change, actor: str, detail: str) -> dict[str, Any]:
    return {"rollout": rollout.name, "at": rollout.state.since, "actor": actor, "event": change, "detail": detail}


def _started(rollout: Rollout) -> str:
    pins = {arm: pinned.model_dump() for arm, pinned in rollout.state.pins.items()}
    return json.dumps({"policy": rollout.policy.model_dump(mode="json"), "pins": pins})
