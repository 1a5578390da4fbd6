"""What was found offline and what is found online are the same things."""

from itertools import product
from time import time

import pytest
from sqlalchemy import Engine
from uuid_utils import uuid7

from api.rollouts.measures import MEASURES, METRICS
from api.rollouts.prediction import OFFLINE
from api.rollouts.requests import read
from evals.pairwise import known_metrics
from evals.scorers import open_scorers, score
from rag.ledger.traces import Traces
from rag.ledger.writer import Writer
from rag.trace import Outcome, Trace
from rag.types import Verdict
from tests.evals.scorers.examples import attempt, case, claim, trace

ENDS = [*product((Outcome.ANSWERED, Outcome.REFUSED, Outcome.FAILED, Outcome.TIMED_OUT), (None, *Verdict), (None, *Verdict))]
"""The outcome, and the verdicts on a claim that was released and on one that was withheld."""


def made(outcome: Outcome, released: Verdict | None, withheld: Verdict | None) -> Trace:
    return trace(
        outcome,
        id=str(uuid7()),
        origin={"experiment": "trial", "arm": "candidate"},
        claims=[claim(verdict) for verdict in (released,) if verdict],
        withheld=[claim(verdict) for verdict in (withheld,) if verdict],
        attempts=[attempt()],
        total_ms=412.5,
    )


@pytest.mark.parametrize("name", OFFLINE)
def test_each_request_counts_offline_as_it_counts_online(engine: Engine, name: str) -> None:
    kept = {one.id: one for one in (made(*end) for end in ENDS)}
    writer = Writer(engine)
    for written in [Traces(engine, writer).submit(one) for one in kept.values()]:
        written.result()
    writer.close()
    online = {request.id: MEASURES[name](request, 0) for portion in read(engine, "trial", "", time() + 60) for request in portion}
    offline = {id: score(one, case(), open_scorers())[OFFLINE[name]] for id, one in kept.items()}
    assert len(online) == len(ENDS)
    assert [online[id] for id in kept] == pytest.approx(
        [value if isinstance(value, float) else float("nan") for value in offline.values()], nan_ok=True
    )


def test_what_a_guardrail_watches_is_measured_alike_offline() -> None:
    for name, offline in OFFLINE.items():
        metric = known_metrics()[offline]
        assert (metric.unit, metric.better) == (METRICS[name].unit, METRICS[name].better)
    assert known_metrics()[OFFLINE["hallucination"]] == METRICS["hallucination"]
