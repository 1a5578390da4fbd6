"""Guardrails: an equal candidate is seldom taken back however often it is looked at, a worse one soon, and each request counts as it should."""

import math
import pickle
from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pytest

from api.rollouts.guardrails import GuardrailTest, GuardrailTests
from api.rollouts.measures import CAP_FACTOR, CAP_REQUESTS, MEASURES, METRICS
from api.rollouts.policy import Kind, Observation, Policy, Relative
from api.rollouts.requests import GIVEN_UP, Request
from api.rollouts.state import Arm
from evals.stats.sequential import growth, wealth
from rag.trace import Outcome
from tests.api.rollouts.traffic import EQUAL, START, Behaviour, asked, begun, policy, shadowed, stages

NO_MARGIN = {"error": {"margin": 0}, "hallucination": {"margin": 0}, "latency": {"margin": 0}, "cost": {"margin": 0}}
NOW = datetime.fromisoformat(START).timestamp()


def canary(seed: int, trial: Policy, candidate: Behaviour = EQUAL) -> tuple[int, list[str]]:
    """Through all stages, or until a breach: how many requests the candidate had, and what was breached."""
    rng = np.random.default_rng(seed)
    tests = GuardrailTests(trial)
    sent = had = 0
    for rollout in stages(begun(trial)):
        due = had + trial.minimum
        while had < due:
            requests = asked(rng, rollout, 100 if rollout.share < 10 else 60, candidate, first=sent)
            tests.look([requests], NOW)
            sent += len(requests)
            had += sum(request.arm is Arm.CANDIDATE for request in requests)
            if breached := [guardrail_test.name for guardrail_test in tests if guardrail_test.breached]:
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


def guardrail_test(name: str, **fields: object) -> GuardrailTest:
    return next(
        guardrail_test for guardrail_test in GuardrailTests(policy(**fields), intervals=True) if guardrail_test.name == name
    )


def differences(guardrail_test: GuardrailTest) -> list[float]:
    """Of the blocks that it has compared."""
    assert guardrail_test.differences is not None
    assert guardrail_test.comparisons == len(guardrail_test.differences)
    return list(guardrail_test.differences)


def request(number: int, arm: str, outcome: Outcome | None = Outcome.ANSWERED, **fields: object) -> Request:
    """The `number`-th, after as many milliseconds."""
    values = {"ungrounded": 0, "total_ms": 1e3, "cost_nanodollars": 10**6, "unit": None, "shadow_of": None, **fields}
    return Request(f"{number:04d}", START, Arm(arm), outcome, **values)  # type: ignore[arg-type]


def run(name: str, arms: str, bad: Sequence[int] = ()) -> GuardrailTest:
    """A watch that has looked at requests of control (`.`) and candidate (`x`), the `bad` ones failed."""
    found = guardrail_test(name)
    made = [
        request(number, "candidate" if arm == "x" else "control", Outcome.FAILED if number in bad else Outcome.ANSWERED)
        for number, arm in enumerate(arms)
    ]
    found.look(made, NOW)
    return found


def test_a_block_ends_when_it_has_both_arms() -> None:
    """Many of one arm are set against the first of the other: nobody is paired with nothing, or twice."""
    assert differences(run("error", "....")) == []
    assert differences(run("error", "...x..x", bad=[0, 6])) == [-1 / 3, 1.0]
    assert differences(run("error", "xx.xxx..", bad=[1, 3])) == [0.5, 1 / 3]


def test_requests_are_looked_at_in_portions_as_in_one() -> None:
    made = asked(np.random.default_rng(1), begun(policy(kind="ab", share=20)), 2_000)
    whole, parts = (GuardrailTests(policy(), intervals=True) for _ in range(2))
    whole.look([made], NOW)
    for start in range(0, len(made), 7):
        parts.look([made[max(start - 5, 0) : start + 4], made[start + 4 : start + 7]], NOW)
    for one, other in zip(whole, parts, strict=True):
        assert differences(one) == differences(other)
        assert one.p == pytest.approx(other.p)
        assert one.last == other.last == made[-1].id


