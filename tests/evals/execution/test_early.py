"""Looks after every case, in the cases' own order, and says when it is known; looking often does not make it err more."""

import itertools
import random
from collections.abc import Callable

import numpy as np
import pytest

from evals.analysis.effects import Measured, effects, measured
from evals.analysis.pairing import Sides
from evals.cases import Case
from evals.comparison import Design, Finding, Guardrail
from evals.execution.early import FIRST_LOOK, Early, looks
from evals.execution.runs import Result
from evals.scorers.base import Metric, Missing
from evals.scores import Column, FloatArray
from rag.errors import GroundwireError
from rag.trace import Outcome
from tests.evals.stats.test_sequential import upper

F1 = Metric(name="f1", label="token F1", better="higher", unit="share")
EXACT = Metric(name="exact_match", label="exact match", better="higher", unit="binary")
LATENCY = Metric(name="latency", label="latency", better="lower", unit="seconds")
HALLUCINATION = Metric(name="hallucination", label="hallucination rate", better="lower", unit="share")
SLOWER = (Guardrail(metric="latency", margin=0.2, relative=True),)
ORDER = [f"case-{number}" for number in range(100)]


def result(case: str, repeat: int = 0, **scores: float | Missing) -> Result:
    return Result(
        case=Case(id=case, question=f"Why {case}?"),
        repeat=repeat,
        trace_id="t",
        outcome=Outcome.ANSWERED,
        scores=scores,
        scorers=(),
        cost_nanodollars=0,
        seconds=0,
        timed=("2026-11-23T14:05:30.000000+00:00",),
    )


def early(*metrics: Metric, guarded: tuple[Metric, ...] = (), repeats: int = 1, **design: object) -> Early:
    primary = metrics or (F1,)
    names = tuple(metric.name for metric in primary)
    return Early(primary, guarded, ORDER, repeats, Design(primary=names).model_copy(update=design))


def looked(watch: Early, a: float, b: float, cases: int = 100) -> str | None:
    """The reason, after so many cases of the same scores."""
    for case in ORDER[:cases]:
        watch.see(0, result(case, f1=a))
        if known := watch.see(1, result(case, f1=b)):
            return known
    return None


def test_what_is_worse_is_known_soon() -> None:
    watch = early(guarded=(LATENCY,), guardrails=SLOWER)
    assert looked(watch, 1.0, 0.0) == "a primary metric is known to be worse"
    assert 3 <= watch.looked_at < 20
    assert watch.looked_at_ids == tuple(ORDER[: watch.looked_at])
    assert watch.tests["f1"].decided == "worse"


def test_what_is_worse_does_not_end_it_where_so_few_cases_cannot_be_trusted() -> None:
    watch = early()
    for number, case in enumerate(ORDER):
        watch.see(0, result(case, f1=1.0))
        failed = result(case, f1=0.0).model_copy(update={"outcome": Outcome.FAILED if number in (3, 7) else Outcome.ANSWERED})
        if watch.see(1, failed):
            break
    assert watch.known == "a primary metric is known to be worse"
    assert watch.looked_at >= 20


def test_what_is_better_is_known_at_the_first_look_at_the_verdict() -> None:
    watch = early()
    assert looked(watch, 0.0, 1.0) == "the verdict is known: better"
    assert (watch.looked_at, watch.looks) == (FIRST_LOOK, (32, 64, 100))


def test_no_difference_is_known_to_be_none_where_the_margin_is_wide() -> None:
    assert looked(early(margin=0.3), 0.5, 0.5) == "the verdict is known: equivalent"
    assert looked(early(), 0.5, 0.5, 20) is None


def test_the_verdict_is_looked_at_a_few_times_and_last_at_the_end() -> None:
    assert [looks(cases) for cases in (1, 32, 33, 400)] == [(1,), (32,), (32, 33), (32, 64, 128, 256, 400)]
    watch = early(margin=0.04)
    looked(watch, 0.5, 0.5)
    assert (watch.looked_at, watch.known) == (100, None)


@pytest.mark.parametrize(
    ("slower", "known", "at"), [(0.3, None, 100), (-0.2, "better", 32), (0.0, "better", 64), (0.9, "worse", 32)]
)
def test_a_guardrail_that_is_open_keeps_it_going_and_a_broken_one_ends_it(slower: float, known: str | None, at: int) -> None:
    """B is better at once, and slower by so many seconds of 1, of which a fifth is tolerated; times have a spread."""
    watch = early(guarded=(LATENCY,), guardrails=SLOWER)
    rng = np.random.default_rng(4)
    for case in ORDER:
        watch.see(0, result(case, f1=0.0, latency=rng.gamma(9, 1 / 9)))
        watch.see(1, result(case, f1=1.0, latency=(1 + slower) * rng.gamma(9, 1 / 9)))
    assert watch.known == (known and f"the verdict is known: {known}")
    assert watch.looked_at == at


