"""Which metadata a filter matches, and what is told of a filter that nothing matches."""

import pytest

from rag.stores.facets import facets, unmet, wanted
from rag.types import Metadata, Scalar

ROW: Metadata = {"year": "2024", "zip": "01067", "price": "39.90", "sold": "true", "release": "1.10"}
"""As a CSV file has it."""
LINE: Metadata = {"year": 2024, "price": 39.9, "sold": True, "release": "1.1"}
"""As JSON has it."""


def matches(metadata: Metadata, key: str, value: Scalar) -> bool:
    [any_of] = wanted({key: value})
    return not set(any_of).isdisjoint(facets(metadata))


@pytest.mark.parametrize(
    ("key", "value", "row", "line"),
    [
        ("year", 2024, True, True),
        ("year", "2024", True, True),
        ("year", 2024.0, True, True),
        ("year", "2023", False, False),
        ("year", '"2024"', True, False),
        ("zip", "01067", True, False),
        ("zip", 1067, False, False),
        ("price", "39.90", True, True),
        ("price", 39.9, False, True),
        ("sold", True, True, True),
        ("sold", "true", True, True),
        ("sold", 1, False, False),
        ("release", "1.10", True, False),
        ("release", "1.1", False, True),
        ("year", "1e999", False, False),
        ("year", "NaN", False, False),
        ("year", "[" * 100_000, False, False),
    ],
)
def test_a_value_is_matched_as_such_and_as_it_is_written(key: str, value: Scalar, row: bool, line: bool) -> None:
    assert (matches(ROW, key, value), matches(LINE, key, value)) == (row, line)


def test_what_nothing_has_is_told() -> None:
    assert unmet({"year": ["2024"], "colour": ["red"], "price": [1, 2.0]}, [ROW, LINE]) == (
        ["colour", "price=1 or 2"],
        {*ROW, *LINE},
    )
    assert unmet({"colour": "red"}, []) == (["colour"], set())