def fully(name: str, trial: Policy, requests: Sequence[Request]) -> tuple[int, float]:
    """How many comparisons a guardrail has made, and its p, where all requests are kept and all is computed of them."""
    if trial.observation is Observation.UNIT:
        first = {(request.arm, request.unit): request.id for request in reversed(requests)}
        requests = [request for request in requests if request.unit is None or first[request.arm, request.unit] == request.id]
    found = [(request, value) for request in requests if (value := MEASURES[name](request, 0)) is not None]
    found = [(request, value) for request, value in found if not math.isnan(value)]
    guardrail, cap = trial.guardrails.enabled[name], 1.0
    relative = guardrail.margin if isinstance(guardrail, Relative) else 0.0
    if isinstance(guardrail, Relative):
        controls = [place for place, (request, _) in enumerate(found) if request.arm is Arm.CONTROL][:CAP_REQUESTS]
        if len(controls) < CAP_REQUESTS:
            return 0, 1.0
        cap = CAP_FACTOR * sum(found[place][1] for place in controls) / CAP_REQUESTS
        found = found[controls[-1] + 1 :]
    shares = {request.id: min(value / cap, 1.0) for request, value in found}
    blocks = []
    if trial.kind is Kind.SHADOW:
        blocks = [(shares[of], shares[request.id]) for request, _ in found if (of := request.shadow_of) in shares and of]
    else:
        waiting: dict[Arm, list[float]] = {Arm.CONTROL: [], Arm.CANDIDATE: []}
        for request, _ in found:
            waiting[request.arm].append(shares[request.id])
            if all(waiting.values()):
                blocks.append((float(np.mean(waiting[Arm.CONTROL])), float(np.mean(waiting[Arm.CANDIDATE]))))
                waiting = {Arm.CONTROL: [], Arm.CANDIDATE: []}
    excess = [(candidate - (1 + relative) * control) / (1 + relative) for control, candidate in blocks]
    margin = 0.0 if isinstance(guardrail, Relative) else guardrail.margin
    paths = growth(excess, margin).reshape(len(blocks), 2, -1)[:, 0].cumsum(axis=0)
    return len(blocks), math.exp(-max([0.0, *wealth(paths)]))


@pytest.mark.parametrize(
    "candidate", [EQUAL, Behaviour(error=0.4, hallucination=0.5, slower=3, dearer=3)], ids=["equal", "worse"]
)
@pytest.mark.parametrize(
    ("fields", "users"),
    [
        ({"kind": "canary", "stages": [10, 100]}, 1_000_000),
        ({"kind": "ab", "share": 30}, 150),
        ({"kind": "ab", "observation": "request"}, 150),
        ({"kind": "shadow", "share": 100}, 1_000_000),
        ({"kind": "shadow", "share": 100, "observation": "request"}, 1_000),
    ],
    ids=["canary", "few users", "requests", "shadow", "shadow of requests"],
)
def test_what_is_kept_decides_as_all_requests_would(fields: dict[str, object], users: int, candidate: Behaviour) -> None:
    """Looked at as they come, in portions of any size, after each of which everything is compared with the full computation."""
    trial, rng = policy(**fields), np.random.default_rng(12)
    rollout = begun(trial)
    made = (
        asked(rng, rollout, 1_500, candidate, users=users)
        if trial.kind is not Kind.SHADOW
        else shadowed(rng, rollout, 750, candidate, users=users)
    )
    made[5::40] = [request._replace(outcome=Outcome.DISCONNECTED) for request in made[5::40]]
    made[7::40] = [request._replace(cost_nanodollars=None, unit=None) for request in made[7::40]]
    tests, at = GuardrailTests(trial), 0
    while at < len(made):
        until = at + int(rng.integers(1, 120))
        tests.look([made[at : at + 20], made[at + 20 : until]] if until > at + 20 < len(made) else [made[at:until]], NOW)
        at = until
        for guardrail_test in tests:
            comparisons, p = fully(guardrail_test.name, trial, made[:at])
            assert guardrail_test.comparisons == comparisons
            assert guardrail_test.p == pytest.approx(p, rel=1e-9)
            assert guardrail_test.breached == (p <= guardrail_test.alpha)
    assert any(guardrail_test.breached for guardrail_test in tests) == (candidate is not EQUAL)


