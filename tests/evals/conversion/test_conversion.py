"""What other tools keep becomes cases; what cannot be carried over is told."""

import json
from pathlib import Path
from typing import Any

import pytest

from evals.cases import Case, append, read
from evals.conversion import convert
from rag.errors import GroundwireError
from rag.types import Message

ROOT = Path(__file__).parents[3]
SETS = sorted((ROOT.parent / "shared" / "data" / "retrieval").glob("*/questions.jsonl"))


def converted(folder: Path, *rows: dict[str, Any]) -> list[Case]:
    path = folder / "rows.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    return convert(path).cases


def notes(folder: Path, *rows: dict[str, Any]) -> list[str]:
    converted(folder, *rows)
    return [note.removeprefix(f"{folder / 'rows.json'}: ") for note in convert(folder / "rows.json").notes]


def test_our_own_format_passes_through() -> None:
    guide = ROOT / "data" / "cases" / "guide.jsonl"
    assert convert(guide) == (read(guide), [])


@pytest.mark.skipif(not SETS, reason="no sets in ../shared/data/retrieval")
@pytest.mark.parametrize("path", SETS, ids=lambda path: path.parent.name)
def test_a_real_set_is_converted_whole(path: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    cases = convert(path).cases
    assert [(case.id, case.question, case.answerable) for case in cases] == [
        (row["id"], row["question"], row["answerable"]) for row in rows
    ]
    assert [set(case.references) for case in cases] == [set(row["answers"]) for row in rows]
    assert [case.gold_ids for case in cases] == [tuple(row["gold_ids"] or ()) for row in rows]
    assert [len(case.history) for case in cases] == [len(row.get("history", ())) for row in rows]
    assert {message.role for case in cases for message in case.history} <= {"user", "assistant"}
    append(cases, tmp_path / "cases.jsonl")
    assert read(tmp_path / "cases.jsonl") == cases


def test_a_sample_of_ragas(tmp_path: Path) -> None:
    row = {
        "user_input": "How long?",
        "reference": "24 months",
        "reference_contexts": ["Kettles are covered."],
        "reference_context_ids": ["kettles.md", 7],
        "retrieved_contexts": ["Kettles are covered."],
        "response": "Long.",
        "rubrics": None,
    }
    (case,) = converted(tmp_path, row)
    assert (case.question, case.references, case.gold_ids) == ("How long?", ("24 months",), ("kettles.md", "7"))
    assert notes(tmp_path, row) == [
        f"item 1: `{name}` is left out" for name in ("reference_contexts", "retrieved_contexts", "response")
    ]


def test_the_answer_beside_a_ground_truth_is_a_models(tmp_path: Path) -> None:
    row = {"question": "How long?", "answer": "Long.", "contexts": ["c"], "ground_truths": ["24 months", "Two years"]}
    assert converted(tmp_path, row)[0].references == ("24 months", "Two years")
    assert notes(tmp_path, row) == ["item 1: `answer` is left out", "item 1: `contexts` is left out"]
    assert converted(tmp_path, {**row, "ground_truths": []})[0].references == ()


def test_a_conversation_asks_with_its_last_question(tmp_path: Path) -> None:
    said = [("human", "Hello"), ("ai", "Hi"), ("human", "How long?"), ("ai", "24 months")]
    row = {"user_input": [{"type": role, "content": text} for role, text in said], "reference": "24 months"}
    (case,) = converted(tmp_path, row)
    assert case.question == "How long?"
    assert case.history == (Message(role="user", content="Hello"), Message(role="assistant", content="Hi"))
    assert notes(tmp_path, row) == ["item 1: what was said after the last question is left out"]


def test_squad(tmp_path: Path) -> None:
    known = {"id": "1", "question": "How long?", "answers": {"text": ["24", "24", "two years"], "answer_start": [0, 0, 3]}}
    unknown = {"id": "2", "question": "How wide?", "answers": {"text": [], "answer_start": []}}
    flagged = {"id": "3", "question": "How tall?", "answers": [], "is_impossible": True}
    cases = converted(tmp_path, known, unknown, flagged, {**flagged, "id": "4", "is_impossible": False})
    assert [(case.references, case.answerable) for case in cases] == [
        (("24", "two years"), True),
        ((), False),
        ((), False),
        ((), True),
    ]


def test_nothing_told_is_answerable(tmp_path: Path) -> None:
    assert converted(tmp_path, {"question": "?", "answer": None, "gold_ids": None, "answerable": None})[0].answerable


@pytest.mark.parametrize("name", ["question", "Question", "user_input", "User Input", "userInput", "user-input", "query"])
def test_a_name_is_known_however_it_is_written(tmp_path: Path, name: str) -> None:
    assert converted(tmp_path, {name: "Why?"})[0].question == "Why?"


def test_numbers_are_answers_and_ids(tmp_path: Path) -> None:
    (case,) = converted(tmp_path, {"id": 7, "question": "How many?", "answers": [308, 4.5, True]})
    assert (case.id, case.references) == ("7", ("308", "4.5", "true"))


def test_metadata_are_tags(tmp_path: Path) -> None:
    row = {"question": "?", "metadata": {"topic": "a", "level": 3, "parts": ["x", "y"], "nothing": None, "deep": {"a": {}}}}
    assert converted(tmp_path, row)[0].tags == {"topic": "a", "level": "3", "parts.x": "yes", "parts.y": "yes"}
    assert notes(tmp_path, row) == ["item 1: tag `deep` is left out: it is no text"]
    assert converted(tmp_path, {"question": "?", "tags": ["x", "y"]})[0].tags == {"x": "yes", "y": "yes"}
    assert converted(tmp_path, {"question": "?", "tags": "x"})[0].tags == {"x": "yes"}


def test_a_filter_is_kept_and_a_text_of_that_name_is_none(tmp_path: Path) -> None:
    assert converted(tmp_path, {"question": "?", "where": {"year": 2024}})[0].where == {"year": 2024}
    assert converted(tmp_path, {"question": "?", "where": "Paris"})[0].where == {}
    (note,) = notes(tmp_path, {"question": "?", "where": "Paris"})
    assert "`where` is left out" in note


def test_a_case_without_an_id_keeps_its_name_wherever_it_stands(tmp_path: Path) -> None:
    first, second = {"question": "Why?"}, {"question": "How?"}
    names = {case.question: case.id for case in converted(tmp_path, first, second)}
    assert {case.question: case.id for case in converted(tmp_path, second, first)} == names
    assert [case.id for case in converted(tmp_path, first, first)] == [names["Why?"], f"{names['Why?']}-2"]
    (after,) = converted(tmp_path, {**first, "history": [{"role": "user", "content": "It rains."}]})
    assert after.id != names["Why?"]


def test_ids_given_twice_are_a_fault(tmp_path: Path) -> None:
    with pytest.raises(GroundwireError, match=r"item 2: id: a is that of .*item 1 too"):
        converted(tmp_path, {"id": "a", "question": "Why?"}, {"id": "a", "question": "How?"})


def test_all_items_at_fault_are_told_and_nothing_is_converted(tmp_path: Path) -> None:
    good = {"question": "Why?"}
    bad: list[dict[str, Any]] = [{"question": " "}, {"text": "?"}, {"question": "?", "answers": [{"a": 1}]}]
    with pytest.raises(GroundwireError) as raised:
        converted(tmp_path, good, *bad, {"question": "?", "answerable": "perhaps"}, {"question": "?", "is_impossible": "perhaps"})
    for expected in (
        "item 2: question: is empty",
        "item 3: question: is missing",
        "item 4: references.0: input",
        "answerable: input",
    ):
        assert expected in raised.value.problem
    assert "call it question or user_input or query" in raised.value.mend


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    assert notes(tmp_path, *({"question": f"{number}?", "source_file": "x"} for number in range(9))) == [
        "item 1: `source_file` is left out, and 8 more"
    ]


def test_no_items_are_no_cases(tmp_path: Path) -> None:
    with pytest.raises(GroundwireError, match=r"rows\.json has no cases"):
        converted(tmp_path)
