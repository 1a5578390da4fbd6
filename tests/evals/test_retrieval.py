"""Sets with known answers are measured, and what is measured is right."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evals.cli import app
from evals.jsonl import read
from evals.retrieval import QUESTIONS as FILE
from evals.retrieval import Question, Result, evaluate, sets
from rag.errors import GroundwireError

PUMPS = {
    "pump": "The pump starts when the tank is full.",
    "valve": "The valve closes at three bar.",
    "sensor": "A sensor reports the temperature of the boiler.",
    "motor": "The motor is lubricated every week.",
}


def write(folder: Path, questions: Sequence[Mapping[str, object]], corpus: Mapping[str, str] = PUMPS) -> Path:
    folder.mkdir(parents=True)
    rows = [{"id": id, "title": "", "text": text} for id, text in corpus.items()]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions))
    return folder


def asked(id: str, question: str, *gold: str) -> dict[str, object]:
    return {"id": id, "question": question, "gold_ids": list(gold) or None, "answers": [], "answerable": bool(gold)}


QUESTIONS = [
    asked("1", "When does the pump start?", "pump"),
    asked("2", "What does the sensor report?", "sensor"),
    asked("3", "Why?"),
]


def test_a_set_is_measured_in_every_mode(tmp_path: Path) -> None:
    result = evaluate(write(tmp_path / "pumps", QUESTIONS), "hash")
    assert (result.name, result.documents, result.chunks, result.questions) == ("pumps", 4, 4, 2)
    assert set(result.modes) == {"lexical", "dense", "hybrid"}
    assert result.modes["lexical"].ndcg_10 == 1
    assert result.modes["hybrid"].recall_5 == 1
    assert all(figures.ms > 0 for figures in result.modes.values())


def test_a_wrong_ranking_shows(tmp_path: Path) -> None:
    result = evaluate(write(tmp_path / "pumps", [asked("1", "When does the pump start?", "motor")]), "hash")
    assert result.modes["lexical"].mrr_10 < 1


def test_grades_are_gains(tmp_path: Path) -> None:
    graded = {**asked("1", "pump or valve", "pump", "valve"), "grades": {"pump": 3}}
    (placed,) = read(write(tmp_path / "pumps", [graded]) / FILE, Question)
    assert placed.value.gains == {"pump": 3, "valve": 1}


def test_a_document_stands_where_its_best_chunk_does(tmp_path: Path) -> None:
    long = " ".join(f"The pump number {number} starts at {number} bar and stops soon after." for number in range(200))
    result = evaluate(write(tmp_path / "pumps", [asked("1", "pump starts tank full", "pump")], {**PUMPS, "long": long}), "hash")
    assert result.chunks > result.documents == 5
    assert result.modes["lexical"].recall_5 == 1


@pytest.mark.parametrize("text", ["text", "content"])
def test_a_question_brings_what_it_rests_on(tmp_path: Path, text: str) -> None:
    history = [
        {"role": "user", text: "What does the sensor report?"},
        {"role": "agent", text: "The pump starts when the tank is full."},
    ]
    questions = [{**asked("1", "And how often?", "sensor"), "history": history}, asked("2", "And how often?", "sensor")]
    result = evaluate(write(tmp_path / "pumps", questions), "hash")
    assert result.modes["lexical"].mrr_10 == 0.5
    first, second = (question for _, question in read(tmp_path / "pumps" / FILE, Question))
    assert (first.query, second.query) == ("And how often?\nWhat does the sensor report?", "And how often?")


def test_the_sets_of_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "b", QUESTIONS), write(tmp_path / "a", QUESTIONS)
    (tmp_path / "notes").mkdir()
    assert [path.name for path in sets(tmp_path)] == ["a", "b"]


def test_a_folder_without_sets_is_told(tmp_path: Path) -> None:
    with pytest.raises(GroundwireError, match="holds no retrieval set"):
        sets(tmp_path)


@pytest.mark.parametrize("line", ["not json", '{"id": "1"}', '["a"]', '{"id": "1", "question": "?", "gold_ids": "a"}'])
def test_a_line_that_is_no_question_is_named(tmp_path: Path, line: str) -> None:
    folder = write(tmp_path / "pumps", QUESTIONS[:1])
    with (folder / "questions.jsonl").open("a") as file:
        file.write(line)
    with pytest.raises(
        GroundwireError, match=r"questions\.jsonl:2: (not JSON|not a JSON object|question: is missing|gold_ids: input should be)"
    ):
        evaluate(folder, "hash")


def test_questions_without_gold_are_told(tmp_path: Path) -> None:
    with pytest.raises(GroundwireError, match="no question with gold_ids"):
        evaluate(write(tmp_path / "pumps", QUESTIONS[2:]), "hash")


def test_the_command_prints_a_table_or_json(tmp_path: Path) -> None:
    write(tmp_path / "pumps", QUESTIONS)
    shown = CliRunner().invoke(app, ["retrieval", str(tmp_path), "--embedder", "hash"])
    assert shown.exit_code == 0, shown.output
    assert "nDCG@10" in shown.stdout
    assert "pumps" in shown.stdout
    line = CliRunner().invoke(app, ["retrieval", str(tmp_path), "--embedder", "hash", "--json"]).stdout
    assert Result.model_validate_json(line).modes["lexical"].ndcg_10 == 1


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    folder = write(tmp_path / "pumps", [{"id": "1", "question": "What is a\u2028pump?", "gold_ids": ["pump"]}])
    file = folder / "questions.jsonl"
    file.write_text(
        json.dumps({"id": "1", "question": "What is a\u2028pump?", "gold_ids": ["pump"]}, ensure_ascii=False) + "\n",
        encoding="utf-8",
    )
    assert [question.question for _, question in read(file, Question)] == ["What is a\u2028pump?"]
