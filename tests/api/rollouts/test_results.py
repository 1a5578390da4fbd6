"""The figures of a rollout, against figures counted by hand."""

import tracemalloc
from datetime import datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import Engine, insert

from api.rollouts.results import results
from api.rollouts.state import Arm, Change, State
from evals.comparison import Estimate
from rag.errors import NotFoundError
from rag.ledger.schema import feedback
from rag.trace import Outcome
from tests.api.rollouts.traffic import Behaviour, asked, policy, record, started


def test_the_figures_are_those_of_the_requests(engine: Engine) -> None:
    rollouts = started(engine, policy(kind="ab", share=40, observation="request"))
    made = asked(np.random.default_rng(1), rollouts.get("trial"), 1_000, Behaviour(hallucination=0.2), users=150)
    made[0] = made[0]._replace(outcome=None)
    made[1] = made[1]._replace(cost_nanodollars=None, unit=None)
    record(engine, "trial", made)
    record(engine, "another", asked(np.random.default_rng(2), rollouts.get("trial"), 50, first=5_000))
    found = results(rollouts, "trial")
    for arm, side in ((Arm.CONTROL, found.control), (Arm.CANDIDATE, found.candidate)):
        mine = [request for request in made if request.arm is arm]
        ended = [request for request in mine if request.outcome]
        answered = [request for request in ended if request.outcome is Outcome.ANSWERED]
        costs = [request.cost_nanodollars for request in ended if request.cost_nanodollars is not None]
        assert (side.requests, side.running) == (len(mine), len(mine) - len(ended))
        assert side.units == len({request.unit for request in mine if request.unit})
        assert side.outcomes == {"answered": len(answered), "failed": len(ended) - len(answered)}
        assert side.error
        assert side.hallucination
        assert side.latency_p95_ms
        assert side.error.value == pytest.approx(1 - len(answered) / len(ended))
        assert side.hallucination.value == np.mean([request.ungrounded > 0 for request in answered])
        assert side.hallucination.method == "Wilson score"
        assert side.latency_p95_ms == pytest.approx(
            np.quantile([request.total_ms for request in answered if request.total_ms], 0.95)
        )
        assert side.cost == pytest.approx(np.mean(costs) / 1e9)
        assert (side.spent_nanodollars, side.unpriced) == (sum(costs), len(ended) - len(costs))
    assert found.candidate.variant == "next"
    assert found.share == 40
    assert found.held_seconds == pytest.approx(3_600, abs=30)
    states = {one.metric.name: one.state for one in found.guardrails}
    assert states == {
        "error": "no breach seen",
        "hallucination": "breached",
        "latency": "held",
        "cost": "no breach seen",
    }
    rate = found.guardrails[1].difference
    assert rate
    assert rate.low < 0.15 < rate.high
    assert rate.method == "confidence sequence by betting"
    assert [one.threshold for one in found.guardrails] == [0.0125] * 4


def test_nothing_yet_is_no_figure(engine: Engine) -> None:
    rollouts = started(engine, policy())
    found = results(rollouts, "trial")
    assert (found.control.error, found.candidate.cost, found.candidate.latency_p50_ms, found.sample_ratio) == (None,) * 4
    assert {one.state for one in found.guardrails} == {"waiting"}
    assert [one.awaited for one in found.guardrails] == [
        *("requests of both arms", "requests of both arms"),
        *("20 more requests of the control, which show how large a usual value is",) * 2,
    ]
    assert [event.event for event in found.events] == [Change.STARTED]
    with pytest.raises(NotFoundError):
        results(rollouts, "other")


def test_a_guardrail_is_held_once_its_whole_interval_lies_within_the_margin(engine: Engine) -> None:
    wide = {"error": {"margin": 0.5}, "hallucination": {"margin": 0.01}, "latency": {"margin": 3}, "cost": {"margin": 0}}
    rollouts = started(engine, policy(kind="ab", observation="request", guardrails=wide))
    rng, states = np.random.default_rng(3), []
    for first, requests in ((0, 8), (8, 992)):
        record(engine, "trial", asked(rng, rollouts.get("trial"), requests, first=first))
        found = results(rollouts, "trial").guardrails
        states.append([one.state for one in found])
    assert states == [["no breach seen"] * 2 + ["waiting"] * 2, ["held", "no breach seen", "held", "no breach seen"]]
    assert found[0].difference
    assert found[0].difference.high < 0.5
    assert {one.awaited for one in found} == {""}


def test_a_stage_of_a_canary_says_how_far_it_is(engine: Engine) -> None:
    rollouts = started(engine, policy(hold=7_200, minimum=300))
    record(engine, "trial", asked(np.random.default_rng(4), rollouts.get("trial"), 400))
    found = results(rollouts, "trial")
    assert 0 < found.answered <= found.candidate.requests
    assert found.held_seconds == pytest.approx(3_600, abs=30)
    rollouts.stop("trial", "ann")
    assert results(rollouts, "trial").answered == 0


