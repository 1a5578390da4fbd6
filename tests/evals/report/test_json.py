"""A comparison is the same after a journey through JSON, infinite bounds included."""

import json
from typing import NoReturn

import pytest

from evals.comparison import Comparison
from evals.measurement import Measurement
from tests.evals.report.samples import alone, minimal, nasty, rich


@pytest.mark.parametrize("comparison", [rich(), minimal()], ids=["rich", "minimal"])
def test_a_comparison_survives_json(comparison: Comparison) -> None:
    assert Comparison.model_validate_json(comparison.model_dump_json()) == comparison


@pytest.mark.parametrize("measurement", [alone(), alone().model_copy(update={"quantiles": ()})], ids=["alone", "few cases"])
def test_a_measurement_survives_json(measurement: Measurement) -> None:
    assert Measurement.model_validate_json(measurement.model_dump_json()) == measurement


def test_the_json_is_json_for_everyone() -> None:
    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} is not JSON")

    effect = json.loads(minimal().model_dump_json(), parse_constant=refuse)["effects"][0]
    assert effect["difference"]["high"] == "Infinity"
    assert effect["worst_case"] == ["-Infinity", "Infinity"]


def test_a_score_that_is_not_known_stays_so() -> None:
    again = Comparison.model_validate_json(nasty(2).model_dump_json())
    assert [flip.a.score != flip.a.score for flip in again.flips] == [False, True]
