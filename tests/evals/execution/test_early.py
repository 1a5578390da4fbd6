"""Looks after every case, in the cases' own order, and says when it is known."""

import itertools
import random

import pytest

from evals.cases import Case
from evals.comparison import Design
from evals.execution.early import Early
from evals.execution.runs import Result
from evals.scorers.base import Metric, Missing
from rag.errors import GroundwireError
from rag.trace import Outcome

F1 = Metric(name="f1", label="token F1", better="higher", unit="share")
EXACT = Metric(name="exact_match", label="exact match", better="higher", unit="binary")
LATENCY = Metric(name="latency", label="latency", better="lower", unit="seconds")
ORDER = [f"case-{number}" for number in range(100)]


def result(case: str, repeat: int = 0, **scores: float | Missing) -> Result:
    return Result(
        case=Case(id=case, question="Why?"),
        repeat=repeat,
        trace_id="t",
        outcome=Outcome.ANSWERED,
        scores=scores,
        scorers=(),
        cost_nanodollars=0,
        seconds=0,
    )


def early(*metrics: Metric, repeats: int = 1, **design: object) -> Early:
    primary = metrics or (F1,)
    return Early(primary, ORDER, repeats, Design(primary=tuple(metric.name for metric in primary)).model_copy(update=design))


def looked(watch: Early, a: float, b: float, cases: int = 100) -> str | None:
    """The reason, after so many cases of the same scores."""
    for case in ORDER[:cases]:
        watch.see(0, result(case, f1=a))
        if known := watch.see(1, result(case, f1=b)):
            return known
    return None


def test_a_clear_difference_is_known_soon() -> None:
    watch = early()
    assert looked(watch, 0.0, 1.0) == "token F1 is known to differ"
    assert 3 <= watch.looked_at < 20
    assert watch.looked_at_ids == tuple(ORDER[: watch.looked_at])
    assert watch.tests["f1"].decided == "better"


def test_no_difference_is_known_to_be_none_where_the_margin_is_wide() -> None:
    watch = early(margin=0.3)
    assert looked(watch, 0.5, 0.5) == "the primary metrics are known to be equivalent"
    assert looked(early(), 0.5, 0.5, 20) is None


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
    assert watch.see(0, result(ORDER[0], f1=0.0)) == "token F1 is known to differ"
    assert watch.looked_at < 20


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


def test_metrics_share_the_error() -> None:
    alone, together = early(), early(F1, EXACT)
    for watch in (alone, together):
        for case in ORDER[:40]:
            for side in (0, 1):
                watch.see(side, result(case, f1=float(side), exact_match=0.5))
    assert together.known == alone.known == "token F1 is known to differ"
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
    with pytest.raises(GroundwireError, match="--cluster-by"):
        early(cluster_by="document")
    for margin in (0.0, 1.0, 2.0, float("nan")):
        with pytest.raises(GroundwireError, match="--margin between 0 and 1"):
            early(margin=margin)
