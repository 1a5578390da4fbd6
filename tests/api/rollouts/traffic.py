"""Simulated traffic: what the ledger would have of a rollout's requests, were they asked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sqlalchemy import Engine, insert, update

from api.rollouts.assignment import choose
from api.rollouts.policy import Policy
from api.rollouts.requests import Request
from api.rollouts.rollouts import Rollouts
from api.rollouts.state import Arm, Rollout, State
from rag.ledger.schema import rollout_events, rollouts, traces
from rag.trace import Outcome

VARIANTS = ["now", "next", "other"]
START = "2026-01-01T00:00:00.000+00:00"


@dataclass(frozen=True)
class Behaviour:
    """Of one variant. Time and cost are log-normal, and harder questions are answered later, dearer, and more often wrongly."""

    error: float = 0.02
    hallucination: float = 0.05
    slower: float = 1.0
    dearer: float = 1.0


EQUAL = Behaviour()


def policy(name: str = "trial", /, **fields: object) -> Policy:
    return Policy.model_validate({"name": name, "kind": "canary", "control": "now", "candidate": "next", **fields})


def begun(policy: Policy, stage: int = 0) -> Rollout:
    """A rollout that no ledger knows."""
    return Rollout(policy=policy, state=State(since=START, stage=stage), revision=0, created_at=START)


def asked(
    rng: np.random.Generator,
    rollout: Rollout,
    n: int,
    candidate: Behaviour = EQUAL,
    *,
    first: int = 0,
    users: int = 1_000_000,
    seconds: float = 0.0,
    difficulty: Mapping[str, float] | None = None,
) -> list[Request]:
    """`n` requests, a millisecond after each other, of so many `users`, begun `seconds` after the rollout."""
    from scipy.special import ndtri

    start = datetime.fromisoformat(rollout.created_at).timestamp() + seconds
    at, milliseconds = datetime.fromtimestamp(start, UTC).isoformat(timespec="milliseconds"), round(start * 1e3)
    units = [f"user {number}" for number in rng.integers(0, users, n)]
    arms = [Arm(choose(rollout, unit).arm or Arm.CONTROL) for unit in units]
    behaviours = {Arm.CONTROL: EQUAL, Arm.CANDIDATE: candidate}
    hard = rng.normal(size=n) + [(difficulty or {}).get(unit, 0.0) for unit in units]
    failed, slowness, price = rng.random(n), 800 * np.exp(0.5 * hard), 120_000 * np.exp(0.8 * hard)
    hallucinates = {arm: float(-ndtri(behaviour.hallucination)) for arm, behaviour in behaviours.items()}
    found = []
    for number, (unit, arm) in enumerate(zip(units, arms, strict=True)):
        behaviour, since = behaviours[arm], milliseconds + first + number
        found.append(
            Request(
                id=f"{since >> 16:08x}-{since & 0xFFFF:04x}-7000-8000-{first + number:012x}",
                created_at=at,
                arm=arm,
                outcome=Outcome.FAILED if failed[number] < behaviour.error else Outcome.ANSWERED,
                ungrounded=int(hard[number] > hallucinates[arm]),
                total_ms=behaviour.slower * float(slowness[number]),
                cost_nanodollars=round(behaviour.dearer * float(price[number])),
                unit=unit,
                shadow_of=None,
            )
        )
    return found


def shadowed(
    rng: np.random.Generator,
    rollout: Rollout,
    n: int,
    candidate: Behaviour = EQUAL,
    *,
    users: int = 1_000_000,
    seconds: float = 0.0,
) -> list[Request]:
    """Requests and their copies, each of which begins a little later than the next original."""
    originals = [request._replace(arm=Arm.CONTROL) for request in asked(rng, rollout, n, users=users, seconds=seconds)]
    copies = [
        copy._replace(
            id=f"{original.id[:-17]}f{original.id[-16:]}",
            created_at=original.created_at,
            arm=Arm.CANDIDATE,
            unit=original.unit,
            shadow_of=original.id,
        )
        for original, copy in zip(originals, asked(rng, begun(policy(kind="ab", share=100)), n, candidate), strict=True)
    ]
    return sorted([*originals, *copies], key=lambda request: request.id)


def started(engine: Engine, policy: Policy) -> Rollouts:
    """Of a ledger, with that policy begun an hour ago."""
    opened = Rollouts(engine)
    opened.start(policy, VARIANTS, "test")
    begin(opened, policy.name, 3_600)
    return opened


def begin(opened: Rollouts, name: str, seconds: float) -> None:
    """Make it so long ago that a rollout was started."""
    at = _ago(seconds)
    with opened.engine.begin() as connection:
        connection.execute(update(rollouts).where(rollouts.c.name == name).values(created_at=at))
        connection.execute(update(rollout_events).where(rollout_events.c.rollout == name).values(at=at))
    stand(opened, name, seconds)


def stand(opened: Rollouts, name: str, seconds: float) -> None:
    """Make it so long ago that a rollout came into its state."""
    state = opened.get(name).state.model_copy(update={"since": _ago(seconds)})
    with opened.engine.begin() as connection:
        connection.execute(update(rollouts).where(rollouts.c.name == name).values(state=state.model_dump_json()))
    opened.refresh()


def _ago(seconds: float) -> str:
    return datetime.fromtimestamp(datetime.now(UTC).timestamp() - seconds, UTC).isoformat(timespec="milliseconds")


def record(engine: Engine, experiment: str, requests: list[Request]) -> None:
    """Write them as the rows that their traces would be."""
    others = {
        "owner": "test:1:1",
        "channel": "chat",
        "collection": "shop",
        "variant_sha256": "",
        "model": "",
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "body": "",
        "experiment": experiment,
    }
    rows = [{**request._asdict(), "variant": request.arm, **others} for request in requests]
    with engine.begin() as connection:
        connection.execute(insert(traces), rows)


def written(folder: Path, text: str, name: str = "trial") -> Path:
    """A policy's file."""
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


def stages(rollout: Rollout) -> Iterator[Rollout]:
    """The rollout in each of its stages that has a control."""
    for stage in range(len(rollout.policy.stages) - 1):
        yield rollout.model_copy(update={"state": rollout.state.model_copy(update={"stage": stage})})