@pytest.mark.parametrize(
    "fields",
    [{"kind": kind, "observation": counted} for kind in ("ab", "shadow") for counted in ("unit", "request")],
    ids=lambda fields: " by ".join(fields.values()),
)
def test_what_is_kept_does_not_grow_with_the_requests_of_the_same_users(fields: dict[str, object]) -> None:
    """Of the originals of a shadow, nine in ten have no copy."""
    trial, rng, kept = policy(**fields), np.random.default_rng(13), []
    rollout, tests = begun(trial), GuardrailTests(trial)
    for hour in range(8):
        made = (
            asked(rng, rollout, 600, first=1_000 * hour, users=50, seconds=3_600 * hour)
            if trial.kind is not Kind.SHADOW
            else [
                request
                for place, request in enumerate(shadowed(rng, rollout, 300, seconds=3_600 * hour, users=50))
                if request.arm is Arm.CONTROL or place % 10 == 1
            ]
        )
        tests.look([made], NOW)
        assert [guardrail_test.last for guardrail_test in tests] == [made[-1].id] * 4
        kept.append(len(pickle.dumps(tests)))
    assert kept[-1] <= kept[1] + 64


@pytest.mark.parametrize("observation", ["unit", "request"])
def test_a_user_costs_a_name_and_only_where_users_are_counted(observation: str) -> None:
    trial, rng = policy(kind="ab", observation=observation), np.random.default_rng(14)
    few, many = GuardrailTests(trial), GuardrailTests(trial)
    made = asked(rng, begun(trial), 4_000)
    few.look([made[:1_000]], NOW)
    many.look([made], NOW)
    grown = (len(pickle.dumps(many)) - len(pickle.dumps(few))) / 3_000
    assert 10 < grown < 25 if observation == "unit" else grown < 0.05


def test_a_watch_that_waits_counts_a_user_once_all_the_same() -> None:
    """The latency has looked at what the errors have not: neither takes the user's second request for the first."""
    trial = policy(kind="ab", guardrails={"latency": {"margin": 0.2, "cap": 1_000}, "hallucination": False, "cost": False})
    made = [
        request(1, "control", None, total_ms=None, unit="slow"),
        request(2, "candidate", unit="ann"),
        request(3, "candidate", Outcome.FAILED, unit="ann"),
        request(4, "control", unit="bob"),
        request(5, "candidate", Outcome.FAILED, unit="ann"),
    ]
    tests = GuardrailTests(trial, intervals=True)
    errors, slow = tests
    tests.look([made[:4], made[4:]], NOW + 2)
    assert (errors.last, slow.last, tests.last) == ("", "0005", "")
    made[0] = request(1, "control", unit="slow")
    tests.look([made[:2], made[2:]], NOW + 3)
    assert (errors.last, slow.last) == ("0005", "0005")
    assert (differences(errors), differences(slow)) == ([0.0], [0.0])


def test_what_runs_holds_up_what_came_later_and_is_slow_once_it_is_beyond_the_cap() -> None:
    capped = {"latency": {"margin": 0.2, "cap": 5_000}}
    made = [request(1, "control"), request(2, "candidate", None, total_ms=None), request(3, "candidate"), request(4, "control")]
    errors, slow = guardrail_test("error"), guardrail_test("latency", guardrails=capped)
    for found in (errors, slow):
        found.look(made, NOW + 4)
        assert (found.last, differences(found)) == ("0001", [])
    for found in (errors, slow):
        found.look(made, NOW + 6)
    assert errors.last == "0001"
    assert differences(slow) == [0.8, 0.0]
    errors.look(made, NOW + GIVEN_UP + 1)
    assert differences(errors) == [1.0, 0.0]


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
    found = guardrail_test(name)
    found.look([request(1, "control"), request(2, "candidate", outcome, ungrounded=2)], NOW)
    assert differences(found) == ([] if value is None else [value])
    assert found.missing == (value is None)


def test_a_cost_that_is_not_known_is_missing_and_not_nothing() -> None:
    found = guardrail_test("cost")
    found.look([request(number, arm, cost_nanodollars=None) for number, arm in enumerate(["control", "candidate"] * 50)], NOW)
    assert (found.missing, differences(found), found.p, found.mean(Arm.CONTROL)) == (100, [], 1.0, None)


def test_a_cap_that_is_not_said_is_taken_from_the_control_before_it_is_used() -> None:
    found = guardrail_test("latency")
    found.look([request(number, "control", total_ms=1e3 + number) for number in range(CAP_REQUESTS)], NOW)
    assert found.cap == pytest.approx(CAP_FACTOR * (1e3 + (CAP_REQUESTS - 1) / 2) / 1e3)
    assert differences(found) == []
    assert found.cap
    found.look([request(100, "control", total_ms=1e3), request(101, "candidate", total_ms=1e9)], NOW)
    assert differences(found)[0] == pytest.approx(1.0 - 1 / found.cap)


