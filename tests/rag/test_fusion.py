"""Two rankings become one, by a weight that ranks of known items teach."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.fusion import Fusion, reciprocal, weigh
from rag.types import Hit


def hits(*scores: tuple[int, float]) -> list[Hit]:
    return [Hit(*score) for score in scores]


def test_a_chunk_that_both_legs_know_wins() -> None:
    fused = Fusion(dense_weight=0.5).fuse(hits((1, 0.6), (2, 0.5), (4, 0.1)), hits((3, 8.0), (2, 7.0)))
    assert [hit.position for hit in fused] == [2, 3, 1, 4]
    assert fused[0].score == pytest.approx(0.5 * 0.5 + 0.5 * 7 / 8)
    assert (fused[0].dense, fused[0].lexical) == (0.5, 7.0)


def test_a_chunk_the_dense_leg_left_out_gets_its_last_cosine() -> None:
    fused = Fusion(dense_weight=0.5).fuse(hits((1, 0.6), (2, 0.2)), hits((3, 8.0)))
    assert fused[0] == (3, 0.5 * 0.2 + 0.5, None, 8.0)


def test_the_weight_decides() -> None:
    dense, lexical = hits((1, 0.9), (2, 0.1)), hits((2, 5.0), (1, 1.0))
    assert [hit.position for hit in Fusion(dense_weight=0.9).fuse(dense, lexical)] == [1, 2]
    assert [hit.position for hit in Fusion(dense_weight=0.1).fuse(dense, lexical)] == [2, 1]


def test_an_embedder_that_sees_all_alike_decides_nothing() -> None:
    dense = hits(*((position, 0.50 - position / 1000) for position in range(10)))
    assert Fusion(dense_weight=0.6).fuse(dense, hits((9, 5.0), (0, 4.0)))[0].position == 9


def test_one_leg_alone_keeps_its_order() -> None:
    found = hits((4, 0.3), (1, 0.2), (7, -0.1))
    for weight in (0.0, 0.5, 1.0):
        assert [hit[:2] for hit in Fusion(dense_weight=weight).fuse(found, [])] == found
        assert [hit.position for hit in Fusion(dense_weight=weight).fuse([], found[:2])] == [4, 1]
    assert Fusion().fuse([], []) == []


@given(
    st.dictionaries(st.integers(0, 20), st.floats(-1, 1), max_size=10),
    st.dictionaries(st.integers(0, 20), st.floats(0.01, 50), max_size=10),
    st.floats(0, 1),
)
def test_every_chunk_comes_once_best_first_ties_by_position(
    cosines: dict[int, float], bm25: dict[int, float], weight: float
) -> None:
    def ranked(scores: dict[int, float]) -> list[Hit]:
        return [Hit(position, score) for position, score in sorted(scores.items(), key=lambda item: (-item[1], item[0]))]

    fused = Fusion(dense_weight=weight).fuse(ranked(cosines), ranked(bm25))
    assert sorted(hit.position for hit in fused) == sorted(cosines.keys() | bm25.keys())
    assert fused == sorted(fused, key=lambda hit: (-hit.score, hit.position))
    assert all((hit.dense, hit.lexical) == (cosines.get(hit.position), bm25.get(hit.position)) for hit in fused)


@pytest.mark.parametrize(
    ("dense", "lexical", "weight"),
    [
        ([1, 1], [1, 1], 0.9),
        ([2, 2], [1, 1], 0.45),
        ([None, None], [1, 1], 0.0),
        ([1, 1], [4, None], 0.9),
        ([1, 1], [None, None], 0.5),
        ([], [], 0.5),
    ],
)
def test_the_weight_follows_how_well_dense_finds_known_items(
    dense: Sequence[int | None], lexical: Sequence[int | None], weight: float
) -> None:
    assert weigh((dense, lexical)).dense_weight == pytest.approx(weight)


def test_kinds_of_queries_count_alike() -> None:
    assert weigh(([1], [1]), ([None], [1])).dense_weight == pytest.approx(0.45)
    assert reciprocal([1, 2, None]) == pytest.approx(0.5)
