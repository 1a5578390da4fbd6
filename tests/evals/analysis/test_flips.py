"""The cases a reviewer should read are chosen, and read."""

import numpy as np
import pytest
from numpy.typing import ArrayLike

from evals.analysis.flips import Chosen, Flipped, Moves, choose, flips
from evals.scorers.base import Metric
from rag.trace import Outcome
from tests.evals.analysis.tables import cases, metric, table
from tests.evals.scorers.examples import answered, refused

F1 = metric("f1")


def chosen(a: ArrayLike, b: ArrayLike, of: Metric = F1) -> tuple[Flipped, ...]:
    return chosen_of((of, a, b))


def chosen_of(*metrics: tuple[Metric, ArrayLike, ArrayLike]) -> tuple[Flipped, ...]:
    return all_of(*metrics).flipped


def all_of(*metrics: tuple[Metric, ArrayLike, ArrayLike]) -> Chosen:
    of_a, of_b = table({of.name: a for of, a, _ in metrics}), table({of.name: b for of, _, b in metrics}, side="b")
    moves = [Moves(of, of_a.columns[of.name].values, of_b.columns[of.name].values) for of, _, _ in metrics]
    return choose(list(cases(len(of_a.case_ids)).values()), of_a.trace_ids, of_b.trace_ids, moves)


def ids(flipped: tuple[Flipped, ...], gained: bool) -> list[str]:
    return [flip.case.id for flip in flipped if flip.gained is gained]


def test_cases_that_cross_the_middle_come_first_and_the_biggest_of_them() -> None:
    flipped = chosen([0.4, 0.1, 0.0, 0.9, 0.45, 0.6], [0.6, 0.9, 0.49, 0.2, 0.5, 0.61])
    assert ids(flipped, gained=True) == ["c1", "c0", "c4", "c2"]
    assert ids(flipped, gained=False) == ["c3"]
    assert flipped[0] == (cases(2)["c1"], "f1", True, "a:c1:0", 0.1, "b:c1:0", 0.9, True)


def test_where_a_handful_crosses_what_merely_moved_is_left_out() -> None:
    assert len(chosen([0.0] * 6, [0.5, 0.5, 0.5, 0.5, 0.5, 0.4])) == 5


def test_small_moves_are_no_flips() -> None:
    assert chosen([0.1, 0.9, 0.5], [0.3, 0.71, 0.5]) == ()


def test_at_most_ten_each_way() -> None:
    flipped = chosen([0] * 15 + [1] * 15, [1] * 15 + [0] * 15)
    assert [len(ids(flipped, gained)) for gained in (True, False)] == [10, 10]
    assert ids(flipped, gained=True)[0] == "c0"


def test_all_that_crossed_are_counted_and_what_only_moved_is_not() -> None:
    found = all_of((F1, [0] * 160 + [1] * 40, [1] * 160 + [0] * 40))
    assert (found.gained, found.lost, len(found.flipped)) == (160, 40, 20)
    few = all_of((F1, [0.0, 0.1, 0.9], [0.6, 0.4, 0.6]))
    assert (few.gained, few.lost) == (1, 0)
    assert [(flip.case.id, flip.gained, flip.crossed) for flip in few.flipped] == [
        ("c0", True, True),
        ("c1", True, False),
        ("c2", False, False),
    ]


def test_a_case_that_crosses_by_two_metrics_is_counted_once() -> None:
    found = all_of((F1, [0.4], [0.6]), (metric("exact", "binary"), [0], [1]))
    assert (found.gained, found.lost) == (1, 0)


def test_of_a_metric_where_less_is_better_a_fall_is_a_gain() -> None:
    flipped = chosen([1, 0], [0, 1], metric("hallucinated", "binary", "lower"))
    assert (ids(flipped, gained=True), ids(flipped, gained=False)) == (["c0"], ["c1"])


def test_a_case_without_a_value_on_one_side_is_no_flip() -> None:
    assert chosen([0, np.nan], [np.nan, 1]) == ()


def test_a_case_is_shown_once_each_way_by_the_metric_that_moved_most() -> None:
    flipped = chosen_of((F1, [0.3], [0.6]), (metric("exact", "binary"), [0], [1]), (metric("rouge"), [0.9], [0.1]))
    assert [(flip.metric, flip.gained) for flip in flipped] == [("exact", True), ("rouge", False)]


@pytest.mark.parametrize(
    ("a", "b", "traces"),
    [
        ([[0, 0, 1]], [[0, 1, 1]], ("a:c0:0", "b:c0:1")),
        ([[0, 0]], [[0, 1]], ("a:c0:0", "b:c0:1")),
        ([[np.nan, 0.2]], [[0.9, np.nan]], ("a:c0:1", "b:c0:0")),
    ],
)
def test_the_answer_shown_is_the_one_nearest_to_the_mean(a: ArrayLike, b: ArrayLike, traces: tuple[str, str]) -> None:
    (flip,) = chosen(a, b)
    assert (flip.trace_a, flip.trace_b) == traces


def test_the_answers_are_read_from_their_traces() -> None:
    both = {"a:c0:0": refused(), "b:c0:0": answered("24 months [1].")}
    kept = {id: trace.model_copy(update={"id": id}) for id, trace in both.items()}
    (flip,) = flips(chosen([0], [1]), kept.__getitem__)
    assert (flip.case.id, flip.metric, flip.gained) == ("c0", "f1", True)
    assert (flip.a.outcome, flip.a.text, flip.a.score, flip.a.trace_id) == (
        Outcome.REFUSED,
        "The documents do not answer this.",
        0.0,
        "a:c0:0",
    )
    assert (flip.b.outcome, flip.b.text, flip.b.score) == (Outcome.ANSWERED, "24 months [1].", 1.0)