def test_a_guardrail_that_cannot_be_measured_keeps_it_going() -> None:
    watch = early(guarded=(LATENCY,), guardrails=SLOWER)
    for case in ORDER:
        watch.see(0, result(case, f1=0.0, latency=1.0))
        watch.see(1, result(case, f1=1.0, latency=Missing(reason="lost")))
    assert (watch.looked_at, watch.known) == (100, None)


def test_too_many_failures_do_not_end_it() -> None:
    watch = early()
    for number, case in enumerate(ORDER[:32]):
        watch.see(0, result(case, f1=0.0))
        failed = result(case, f1=1.0).model_copy(update={"outcome": Outcome.FAILED})
        watch.see(1, failed if number < 8 else result(case, f1=1.0))
    assert (watch.looked_at, watch.known) == (32, None)


def test_the_order_of_the_cases_counts_and_not_that_of_the_answers() -> None:
    scores = {case: (float(number % 2), float(number % 3 > 0)) for number, case in enumerate(ORDER)}
    answers = [(side, case) for case in ORDER for side in (0, 1)]
    found = []
    for seed in range(4):
        shuffled = random.Random(seed).sample(answers, len(answers)) if seed else answers
        watch = early()
        for side, case in shuffled:
            watch.see(side, result(case, f1=scores[case][side]))
        found.append((watch.looked_at, watch.tests["f1"].p, watch.known))
    assert len(set(found)) == 1


def test_it_waits_for_a_case_that_is_late() -> None:
    watch = early()
    for case in ORDER[1:]:
        watch.see(0, result(case, f1=0.0))
        watch.see(1, result(case, f1=1.0))
    assert (watch.looked_at, watch.known) == (0, None)
    watch.see(1, result(ORDER[0], f1=1.0))
    assert watch.see(0, result(ORDER[0], f1=0.0)) == "the verdict is known: better"
    assert watch.looked_at == FIRST_LOOK


def test_all_repeats_of_a_case_are_one_look() -> None:
    watch = early(repeats=2)
    for side, repeat in itertools.product((0, 1), (0, 1)):
        assert watch.looked_at == 0
        watch.see(side, result(ORDER[0], repeat, f1=float(side + repeat) / 2))
    assert watch.looked_at == 1


@pytest.mark.parametrize("lost", [{}, {"f1": Missing(reason="lost")}], ids=["not applicable", "missing"])
def test_a_case_without_a_value_is_passed_over(lost: dict[str, Missing]) -> None:
    with_gaps, without = early(), early()
    for number, case in enumerate(ORDER[:10]):
        gap = number % 3 == 0
        with_gaps.see(0, result(case, f1=0.2))
        with_gaps.see(1, result(case, **(lost if gap else {"f1": 0.6})))
        if not gap:
            position = without.looked_at
            without.see(0, result(ORDER[position], f1=0.2))
            without.see(1, result(ORDER[position], f1=0.6))
    assert with_gaps.looked_at == 10
    assert with_gaps.tests["f1"].p == without.tests["f1"].p < 1


def test_a_question_that_is_asked_again_is_looked_at_and_tells_nothing_new() -> None:
    once, tenfold = early(), early()
    for number, case in enumerate(ORDER[:30]):
        for side in (0, 1):
            answer = result(case, f1=0.2 + 0.4 * side)
            question = Case(id=case, question=f"Question {number % 3}?")
            tenfold.see(side, answer.model_copy(update={"case": question}))
            if number < 3:
                once.see(side, answer)
    assert (once.looked_at, tenfold.looked_at) == (3, 30)
    assert tenfold.tests["f1"].p == once.tests["f1"].p


def test_a_question_is_looked_at_once_a_value_is_there() -> None:
    """Of the first to ask it one side has none."""
    watch = early()
    for number, case in enumerate(ORDER[:3]):
        for side in (0, 1):
            answer = result(case, 0, **({} if number + side == 1 else {"f1": 0.2 + 0.4 * side}))
            watch.see(side, answer.model_copy(update={"case": Case(id=case, question="Always the same?")}))
    assert (watch.looked_at, watch.tests["f1"].observed) == (3, 1)


def test_metrics_share_the_error() -> None:
    alone, together = early(), early(F1, EXACT)
    for watch in (alone, together):
        for case in ORDER[:40]:
            for side in (0, 1):
                watch.see(side, result(case, f1=float(1 - side), exact_match=0.5))
    assert together.known == alone.known == "a primary metric is known to be worse"
    assert together.looked_at > alone.looked_at


def test_after_it_is_known_nothing_changes() -> None:
    watch = early()
    looked(watch, 0.0, 1.0)
    before = (watch.looked_at, watch.known, watch.tests["f1"].p)
    for case in ORDER[50:]:
        for side in (0, 1):
            assert watch.see(side, result(case, f1=1.0 - side)) == watch.known
    assert (watch.looked_at, watch.known, watch.tests["f1"].p) == before


