"""The controller over a real ledger: steps are taken when they are due, once, and the same after a restart."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import Engine, event, update

from api.rollouts.controller import ACTOR, Controller
from api.rollouts.guardrails import GuardrailTests
from api.rollouts.results import results
from api.rollouts.rollouts import Rollouts
from api.rollouts.state import Change, Status, now
from rag.ledger.database import connect
from rag.ledger.schema import traces
from tests.api.rollouts.traffic import Behaviour, asked, policy, record, shadowed, stand, started

LOOK = """
import sys
from api.rollouts.controller import Controller
from api.rollouts.rollouts import Rollouts
from rag.ledger.database import connect

rollouts = Rollouts(connect(sys.argv[1]))
controller = Controller(rollouts)
for _ in range(20):
    rollouts.refresh()
    controller.look()
"""


def traffic(rollouts: Rollouts, n: int, candidate: Behaviour | None = None, *, seed: int = 1, **options: float) -> None:
    """Requests of the rollout as it is now, in the ledger."""
    made = asked(np.random.default_rng(seed), rollouts.get("trial"), n, candidate or Behaviour(), **options)  # type: ignore[arg-type]
    record(rollouts.engine, "trial", made)


def history(rollouts: Rollouts) -> list[Change]:
    return [event.event for event in rollouts.events("trial")]


def test_an_equal_candidate_goes_from_stage_to_stage_and_is_promoted(engine: Engine) -> None:
    rollouts = started(engine, policy(hold=0, minimum=30))
    controller = Controller(rollouts)
    controller.look()
    assert history(rollouts) == [Change.STARTED]
    traffic(rollouts, 1_200)
    controller.look()
    assert history(rollouts) == [Change.STARTED, Change.ADVANCED]
    controller.look()
    assert len(history(rollouts)) == 2, "the requests of the stage before do not count"
    stand(rollouts, "trial", 1_800)
    traffic(rollouts, 400, first=1_200, seconds=1_801)
    controller.look()
    assert rollouts.get("trial").state.status is Status.PROMOTED
    assert history(rollouts) == [Change.STARTED, Change.ADVANCED, Change.PROMOTED]
    assert rollouts.choose("trial", "anybody").variant == "next"
    said = rollouts.events("trial")[1]
    assert said.actor == ACTOR
    assert "requests at 5 %, and no guardrail was breached" in said.detail
    controller.look()
    assert len(history(rollouts)) == 3


@pytest.mark.parametrize(("fields", "due"), [({"hold": 3_000}, True), ({"hold": 7_200}, False), ({"minimum": 500}, False)])
def test_a_stage_lasts_its_hold_and_its_minimum(engine: Engine, fields: dict[str, object], due: bool) -> None:
    rollouts = started(engine, policy(**{"hold": 0, "minimum": 30, **fields}))
    traffic(rollouts, 1_200)
    Controller(rollouts).look()
    assert (history(rollouts) == [Change.STARTED, Change.ADVANCED]) is due


def test_what_no_guardrail_has_looked_at_does_not_count(engine: Engine) -> None:
    """The first request still runs, and holds up all others."""
    rollouts = started(engine, policy(hold=0, minimum=30))
    made = asked(np.random.default_rng(2), rollouts.get("trial"), 1_200)
    record(engine, "trial", [made[0]._replace(outcome=None, created_at=now()), *made[1:]])
    Controller(rollouts).look()
    assert history(rollouts) == [Change.STARTED]


@pytest.mark.parametrize("kind", ["canary", "ab", "shadow"])
def test_a_candidate_that_hallucinates_is_taken_back_and_it_is_said_why(engine: Engine, kind: str) -> None:
    rollouts = started(engine, policy(kind=kind))
    made = shadowed if kind == "shadow" else asked
    record(engine, "trial", made(np.random.default_rng(3), rollouts.get("trial"), 2_000, Behaviour(hallucination=0.4)))
    Controller(rollouts).look()
    state = rollouts.get("trial").state
    assert state.status is Status.ROLLED_BACK
    assert re.fullmatch(
        r"hallucination rate 4\d\.\d % against \d\.\d %: more than 5\.0 points above \([\d,]+ comparisons, p (< )?\.\d+\)",
        state.why,
    )
    assert rollouts.events("trial")[-1].detail == state.why
    assert {rollouts.choose("trial", f"user {number}").variant for number in range(200)} == {"now"}


def test_a_blue_green_is_not_judged(engine: Engine) -> None:
    rollouts = started(engine, policy(kind="blue-green"))
    traffic(rollouts, 500, Behaviour(error=1))
    Controller(rollouts).look()
    assert history(rollouts) == [Change.STARTED]


def test_what_a_restart_finds_is_what_was_found(engine: Engine) -> None:
    """One reads as they come, the other all at once; a request that runs holds up both, and they agree again when it has ended."""
    rollouts = started(engine, policy(kind="ab", share=30))
    made = asked(np.random.default_rng(4), rollouts.get("trial"), 900, Behaviour(hallucination=0.08))
    record(engine, "trial", made[:300])
    early = Controller(rollouts)
    early.look()
    record(engine, "trial", [made[300]._replace(outcome=None, created_at=now())])
    record(engine, "trial", made[301:])
    early.look()
    assert {test.last for test in guardrails_of(early)} == {made[299].id}
    with engine.begin() as connection:
        connection.execute(update(traces).where(traces.c.id == made[300].id).values(outcome="answered"))
    late = Controller(Rollouts(engine))
    for controller in (early, late):
        controller.look()
    for one, other in zip(guardrails_of(early), guardrails_of(late), strict=True):
        assert one.comparisons == other.comparisons
        assert one.p == pytest.approx(other.p)
        assert one.last == other.last == made[-1].id


def guardrails_of(controller: Controller) -> GuardrailTests:
    (found,) = controller._tests.values()
    return found


def test_more_requests_than_a_portion_wait_behind_one_that_runs(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.rollouts.requests.PORTION", 50)
    rollouts = started(engine, policy(kind="ab"))
    made = asked(np.random.default_rng(5), rollouts.get("trial"), 200)
    made[10] = made[10]._replace(outcome=None, created_at=now())
    record(engine, "trial", made)
    controller, queries = Controller(rollouts), list[str]()
    event.listen(engine, "before_cursor_execute", lambda *passed: queries.append(passed[2]))
    controller.look()
    assert {test.last for test in guardrails_of(controller)} == {made[9].id}
    assert sum("FROM traces" in query for query in queries) == 1, "what comes later is read in vain"
    assert results(rollouts, "trial").control.requests + results(rollouts, "trial").candidate.requests == 200


def test_what_has_been_looked_at_is_not_read_again_for_one_that_waits(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only of its time is it known that it is beyond the cap. Then it ends, and all is as if nothing had waited."""
    monkeypatch.setattr("api.rollouts.requests.PORTION", 50)
    rollouts = started(engine, policy(kind="ab", guardrails={"latency": {"margin": 0.2, "cap": 2_000}}))
    made = asked(np.random.default_rng(6), rollouts.get("trial"), 400, users=150)
    record(engine, "trial", [made[10]._replace(outcome=None), *made[:10], *made[11:300]])
    begun_at = datetime.now(UTC).timestamp() - 60
    running = {"created_at": datetime.fromtimestamp(begun_at, UTC).isoformat(timespec="milliseconds")}
    change(engine, made[10].id, running)
    controller, queries = Controller(rollouts), list[str]()
    controller.look()
    assert [test.last for test in guardrails_of(controller)] == [made[9].id, made[9].id, made[299].id, made[9].id]
    event.listen(engine, "before_cursor_execute", lambda *passed: queries.append(passed[2]))
    controller.look()
    assert sum("FROM traces" in query for query in queries) == 2
    record(engine, "trial", made[300:])
    controller.look()
    change(engine, made[10].id, {"created_at": made[10].created_at, "outcome": "timed_out"})
    controller.look()
    late = Controller(Rollouts(engine))
    late.look()
    for one, other in zip(guardrails_of(controller), guardrails_of(late), strict=True):
        assert one.last == other.last == made[-1].id
        if one.name != "latency":
            assert (one.comparisons, one.missing) == (other.comparisons, other.missing)
            assert one.p == pytest.approx(other.p)


def change(engine: Engine, id: str, fields: dict[str, str]) -> None:
    with engine.begin() as connection:
        connection.execute(update(traces).where(traces.c.id == id).values(fields))


def test_processes_that_all_see_a_step_due_take_it_once(engine: Engine) -> None:
    rollouts = started(engine, policy(hold=0, minimum=30))
    traffic(rollouts, 1_200)
    command = [sys.executable, "-c", LOOK, str(engine.url)]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for process in processes:
        _, told = process.communicate(timeout=60)
        assert process.returncode == 0, told
    assert history(rollouts) == [Change.STARTED, Change.ADVANCED]


def test_threads_that_all_see_a_breach_take_it_back_once(engine: Engine) -> None:
    rollouts = started(engine, policy())
    traffic(rollouts, 1_500, Behaviour(error=0.5))

    def look(_: int) -> None:
        own = connect(str(engine.url))
        Controller(Rollouts(own)).look()
        own.dispose()

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(look, range(6)))
    assert history(rollouts) == [Change.STARTED, Change.ROLLED_BACK]
