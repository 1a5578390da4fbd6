"""Corrections keep their promise."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.stats.multiplicity import benjamini_hochberg, holm

Correction = Callable[[Sequence[float]], list[float]]
ps = st.lists(st.floats(0, 1), max_size=20)
each = pytest.mark.parametrize("correction", [holm, benjamini_hochberg])


def test_holm_worked_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.02, 0.9]) == pytest.approx([0.04, 0.9])


def test_benjamini_hochberg_worked_by_hand() -> None:
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])


@each
def test_none_and_one_need_no_correction(correction: Correction) -> None:
    assert correction([]) == []
    assert correction([0.03]) == [0.03]


@each
@pytest.mark.parametrize("ps", [[float("nan")], [0.1, -0.1], [1.1]])
def test_what_is_no_p_is_refused(correction: Correction, ps: list[float]) -> None:
    with pytest.raises(ValueError, match="p-value lies within 0 and 1"):
        correction(ps)


@given(ps)
def test_holm_corrects_more_and_keeps_the_order(ps: list[float]) -> None:
    held, discovered = holm(ps), benjamini_hochberg(ps)
    assert all(p <= q + 1e-12 and q <= h + 1e-12 and h <= 1 for p, q, h in zip(ps, discovered, held, strict=True))
    for adjusted in (held, discovered):
        assert all(adjusted[i] <= adjusted[j] for i in range(len(ps)) for j in range(len(ps)) if ps[i] < ps[j])


def test_holm_keeps_the_chance_of_any_false_finding() -> None:
    rng = np.random.default_rng(0)
    false = [min(holm([*rng.random(4), 1e-6])[:4]) <= 0.05 for _ in range(4_000)]
    assert 0.035 <= np.mean(false) <= 0.06


def test_benjamini_hochberg_keeps_the_share_of_false_findings() -> None:
    rng, shares = np.random.default_rng(0), []
    for _ in range(1_000):
        found = np.array(benjamini_hochberg([*rng.random(30), *(rng.random(10) * 0.005)])) <= 0.1
        shares.append(found[:30].sum() / max(found.sum(), 1))
    assert np.mean(shares) <= 0.1
