"""Rankings are judged as the field does."""

from collections.abc import Mapping, Sequence

import pytest

from evals.ranking import ndcg, recall, reciprocal_rank


@pytest.mark.parametrize(
    ("ranking", "gains", "expected"),
    [
        (["a", "b"], {"a": 1}, (1, 1, 1)),
        (["b", "a"], {"a": 1}, (1, 0.5, 0.6309)),
        (["b", "c"], {"a": 1}, (0, 0, 0)),
        (["a", "x", "b"], {"a": 1, "b": 1}, (1, 1, 0.9197)),
        (["b", "a"], {"a": 3, "b": 1}, (1, 1, 0.7967)),
        (["x"] * 5 + ["a"], {"a": 2}, (0, 1 / 6, 0.3562)),
        (["x"] * 10 + ["a"], {"a": 2}, (0, 0, 0)),
        ([], {"a": 1}, (0, 0, 0)),
    ],
)
def test_the_measures(ranking: Sequence[str], gains: Mapping[str, int], expected: tuple[float, float, float]) -> None:
    measured = recall(ranking, gains, 5), reciprocal_rank(ranking, gains, 10), ndcg(ranking, gains, 10)
    assert measured == pytest.approx(expected, abs=1e-4)


def test_without_a_limit_all_is_judged_against_all_that_could_be_found() -> None:
    gains = {"a": 1, "b": 1, "c": 1}
    assert recall(["x"] * 30 + ["a"], gains) == pytest.approx(1 / 3)
    assert reciprocal_rank(["x"] * 30 + ["a"], gains) == 1 / 31
    assert ndcg(["a"], gains) == pytest.approx(0.4693, abs=1e-4)