def test_a_candidate_that_costs_is_dearer_than_a_control_that_is_free() -> None:
    found = guardrail_test("cost")
    found.look(
        [
            request(number, arm, cost_nanodollars=5 * (arm == "candidate"))
            for number, arm in enumerate(["control", "candidate"] * 60)
        ],
        NOW,
    )
    assert found.breached
    assert "cost of 1,000 answers $0.00000500 against $0.00: more than 10 % above" in found.summary


def test_a_users_later_requests_do_not_count_where_units_do() -> None:
    """Of 20 hard questions one user asked 15: nothing is known of the candidate by that."""
    made = [request(2 * n, "control", unit=f"c{n}") for n in range(200)]
    made += [request(2 * n + 1, "candidate", Outcome.FAILED if n % 2 else Outcome.ANSWERED, unit=f"u{n % 4}") for n in range(200)]
    made.sort()
    only_errors = dict.fromkeys(["hallucination", "latency", "cost"], False)
    by_request, by_unit = (GuardrailTests(policy(observation=counted, guardrails=only_errors)) for counted in ("request", "unit"))
    for tests in (by_request, by_unit):
        tests.look([made], NOW)
    assert [guardrail_test.breached for guardrail_test in by_request] == [True]
    assert [(guardrail_test.breached, guardrail_test.comparisons) for guardrail_test in by_unit] == [(False, 4)]


def test_users_who_differ_keep_the_error_where_units_count() -> None:
    """A few users ask most, and their questions are hard or easy: requests of one user are not independent."""
    breached = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        difficulty = {f"user {number}": found for number, found in enumerate(rng.normal(0, 2, 400))}
        found = GuardrailTests(policy(f"trial-{seed}", guardrails=NO_MARGIN, observation="unit"))
        rollout = begun(policy(f"trial-{seed}", kind="ab", share=20))
        requests = asked(rng, rollout, 3_000, users=400, difficulty=difficulty)
        found.look([requests], NOW)
        breached += any(one.breached for one in found)
    assert breached <= 4


def test_a_copy_is_set_against_its_original() -> None:
    trial = policy(kind="shadow", share=100, observation="request")
    equal, worse = GuardrailTests(trial), GuardrailTests(trial)
    rng = np.random.default_rng(5)
    for tests, behaviour in ((equal, EQUAL), (worse, Behaviour(hallucination=0.4))):
        made = shadowed(rng, begun(trial), 300, behaviour)
        tests.look([made], NOW)
    assert [one.comparisons for one in equal][:2] == [300, pytest.approx(290, abs=10)]
    assert not any(one.breached for one in equal)
    assert [one.name for one in worse if one.breached] == ["hallucination"]


def test_the_difference_is_told_in_the_metrics_unit_with_an_interval_that_holds_it() -> None:
    made = asked(np.random.default_rng(6), begun(policy(kind="ab")), 4_000, Behaviour(hallucination=0.2, slower=1.5))
    tests = GuardrailTests(policy(), intervals=True)
    tests.look([made], NOW)
    found = {one.name: one for one in tests}
    estimates = {name: one.difference for name, one in found.items()}
    rates, seconds = estimates["hallucination"], estimates["latency"]
    assert rates
    assert seconds
    assert rates.low < 0.15 < rates.high < 0.25
    assert 0.2 < seconds.low < 0.45 < seconds.high < 0.7
    assert seconds.method.startswith("confidence sequence by betting, of values up to 2.")
    assert found["hallucination"].breached
    assert found["hallucination"].summary.startswith("hallucination rate ")


def test_guardrails_share_alpha() -> None:
    assert [one.alpha for one in GuardrailTests(policy())] == [0.05 / 4] * 4
    assert [one.alpha for one in GuardrailTests(policy(alpha=0.1, guardrails={"cost": False, "latency": False}))] == [0.05] * 2
    assert not GuardrailTests(policy(guardrails=dict.fromkeys(METRICS, False)))
    assert not GuardrailTests(policy(kind="blue-green"))


def test_nothing_is_known_of_nothing() -> None:
    found = guardrail_test("error")
    assert (found.difference, found.mean(Arm.CONTROL), found.p, found.breached) == (None, None, 1.0, False)
    assert math.isclose(found.alpha, 0.0125)
