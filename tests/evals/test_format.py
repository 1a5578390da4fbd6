"""Numbers as people read them."""

import math

import pytest

from evals.comparison import Estimate
from evals.format import between, change, interval, level, probability, shown
from evals.scorers.base import Metric

UNITS = ["share", "binary", "seconds", "dollars", "tokens"]
METRICS = {unit: Metric.model_validate({"name": unit, "label": unit, "better": "higher", "unit": unit}) for unit in UNITS}


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [
        ("share", 0.4121, "0.412"),
        ("binary", 0.4121, "41.2 %"),
        ("seconds", 1.2345, "1.23 s"),
        ("seconds", 0.0042, "0.004 s"),
        ("seconds", 123.4, "123 s"),
        ("seconds", 0.0, "0 s"),
        ("dollars", 0.00000123456, "$0.00123"),
        ("dollars", 0.0123456, "$12.35"),
        ("dollars", 0.0, "$0.00"),
        ("tokens", 1204.3, "1,204"),
        ("tokens", 38.25, "38.2"),
        ("share", math.nan, "unknown"),
    ],
)
def test_a_value_has_its_unit(unit: str, value: float, expected: str) -> None:
    assert shown(METRICS[unit], value) == expected


@pytest.mark.parametrize(
    ("unit", "value", "expected"),
    [
        ("share", 0.0433, "+0.043"),
        ("share", -0.0001, "+0.000"),
        ("binary", -0.0433, "-4.3 points"),
        ("seconds", -0.25, "-0.250 s"),
        ("dollars", 0.000000123, "+$0.000123"),
        ("dollars", -0.000000123, "-$0.000123"),
        ("dollars", 0.0, "$0.00"),
        ("tokens", -1204.0, "-1,204"),
    ],
)
def test_a_change_has_its_sign(unit: str, value: float, expected: str) -> None:
    assert change(METRICS[unit], value) == expected


@pytest.mark.parametrize(
    ("unit", "expected"), [("share", "[-0.012, +0.075]"), ("binary", "[-1.2, +7.5]"), ("dollars", "[-$12.00, +$75.00]")]
)
def test_an_interval_shares_the_unit_of_its_change(unit: str, expected: str) -> None:
    estimate = Estimate(value=0.03, low=-0.012, high=0.075, method="")
    assert interval(METRICS[unit], estimate) == expected


def test_an_interval_without_an_end_is_unknown() -> None:
    estimate = Estimate(value=0.03, low=-math.inf, high=math.inf, method="")
    assert interval(METRICS["share"], estimate) == "[unknown]"
    assert between(METRICS["share"], estimate) == between(METRICS["share"], None) == "unknown"


def test_the_bounds_of_a_value_have_its_unit() -> None:
    assert between(METRICS["binary"], Estimate(value=0.43, low=0.412, high=0.48, method="")) == "41.2 % to 48.0 %"


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        (0.0, "< .001"),
        (0.00099, "< .001"),
        (0.0083, ".008"),
        (0.05, ".050"),
        (0.234, ".23"),
        (0.99, ".99"),
        (1.0, "> .99"),
        (math.nan, "unknown"),
    ],
)
def test_a_probability_has_no_more_digits_than_matter(p: float, expected: str) -> None:
    assert probability(p) == expected


def test_a_level_is_written_as_it_is() -> None:
    assert [level(alpha) for alpha in (0.05, 0.0125, 0.05 / 3)] == [".05", ".0125", ".0167"]
