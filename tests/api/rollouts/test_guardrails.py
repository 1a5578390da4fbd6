"""Guardrails: an equal candidate is seldom taken back however often it is looked at, a worse one soon, and each request counts as it should."""

import math
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pytest

from api.rollouts.guardrails import FIRST, METRICS, TIMES, Watch, watches
from api.rollouts.policy import Policy
from api.rollouts.requests import GIVEN_UP, Request
from api.rollouts.state import Arm
from rag.trace import Outcome
from tests.api.rollouts.traffic import EQUAL, START, Behaviour, asked, begun, policy, shadowed, stages

NO_MARGIN = {"error": {"margin": 0}, "hallucination": {"margin": 0}, "latency": {"margin": 0}, "cost": {"margin": 0}}
NOW = datetime.fromisoformat(START).timestamp()


def canary(seed: int, trial: Policy, candidate: Behaviour = EQUAL) -> tuple[int, list[str]]:
    """Through all stages, or until a breach: how many requests the candidate had, and what was breached."""
    rng = np.random.default_rng(seed)
    watched = watches(trial)
    sent = had = 0
    for rollout in stages(begun(trial)):
        due = had + trial.minimum
        while had < due:
            requests = asked(rng, rollout, 100 if rollout.share < 10 else 60, candidate, first=sent)
            for watch in watched:
                watch.look(requests, NOW)
            sent += len(requests)
            had += sum(request.arm is Arm.CANDIDATE for request in requests)
            if breached := [watch.name for watch in watched if watch.breached]:
                return had, breached
    return had, []


def test_of_200_equal_canaries_without_any_margin_at_most_5_percent_roll_back() -> None:
    """Looked at after every request, through all stages; the four metrics are correlated, latency and cost skewed."""
    ended = [canary(seed, policy(f"trial-{seed}", guardrails=NO_MARGIN, minimum=120)) for seed in range(200)]
    assert sum(bool(breached) for _, breached in ended) <= 10