def test_a_price_that_is_not_known_keeps_the_cost_unknown(engine: Engine) -> None:
    rollouts = started(engine, policy(kind="ab"))
    made = asked(np.random.default_rng(3), rollouts.get("trial"), 200)
    record(engine, "trial", [request._replace(cost_nanodollars=None) for request in made])
    cost = results(rollouts, "trial").guardrails[3]
    assert (cost.state, cost.comparisons, cost.missing, cost.difference) == ("not known", 0, 200, None)


def test_users_that_are_split_otherwise_are_flagged(engine: Engine) -> None:
    """A fifth of the candidate's requests are lost."""
    rollouts = started(engine, policy(kind="ab"))
    made = asked(np.random.default_rng(4), rollouts.get("trial"), 3_000, seconds=5)
    record(engine, "trial", made)
    ratio = results(rollouts, "trial").sample_ratio
    assert ratio
    assert not ratio.flagged
    assert ratio.control + ratio.candidate == len({request.unit for request in made})
    lossy = started(engine, policy("lossy", kind="ab"))
    made = asked(np.random.default_rng(5), lossy.get("lossy"), 3_000, first=9_000, seconds=5)
    record(engine, "lossy", [request for place, request in enumerate(made) if request.arm is Arm.CONTROL or place % 5])
    ratio = results(lossy, "lossy").sample_ratio
    assert ratio
    assert ratio.flagged
    assert ratio.p < 0.001


def test_each_stage_has_its_own_split(engine: Engine) -> None:
    rollouts = started(engine, policy(hold=0, minimum=1))
    record(engine, "trial", asked(np.random.default_rng(6), rollouts.get("trial"), 2_000, seconds=5))
    first = results(rollouts, "trial").sample_ratio
    begun = rollouts.get("trial")
    later = (datetime.fromisoformat(begun.created_at) + timedelta(seconds=1_800)).isoformat(timespec="milliseconds")
    rollouts.step(begun, Change.ADVANCED, State(stage=1, since=later), "groundwire")
    record(engine, "trial", asked(np.random.default_rng(6), rollouts.get("trial"), 500, first=2_000, seconds=1_800))
    rollouts.promote("trial", "ann")
    last = results(rollouts, "trial").sample_ratio
    assert first
    assert first.expected == 0.05
    assert not first.flagged
    assert last
    assert last.expected == 0.25
    assert last.control + last.candidate == 500


def test_requests_are_read_a_portion_at_a_time(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What more of them of the same users cost is a number or two each: 450 bytes, were they kept."""
    monkeypatch.setattr("api.rollouts.requests.PORTION", 100)
    rollouts = started(engine, policy(kind="ab"))
    rng, peaks = np.random.default_rng(9), []
    for batch in range(3):
        record(engine, "trial", asked(rng, rollouts.get("trial"), 2_000, first=2_000 * batch, users=50))
        tracemalloc.start()
        assert results(rollouts, "trial").control.units
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (peaks[2] - peaks[1]) / 2_000 < 100


def test_feedback_is_counted_by_arm(engine: Engine) -> None:
    rollouts = started(engine, policy(kind="ab"))
    made = asked(np.random.default_rng(7), rollouts.get("trial"), 40)
    record(engine, "trial", made)
    thumbs = [(request, "down" if request.arm is Arm.CANDIDATE else "up") for request in made[:10]]
    with engine.begin() as connection:
        rows = [
            {"trace_id": request.id, "author": "a", "created_at": request.created_at, "thumb": thumb, "outcome": None}
            for request, thumb in thumbs
        ]
        rows += [row | {"author": "b", "thumb": None, "outcome": f"{row['thumb']}graded"} for row in rows]
        connection.execute(insert(feedback), rows)
    found = results(rollouts, "trial")
    candidates = sum(request.arm is Arm.CANDIDATE for request in made[:10])
    assert (found.control.up, found.control.down, found.candidate.up, found.candidate.down) == (10 - candidates, 0, 0, candidates)
    assert (found.control.business_outcomes, found.candidate.business_outcomes) == (
        {"upgraded": 10 - candidates},
        {"downgraded": candidates},
    )
    assert 0 < candidates < 10


def test_they_are_json_that_reads_back(engine: Engine) -> None:
    rollouts = started(engine, policy(kind="ab"))
    record(engine, "trial", asked(np.random.default_rng(8), rollouts.get("trial"), 100))
    found = results(rollouts, "trial")
    assert type(found).model_validate_json(found.model_dump_json()) == found
    assert isinstance(found.control.error, Estimate)
