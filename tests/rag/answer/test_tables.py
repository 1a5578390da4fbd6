import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer import tables

HEAD = "| Product | Price |\n|---|---|"


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ("| a | b |", ["a", "b"]),
        ("| a | b", ["a", "b"]),
        ("| a |  |", ["a", ""]),
        ("|  | b | [2]", ["", "b"]),
        (r"| a \| b | c |", [r"a \| b", "c"]),
    ],
)
def test_cells(row: str, cells: list[str]) -> None:
    assert tables.cells(row) == cells


@given(st.lists(st.sampled_from(["", "a", "b c"]), min_size=1, max_size=4))
def test_a_row_has_the_cells_that_it_was_made_of(cells: list[str]) -> None:
    assert tables.cells(tables.row(cells)) == cells


@pytest.mark.parametrize(
    ("text", "head"), [(HEAD, True), (f"{HEAD}\n| a | b |", True), ("| a | b |", False), ("| a |\n| b |", False)]
)
def test_a_head_is_its_names_and_a_rule(text: str, head: bool) -> None:
    assert tables.is_head(text) is head


def test_a_head_keeps_as_many_cells_as_its_rule_has() -> None:
    assert tables.headed(HEAD, lambda name: name == "Price") == "|  | Price |\n|---|---|"
    assert tables.headed(HEAD, lambda _: True) == HEAD


def test_a_citation_stands_in_the_last_cell() -> None:
    assert tables.cited("| a | b |", 2) == "| a | b [2] |"
    assert tables.cited("| a |  |", 2) == "| a | [2] |"
    assert tables.cited("| a | b", 2) == "| a | b [2]"


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("| **CSV** | a |", "| csv | b |", True),
        ("| CSV | a |", "| JSONL | a |", False),
        ("| CSV | a |", "| CSV | a | b |", False),
        ("|  | a |", "|  | a |", False),
    ],
)
def test_rows_of_one_name_are_alike(one: str, other: str, alike: bool) -> None:
    assert tables.alike(one, other) is alike