@pytest.mark.parametrize(
    ("candidate", "metric"),
    [
        (Behaviour(hallucination=0.4), "hallucination"),
        (Behaviour(slower=2), "latency"),
        (Behaviour(error=0.3), "error"),
        (Behaviour(dearer=3), "cost"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_worse_candidate_is_known_within_its_first_minimum(candidate: Behaviour, metric: str) -> None:
    ended = [canary(seed, policy(f"trial-{seed}"), candidate) for seed in range(25)]
    caught = [had for had, breached in ended if breached == [metric] and had <= 100]
    assert len(caught) >= 24


def watch(name: str, **fields: object) -> Watch:
    return next(watch for watch in watches(policy(**fields)) if watch.name == name)


def request(number: int, arm: str, outcome: Outcome | None = Outcome.ANSWERED, **fields: object) -> Request:
    """The `number`-th, after as many milliseconds."""
    values = {"ungrounded": 0, "total_ms": 1e3, "cost_nanodollars": 10**6, "unit": None, "shadow_of": None, **fields}
    return Request(f"{number:04d}", START, Arm(arm), outcome, **values)  # type: ignore[arg-type]


def run(name: str, arms: str, bad: Sequence[int] = ()) -> Watch:
    """A watch that has looked at requests of control (`.`) and candidate (`x`), the `bad` ones failed."""
    found = watch(name)
    made = [
        request(number, "candidate" if arm == "x" else "control", Outcome.FAILED if number in bad else Outcome.ANSWERED)
        for number, arm in enumerate(arms)
    ]
    found.look(made, NOW)
    return found


def test_a_block_ends_when_it_has_both_arms() -> None:
    """Many of one arm are set against the first of the other: nobody is paired with nothing, or twice."""
    assert run("error", "....").blocks == []
    assert run("error", "...x..x", bad=[0, 6]).blocks == [(1 / 3, 0.0), (0.0, 1.0)]
    assert run("error", "xx.xxx..", bad=[1, 3]).blocks == [(0.0, 0.5), (0.0, 1 / 3)]


def test_requests_are_looked_at_in_portions_as_in_one() -> None:
    made = asked(np.random.default_rng(1), begun(policy(kind="ab", share=20)), 2_000)
    whole, parts = watches(policy()), watches(policy())
    for one, other in zip(whole, parts, strict=True):
        one.look(made, NOW)
        for start in range(0, len(made), 7):
            other.look(made[max(start - 5, 0) : start + 7], NOW)
        assert one.blocks == other.blocks
        assert one.p == pytest.approx(other.p)


def test_what_runs_holds_up_what_came_later_and_is_slow_once_it_is_beyond_the_cap() -> None:
    capped = {"latency": {"margin": 0.2, "cap": 5_000}}
    made = [request(1, "control"), request(2, "candidate", None, total_ms=None), request(3, "candidate"), request(4, "control")]
    errors, slow = watch("error"), watch("latency", guardrails=capped)
    for found in (errors, slow):
        found.look(made, NOW + 4)
        assert (found.last, found.blocks) == ("0001", [])
    for found in (errors, slow):
        found.look(made, NOW + 6)
    assert errors.last == "0001"
    assert slow.blocks == [(0.2, 1.0), (0.2, 0.2)]
    errors.look(made, NOW + GIVEN_UP + 1)
    assert errors.blocks == [(0.0, 1.0), (0.0, 0.0)]


@pytest.mark.parametrize(
    ("name", "outcome", "value"),
    [
        ("error", Outcome.ANSWERED, 0.0),
        ("error", Outcome.REFUSED, 0.0),
        ("error", Outcome.FAILED, 1.0),
        ("error", Outcome.TIMED_OUT, 1.0),
        ("error", Outcome.DISCONNECTED, None),
        ("hallucination", Outcome.ANSWERED, 1.0),
        ("hallucination", Outcome.REFUSED, 1.0),
        ("hallucination", Outcome.FAILED, None),
        ("hallucination", Outcome.TIMED_OUT, None),
        ("hallucination", Outcome.DISCONNECTED, None),
    ],
)
def test_what_an_outcome_counts_as(name: str, outcome: Outcome, value: float | None) -> None:
    found = watch(name)
    found.look([request(1, "control"), request(2, "candidate", outcome, ungrounded=2)], NOW)
    assert found.blocks == ([] if value is None else [(0.0, value)])
    assert found.missing == (value is None)


def test_a_cost_that_is_not_known_is_missing_and_not_nothing() -> None:
    found = watch("cost")
    found.look([request(number, arm, cost_nanodollars=None) for number, arm in enumerate(["control", "candidate"] * 50)], NOW)
    assert (found.missing, found.blocks, found.p, found.mean(Arm.CONTROL)) == (100, [], 1.0, None)


def test_a_cap_that_is_not_said_is_taken_from_the_control_before_it_is_used() -> None:
    found = watch("latency")
    found.look([request(number, "control", total_ms=1e3 + number) for number in range(FIRST)], NOW)
    assert found.cap == pytest.approx(TIMES * (1e3 + (FIRST - 1) / 2) / 1e3)
    assert found.blocks == []
    assert found.cap
    found.look([request(100, "control", total_ms=1e3), request(101, "candidate", total_ms=1e9)], NOW)
    assert found.blocks[0] == pytest.approx((1 / found.cap, 1.0))


def test_a_candidate_that_costs_is_dearer_than_a_control_that_is_free() -> None:
    found = watch("cost")
    found.look(
        [
            request(number, arm, cost_nanodollars=5 * (arm == "candidate"))
            for number, arm in enumerate(["control", "candidate"] * 60)
        ],
        NOW,
    )
    assert found.breached
    assert "cost $0.000000005 against $0.00: more than 10 % above" in found.told()


def test_a_users_later_requests_do_not_count_where_units_do() -> None:
    """Of 20 hard questions one user asked 15: nothing is known of the candidate by that."""
    made = [request(2 * n, "control", unit=f"c{n}") for n in range(200)]
    made += [request(2 * n + 1, "candidate", Outcome.FAILED if n % 2 else Outcome.ANSWERED, unit=f"u{n % 4}") for n in range(200)]
    made.sort()
    by_request, by_unit = watch("error", observation="request"), watch("error")
    for found in (by_request, by_unit):
        found.look(made, NOW)
    assert by_request.breached
    assert (by_unit.breached, len(by_unit.blocks)) == (False, 4)


def test_users_who_differ_keep_the_error_where_units_count() -> None:
    """A few users ask most, and their questions are hard or easy: requests of one user are not independent."""
    breached = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        difficulty = {f"user {number}": found for number, found in enumerate(rng.normal(0, 2, 400))}
        found = watches(policy(f"trial-{seed}", guardrails=NO_MARGIN, observation="unit"))
        rollout = begun(policy(f"trial-{seed}", kind="ab", share=20))
        requests = asked(rng, rollout, 3_000, users=400, difficulty=difficulty)
        for one in found:
            one.look(requests, NOW)
        breached += any(one.breached for one in found)
    assert breached <= 4


def test_a_copy_is_set_against_its_original() -> None:
    trial = policy(kind="shadow", share=100, observation="request")
    equal, worse = watches(trial), watches(trial)
    rng = np.random.default_rng(5)
    for watched, behaviour in ((equal, EQUAL), (worse, Behaviour(hallucination=0.4))):
        made = shadowed(rng, begun(trial), 300, behaviour)
        for one in watched:
            one.look(made, NOW)
    assert [len(one.blocks) for one in equal[:2]] == [300, pytest.approx(290, abs=10)]
    assert not any(one.breached for one in equal)
    assert [one.name for one in worse if one.breached] == ["hallucination"]


def test_the_difference_is_told_in_the_metrics_unit_with_an_interval_that_holds_it() -> None:
    made = asked(np.random.default_rng(6), begun(policy(kind="ab")), 4_000, Behaviour(hallucination=0.2, slower=1.5))
    found = {one.name: one for one in watches(policy())}
    for one in found.values():
        one.look(made, NOW)
    estimates = {name: one.difference for name, one in found.items()}
    rates, seconds = estimates["hallucination"], estimates["latency"]
    assert rates
    assert seconds
    assert rates.low < 0.15 < rates.high < 0.25
    assert 0.2 < seconds.low < 0.45 < seconds.high < 0.7
    assert seconds.method.startswith("confidence sequence by betting, of values up to 2.")
    assert found["hallucination"].breached
    assert found["hallucination"].told().startswith("hallucination rate ")


def test_guardrails_share_alpha() -> None:
    assert [one.alpha for one in watches(policy())] == [0.05 / 4] * 4
    assert [one.alpha for one in watches(policy(alpha=0.1, guardrails={"cost": False, "latency": False}))] == [0.05] * 2
    assert watches(policy(guardrails=dict.fromkeys(METRICS, False))) == []


def test_nothing_is_known_of_nothing() -> None:
    found = watch("error")
    assert (found.difference, found.mean(Arm.CONTROL), found.p, found.breached) == (None, None, 1.0, False)
    assert math.isclose(found.alpha, 0.0125)
