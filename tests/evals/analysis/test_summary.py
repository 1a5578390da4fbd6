"""One run in short: means, quantiles, and the cases it did worst."""

import math

import numpy as np
import pytest

from evals.analysis.summary import lowest, means, quantiles
from evals.comparison import Design
from tests.evals.analysis.tables import cases, metric, table

F1, LATENCY, COST = metric("f1"), metric("latency", "seconds", "lower"), metric("cost", "dollars", "lower")
DESIGN = Design(primary=("f1",))
NAN = math.nan


def test_a_mean_is_over_the_cases_that_have_it_each_the_mean_of_its_repeats() -> None:
    scores = table(
        {"f1": [[0.2, 0.4], [0.5, NAN], [0.9, 0.7], [NAN, NAN]], "cost": [[NAN, NAN]] * 4},
        missing={"f1": [[0, 0], [0, 1], [0, 0], [0, 0]], "cost": [[1, 1]] * 4},
    )
    f1, cost = means(scores, [F1, COST, LATENCY], None, DESIGN)
    assert f1.estimate
    assert f1.estimate.value == pytest.approx((0.3 + 0.5 + 0.8) / 3)
    assert f1.estimate.low < f1.estimate.value < f1.estimate.high
    assert (f1.cases, f1.missing) == (3, 1)
    assert (cost.estimate, cost.cases, cost.missing) == (None, 0, 8)


def test_cases_that_hang_together_widen_the_interval() -> None:
    scores = table({"f1": np.repeat([0.1, 0.5, 0.3, 0.9, 0.7, 0.2], 10)})
    (apart,) = means(scores, [F1], None, DESIGN)
    (together,) = means(scores, [F1], np.repeat(np.arange(6), 10), DESIGN)
    assert apart.estimate
    assert together.estimate
    assert together.estimate.high - together.estimate.low > 2 * (apart.estimate.high - apart.estimate.low)


@pytest.mark.parametrize(("number", "known"), [(1, []), (19, [0.5]), (99, [0.5, 0.95]), (100, [0.5, 0.95, 0.99])])
def test_a_quantile_is_told_where_there_are_enough_cases(number: int, known: list[float]) -> None:
    found = list(quantiles(table({"latency": np.arange(number) + 1.0, "f1": [1.0] * number}), [F1, LATENCY], None, DESIGN))
    assert [one.quantile for one in found] == known
    for one in found:
        assert one.estimate.value == np.quantile(np.arange(number) + 1.0, one.quantile)


def test_a_quantile_has_its_interval() -> None:
    seconds = np.random.default_rng(7).lognormal(size=400)
    for one in quantiles(table({"latency": seconds}), [LATENCY], None, DESIGN):
        assert seconds.min() <= one.estimate.low < one.estimate.value < one.estimate.high <= seconds.max()


def worst(values: object, of: object = F1, without: tuple[str, ...] = ()) -> list[str]:
    scores = table({"f1": values, "latency": values})  # type: ignore[dict-item]
    return [low.case.id for low in lowest(scores, cases(len(scores.case_ids)), of, without)]  # type: ignore[arg-type]


def test_the_worst_come_first_and_what_is_as_good_as_can_be_is_not_among_them() -> None:
    assert worst([1.0, 0.3, 0.9, 0.0, NAN]) == ["c3", "c1", "c2"]
    assert worst([1.0, 0.3, 0.9, 0.0, NAN], LATENCY) == ["c0", "c2", "c1", "c3"]
    assert worst([1.0, 0.3, 0.9, 0.0], without=("c3",)) == ["c1", "c2"]
    assert len(worst([0.0] * 30)) == 10
    assert worst([1.0, 1.0]) == []


def test_the_answer_shown_is_the_one_nearest_to_the_mean() -> None:
    scores = table({"f1": [[0.0, 0.2, 0.9]]})
    (low,) = lowest(scores, cases(1), F1, ())
    assert (low.trace, low.score) == ("a:c0:1", 0.2)
    assert list(lowest(scores, cases(1), COST, ())) == []
