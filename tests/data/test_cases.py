"""The guide's questions: unique, answered by the pages they name, and some of them by none."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "data" / "cases" / "guide.jsonl").read_text(encoding="utf-8").splitlines()
CASES: list[dict[str, Any]] = [json.loads(line) for line in LINES]
ANSWERABLE = [case for case in CASES if case["answerable"]]
FIELDS = {"id", "question", "references", "gold_ids", "answerable", "tags"}
KINDS = {"fact", "how-to", "definition", "why"}
CODE = re.compile(r"`([^`]+)`")
NUMBER = re.compile(r"\d[\d.,]*\d|\d")


def test_there_are_enough_and_enough_that_nothing_answers() -> None:
    assert len(CASES) >= 80
    assert len(CASES) - len(ANSWERABLE) >= 15


def test_ids_and_questions_are_unique() -> None:
    for field in ("id", "question"):
        values = [case[field] for case in CASES]
        assert len(set(values)) == len(values)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_case_has_the_fields_of_a_case(case: dict[str, Any]) -> None:
    assert case.keys() == FIELDS
    assert case["question"].strip() == case["question"] != ""
    assert case["tags"].keys() == {"topic", "kind"}
    assert case["tags"]["kind"] in KINDS
    assert bool(case["references"]) == bool(case["gold_ids"]) == case["answerable"]


@pytest.mark.parametrize("case", ANSWERABLE, ids=lambda case: case["id"])
def test_its_gold_pages_hold_every_name_and_number_of_its_references(case: dict[str, Any]) -> None:
    pages = "\n".join((ROOT / gold).read_text(encoding="utf-8") for gold in case["gold_ids"])
    for reference in case["references"]:
        for fact in CODE.findall(reference) + NUMBER.findall(reference):
            assert fact in pages, f"{fact} is in none of {case['gold_ids']}"


def test_every_page_but_the_contents_answers_a_question() -> None:
    asked = {gold for case in ANSWERABLE for gold in case["gold_ids"]}
    pages = {page.relative_to(ROOT).as_posix() for page in (ROOT / "data" / "corpus").glob("*.md")}
    assert asked == pages - {"data/corpus/index.md"}


def test_no_question_is_a_sentence_of_the_guide() -> None:
    guide = " ".join(page.read_text(encoding="utf-8").casefold() for page in (ROOT / "data" / "corpus").glob("*.md"))
    for case in CASES:
        assert len(case["question"].split()) < 3 or case["question"].casefold() not in guide
