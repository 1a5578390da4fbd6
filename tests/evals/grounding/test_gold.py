"""Gold sentences are the ones that hold the answer, each once."""

import json
from pathlib import Path

import pytest

from evals.grounding.gold import gold_sentences
from rag.errors import GroundwireError

TEXT = "Die Pumpe läuft seit 1987. Sie wurde in Berlin gebaut. Der Kessel steht in Berlin."
QUESTION = {
    "id": "1",
    "question": "Wo?",
    "answers": ["Berlin"],
    "gold_ids": ["a"],
    "answerable": True,
    "answer_start": [TEXT.rindex("Berlin")],
}


def folder(path: Path, *questions: dict[str, object]) -> Path:
    (path / "corpus.jsonl").write_text(json.dumps({"id": "a", "title": "", "text": TEXT}) + "\n", encoding="utf-8")
    (path / "questions.jsonl").write_text("".join(json.dumps(question) + "\n" for question in questions), encoding="utf-8")
    return path


def test_the_sentence_with_the_answer_is_supported(tmp_path: Path) -> None:
    found = gold_sentences(
        folder(tmp_path, QUESTION, {**QUESTION, "id": "2"}, {**QUESTION, "id": "3", "answers": ["1987"], "answer_start": []})
    )
    assert found.name == tmp_path.name
    assert [(label.id, label.label, label.response, label.context) for label in found.labels] == [
        ("1", 0, "Der Kessel steht in Berlin.", TEXT),
        ("3", 0, "Die Pumpe läuft seit 1987.", TEXT),
    ]


def test_an_answer_that_is_not_in_the_passage_is_left_out(tmp_path: Path) -> None:
    other = {**QUESTION, "id": "2", "answers": ["Wien"], "answer_start": [3]}
    assert [label.id for label in gold_sentences(folder(tmp_path, other, QUESTION)).labels] == ["1"]


def test_a_set_without_answers_is_told(tmp_path: Path) -> None:
    with pytest.raises(GroundwireError, match="no question whose answer stands"):
        gold_sentences(folder(tmp_path, {**QUESTION, "answers": []}))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(GroundwireError, match=r"corpus\.jsonl cannot be read"):
        gold_sentences(tmp_path)


def test_a_line_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(GroundwireError, match=r"questions\.jsonl:2: id: input should be a valid string"):
        gold_sentences(folder(tmp_path, QUESTION, {"id": 4}))