def test_what_it_cannot_watch_is_refused() -> None:
    with pytest.raises(GroundwireError, match="cannot watch latency, which has no bounds"):
        early(F1, LATENCY)
    preferred = Metric(name="preferred", label="preferred", better="higher", unit="share")
    with pytest.raises(GroundwireError, match="cannot watch preferred, which is judged when all is answered"):
        early(guarded=(preferred,))
    with pytest.raises(GroundwireError, match="--cluster-by"):
        early(cluster_by="document")
    for margin in (0.0, 1.0, 2.0, float("nan")):
        with pytest.raises(GroundwireError, match="--margin between 0 and 1"):
            early(margin=margin)


Draw = Callable[[np.random.Generator, int], tuple[FloatArray, FloatArray]]


def rare(rng: np.random.Generator, n: int) -> tuple[FloatArray, FloatArray]:
    """A hallucination of B in one answer of twenty, which is the margin."""
    return np.zeros(n), (rng.random(n) < 0.05).astype(float)


def partial(rng: np.random.Generator, n: int) -> tuple[FloatArray, FloatArray]:
    """Shares of claims, .05 more of them with B."""
    a, b = (np.where(rng.random(n) < often, rng.random(n), 0.0) for often in (0.1, 0.2))
    return a, b


def slower(rng: np.random.Generator, n: int) -> tuple[FloatArray, FloatArray]:
    """Seconds, skewed, and alike for a case: a fifth more of them with B."""
    case = rng.lognormal(0, 0.3, n)
    return case * rng.lognormal(0, 0.5, n), 1.2 * case * rng.lognormal(0, 0.5, n)


GUARDED: dict[Draw, tuple[Metric, Guardrail, int]] = {
    rare: (HALLUCINATION, Guardrail(metric="hallucination", margin=0.05), 500),
    partial: (HALLUCINATION, Guardrail(metric="hallucination", margin=0.05), 500),
    slower: (LATENCY, SLOWER[0], 120),
}


def held_at_some_look(draw: Draw, cases: int, *, strict: bool) -> float:
    """Of runs whose B is worse by just the margin, the share in which the guardrail is found held at any look.

    `strict`: each look at its part of the error, as it is; else each as if it were the only one.
    """
    metric, guardrail, runs = GUARDED[draw]
    rng, design, at, found = np.random.default_rng(11), Design(primary=("f1",), guardrails=(guardrail,)), looks(cases), 0
    for _ in range(runs):
        a, b = draw(rng, cases)
        found += any(
            effect.finding is Finding.HELD
            for n in at
            for effect in effects([_measured(metric, a[:n], b[:n])], design, {}, len(at) if strict else 1)
        )
    return upper(found, runs) if strict else found / runs


@pytest.mark.parametrize("draw", GUARDED)
def test_a_guardrail_at_its_margin_is_found_held_at_most_so_often_however_often_it_is_looked_at(draw: Draw) -> None:
    assert held_at_some_look(draw, 128, strict=True) <= 0.05


def test_intervals_of_a_single_look_would_err_too_often() -> None:
    assert held_at_some_look(partial, 2048, strict=False) > 0.1


def test_a_whole_run_with_guardrails_errs_at_most_so_often() -> None:
    """B answers better, and is slower by just the margin: better is an error, whenever it stops."""
    wrong, runs = 0, 120
    rng = np.random.default_rng(12)
    for _ in range(runs):
        watch = early(guarded=(LATENCY,), guardrails=SLOWER)
        for case, one, other in zip(ORDER, *slower(rng, len(ORDER)), strict=True):
            watch.see(0, result(case, f1=0.2, latency=one))
            watch.see(1, result(case, f1=0.8, latency=other))
        wrong += watch.known == "the verdict is known: better"
    assert upper(wrong, runs) <= 0.05


def test_a_whole_run_of_equals_errs_at_most_so_often() -> None:
    """With the guardrails on, in either direction."""
    wrong, runs = 0, 120
    rng = np.random.default_rng(13)
    for _ in range(runs):
        watch = early(guarded=(HALLUCINATION,), guardrails=(Guardrail(metric="hallucination", margin=0.05),))
        for case, *values in zip(ORDER, *rng.random((2, 100)), *(rng.random((2, 100)) < 0.1), strict=True):
            for side in (0, 1):
                watch.see(side, result(case, f1=values[side], hallucination=float(values[2 + side])))
        wrong += watch.known is not None
    assert upper(wrong, runs) <= 0.05


def _measured(metric: Metric, a: FloatArray, b: FloatArray) -> Measured:
    columns = (Column(values[:, None], np.zeros((len(values), 1), dtype=bool)) for values in (a, b))
    found = measured(Sides(metric, *columns), None)
    assert found is not None
    return found
