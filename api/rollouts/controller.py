"""The steps that a rollout takes by itself: the next stage, promotion, rollback.

Knows when a step is due. Keeps nothing that a restart would lose: everything follows from the requests and the state.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from sqlalchemy import distinct, func, select

from api.rollouts.guardrails import GuardrailTests
from api.rollouts.policy import Kind, Observation
from api.rollouts.requests import LATE, first_id, read
from api.rollouts.rollouts import Rollouts
from api.rollouts.state import Arm, Change, Rollout, Status, now
from rag.errors import GroundwireError
from rag.ledger.failures import translated
from rag.ledger.schema import traces

INTERVAL_SECONDS = 0.4
"""Between two looks at the state, and at the requests."""
ACTOR = "groundwire"
"""The actor of automatic steps in the audit."""


class Controller:
    """Judges the running rollouts. Each process has a controller; if several find a step due, one of them takes it."""

    def __init__(self, rollouts: Rollouts) -> None:
        self._rollouts = rollouts
        self._tests: dict[tuple[str, str], GuardrailTests] = {}

    async def run(self) -> None:
        """Until cancelled, read what other processes changed, and take the steps that are due.

        Any number of processes may do so at once. Errors are logged and retried; requests are answered by the last known state.
        """
        # Threads of its own: under load, the event loop's are all busy with answers.
        threads = ThreadPoolExecutor(2, thread_name_prefix="rollouts")
        try:
            await asyncio.gather(_repeat(self._rollouts.refresh, threads), _repeat(self.look, threads))
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    def look(self) -> None:
        """Read the requests since the last look, and take the steps that are due."""
        running = [rollout for rollout in self._rollouts.running() if rollout.policy.kind is not Kind.BLUE_GREEN]
        self._tests = {_key(rollout): self._tests.get(_key(rollout)) or GuardrailTests(rollout.policy) for rollout in running}
        for rollout in running:
            self._judge(rollout, self._tests[_key(rollout)])

    def _judge(self, rollout: Rollout, tests: GuardrailTests) -> None:
        at, changed = time.time(), self._changed(rollout)
        if changed:
            # An arm that was two variants says nothing of either.
            why = f"{changed}; `api rollout start FILE` begins it anew"
            if self._step(rollout, Change.STOPPED, Status.STOPPED, rollout.state.stage, why):
                logging.getLogger("groundwire").warning("rollout %s is stopped: %s", rollout.name, why)
            return
        if tests:
            begin = first_id(rollout.created_at)
            tests.resume(lambda last: read(self._rollouts.engine, rollout.name, last or begin, at - LATE), at)
        breaches = "; ".join(test.summary for test in tests if test.breached)
        if breaches:
            self._step(rollout, Change.ROLLED_BACK, Status.ROLLED_BACK, rollout.state.stage, breaches)
        elif rollout.policy.kind is Kind.CANARY and held(rollout, at) >= rollout.policy.hold and changed is not None:
            answered = count_candidates(self._rollouts, rollout, tests)
            if answered >= rollout.policy.minimum:
                self._advance(rollout, f"{answered} requests at {rollout.share:g} %, and no guardrail was breached")

    def _changed(self, rollout: Rollout) -> str | None:
        """What changed, as text; null if that cannot be read.

        A file may be in the middle of a deployment, and the gateway rolls back a candidate that is missing.
        """
        try:
            return self._rollouts.changed(rollout)
        except GroundwireError:
            return None

    def _advance(self, rollout: Rollout, why: str) -> None:
        stage = rollout.state.stage + 1
        if rollout.policy.stages[stage] == 100:
            self._step(rollout, Change.PROMOTED, Status.PROMOTED, stage, why)
        else:
            self._step(rollout, Change.ADVANCED, Status.RUNNING, stage, why)

    def _step(self, rollout: Rollout, change: Change, status: Status, stage: int, why: str) -> bool:
        state = rollout.state.model_copy(update={"status": status, "stage": stage, "since": now(), "why": why})
        return self._rollouts.step(rollout, change, state, ACTOR)


def held(rollout: Rollout, at: float) -> float:
    """How many seconds the rollout has been in its state; `at` is in seconds since 1970."""
    return at - datetime.fromisoformat(rollout.state.since).timestamp()


def count_candidates(rollouts: Rollouts, rollout: Rollout, tests: GuardrailTests) -> int:
    """How many requests of the candidate count in this stage, up to the last that all tests have looked at."""
    columns, until = traces.c, tests.last if tests else first_id(now())
    counted = columns.id if rollout.policy.observation is Observation.REQUEST else func.coalesce(columns.unit, columns.id)
    query = select(func.count(distinct(counted))).where(
        columns.experiment == rollout.name,
        columns.arm == Arm.CANDIDATE,
        columns.outcome.is_not(None),
        columns.id >= first_id(rollout.state.since),
        columns.id <= until,
    )
    with translated(rollouts.engine.url), rollouts.engine.connect() as connection:
        return connection.execute(query).scalar_one()


def _key(rollout: Rollout) -> tuple[str, str]:
    return rollout.name, rollout.created_at


async def _repeat(work: Callable[[], None], threads: ThreadPoolExecutor) -> None:
    loop = asyncio.get_running_loop()
    last = ""
    while True:
        try:
            await loop.run_in_executor(threads, work)
            last = ""
        except Exception as error:
            if str(error) != last:
                ours = not isinstance(error, GroundwireError)
                logging.getLogger("groundwire").warning("rollouts go on as they were known: %s", error, exc_info=ours)
            last = str(error)
        await asyncio.sleep(INTERVAL_SECONDS)
