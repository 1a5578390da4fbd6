"""Which questions rest on what was said before: a labelled set in six languages, half of it never looked at while the words were chosen."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rag.conversation.followup import follows
from rag.relevance import OUT_OF_DOMAIN

ROWS: list[dict[str, Any]] = [
    json.loads(line) for line in Path(__file__).with_name("conversations.jsonl").read_text(encoding="utf-8").splitlines()
]


def rests(row: dict[str, Any]) -> bool:
    return follows(row["question"], row["history"][-2]["content"])


@pytest.mark.parametrize("held", [False, True])
def test_precision_and_recall(held: bool) -> None:
    rows = [row for row in ROWS if row["held"] is held]
    assert len(rows) > 50
    found, due = [row for row in rows if rests(row)], [row for row in rows if row["depends"]]
    right = sum(row["depends"] for row in found)
    assert right / len(found) > 0.95
    assert right / len(due) > 0.95


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "ru", "zh"])
def test_no_language_is_left_behind(language: str) -> None:
    rows = [row for row in ROWS if row["language"] == language]
    assert {row["depends"] for row in rows} == {True, False}
    assert sum(rests(row) == row["depends"] for row in rows) >= 0.9 * len(rows)


def test_hardly_any_question_that_stands_by_itself_is_taken_for_one_that_does_not() -> None:
    assert sum(follows(question) for question in OUT_OF_DOMAIN) <= 0.1 * len(OUT_OF_DOMAIN)


@pytest.mark.parametrize(
    ("question", "rests"),
    [
        ("Is it possible to pay in cash at the hotel?", False),
        ("What does it cost?", True),
        ("What is the process for applying for it?", True),
        ("Does the Prince of Wales have his own source of income?", False),
        ("Which is cheaper?", True),
        ("Which is cheaper, the train or the bus?", False),
        ("Thank you! That is fine. When does the museum in Leeds open?", False),
        ("Thanks!", True),
        ("What is photosynthesis?", False),
        ("What is the deadline?", True),
        ("Regional differences", True),
        ("What did the council of Leeds decide this year?", False),
        ("Können Sie mir sagen, wo ich ein Konto eröffne?", False),
        ("Haben Sie Fahrräder im Laden in Hamburg?", False),
        ("Wo ist sie geboren?", True),
        ("它和电热水壶有什么不同？", True),
        ("火星车在火星上发现了什么，它怎么充电？", False),
        ("ما هي عاصمة منغوليا؟", False),
        ("\u2019s", True),
        ("?", True),
        ("", True),
    ],
)
def test_single_questions(question: str, rests: bool) -> None:
    assert follows(question) is rests


def test_what_was_asked_before_tells_the_language() -> None:
    assert follows("Und sie?", "Wie lange gilt die Garantie?")
    assert follows("¿Y la otra?", "¿Cuánto cuesta la primera?")


@pytest.mark.parametrize("change", [str.upper, str.title, lambda text: f"  {text}\n", lambda text: text.replace("'", "\u2019")])
def test_case_and_white_space_change_nothing(change: Callable[[str], str]) -> None:
    assert follows(change("And what's the second one's price?"))
    assert not follows(change("When does the museum in Leeds open on weekdays?"))
