"""What makes a comparison doubtful is counted and said."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from evals.agreement import agreement
from evals.analysis.doubts import disagreeing, few, gaps, repeated, too_little, unanswered
from evals.analysis.pairing import Sides
from evals.scorers.base import FAILED
from tests.evals.analysis.tables import cases, metric, table

F1 = metric("f1")


def test_requests_without_an_answer_are_a_problem_and_beyond_a_tenth_a_reason() -> None:
    a = table({"f1": [0]}, outcomes={"answered": 85, "refused": 5, "timed_out": 4, "disconnected": 6})
    b = table({"f1": [0]}, outcomes={"answered": 1, "refused": 88, "failed": 11})
    assert list(unanswered({"A": a, "B": b}, beyond=False)) == [
        "10 of 100 requests of A were not answered (4 timed out, 6 disconnected)"
    ]
    assert list(unanswered({"A": a, "B": b}, beyond=True)) == [
        "11 of 100 requests of B were not answered (11 failed), more than 10%"
    ]


def test_the_most_frequent_failure_is_named() -> None:
    a = table({"f1": [0]}, outcomes={"answered": 1, "failed": 4})
    a.failures.update({"openai/x failed: try again": 1, "openai/x answered 401: check the key": 3})
    [told] = unanswered({"A": a}, beyond=True)
    assert told.endswith("(4 failed), more than 10%: openai/x answered 401: check the key (3 of them)")


def test_refusals_are_answers() -> None:
    refusing = table({"f1": [0]}, outcomes={"refused": 100})
    assert not [
        *unanswered({"A": refusing, "B": refusing}, beyond=False),
        *unanswered({"A": refusing, "B": refusing}, beyond=True),
    ]


@pytest.mark.parametrize(("missing", "said"), [(10, False), (11, True)])
def test_a_primary_metric_may_miss_a_tenth(missing: int, said: bool) -> None:
    whole = table({"f1": np.zeros(100)})
    cut = table({"f1": np.zeros(100)}, {"f1": np.arange(100) < missing})
    sides = Sides(F1, whole.columns["f1"], cut.columns["f1"])
    assert bool(list(too_little([sides], {"f1"}))) is said
    told = [f"values of f1 are missing, {missing} of 100 from B: the judge was silent"]
    assert list(gaps([sides], {"f1"}, many=said)) == told
    assert list(gaps([sides], {"f1"}, many=not said)) == []


def test_what_failed_is_not_told_once_more_for_every_metric() -> None:
    lost = table({"f1": np.zeros(9)}, {"f1": np.arange(9) < 5}).columns["f1"]
    failed = replace(lost, reasons=Counter({FAILED: 5}))
    assert not [*gaps([Sides(F1, failed, failed)], {"f1"}, many=True), *gaps([Sides(F1, failed, failed)], {"f1"}, many=False)]
    assert list(gaps([Sides(F1, failed, lost)], {"f1"}, many=True)) == [
        "values of f1 are missing, 5 of 9 from B: the judge was silent"
    ]


def test_cases_with_a_metric_on_one_side_only_are_counted_once() -> None:
    a = table({"f1": [1, np.nan, 1, np.nan, np.nan]}, {"f1": [0, 0, 0, 1, 0]})
    b = table({"f1": [1, 1, np.nan, 1, np.nan]})
    told = list(gaps([Sides(F1, a.columns["f1"], b.columns["f1"])], {"f1"}, many=True))
    assert told[1:] == ["f1 applies on one side only to 2 cases, which are left out of its mean"]


def test_few_clusters() -> None:
    assert list(few(None)) == list(few(np.arange(10))) == []
    assert list(few(np.arange(20) % 9)) == ["the cases form only 9 independent clusters, and intervals from so few are rough"]


def test_a_cluster_that_is_most_of_the_cases_makes_many_clusters_few() -> None:
    half = np.repeat(np.arange(12), [66, *[6] * 11])
    assert list(few(half)) == [
        "of 12 clusters the largest has 66 of 132 cases, so that they count as 3.7 equal ones, and intervals from so few are rough"
    ]
    assert list(few(np.repeat(np.arange(12), 11))) == []


def test_cases_that_ask_the_same_are_told() -> None:
    questions = ["How long?", "how  long?", "How long?", "How much?"]
    assert list(repeated(list(cases(4, question=questions).values()))) == [
        "2 cases ask what another one of them asks: they are taken together, and do not make it surer"
    ]
    assert list(repeated(list(cases(4).values()))) == []


def test_a_judge_that_agrees_with_people_by_luck_is_told() -> None:
    people = ["correct"] * 8 + ["wrong"] * 2
    assert list(disagreeing(agreement(people, people))) == []
    assert list(disagreeing(agreement(["correct"] * 10, people))) == [
        "the judge agrees with people on 80% of 10 labelled answers, kappa 0.00: below 0.6 do not trust it alone"
    ]
    assert list(disagreeing(agreement(["correct"] * 8, ["correct"] * 8))) == [
        "all 8 labelled answers have one grade, which cannot show whether the judge agrees with people"
    ]
