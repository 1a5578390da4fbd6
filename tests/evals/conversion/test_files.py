"""Items are found in every syntax, by the name of the file or by its look, and a fault has its line."""

import json
from pathlib import Path

import pytest

from evals.conversion import convert
from rag.errors import GroundwireError

ROWS = [{"question": "Why?", "answer": "because"}, {"question": "How, then?", "answer": "so"}]
JSONL = "".join(json.dumps(row) + "\n" for row in ROWS)
CSV = 'question,answer\nWhy?,because\n"How, then?",so\n'
YAML = "- {question: Why?, answer: because}\n- question: How, then?\n  answer: so\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", json.dumps(ROWS)),
        ("a.json", json.dumps({"version": 1, "data": ROWS}, indent=2)),
        ("a.json", JSONL),
        ("a.jsonl", JSONL),
        ("a.NDJSON", JSONL.replace("\n", "\r\n") + "\n"),
        ("a.csv", CSV),
        ("a.csv", "\ufeff" + CSV.replace("\n", "\r\n")),
        ("a.csv", CSV.replace("question,answer", "question;answer").replace("Why?,", "Why?;").replace('",', '";')),
        ("a.tsv", "question\tanswer\n\nWhy?\tbecause\nHow, then?\tso\n"),
        ("a.yaml", YAML),
        ("a.yml", "questions:\n" + YAML),
        ("a.txt", CSV),
        ("a.txt", JSONL),
        ("a", json.dumps(ROWS)),
        ("a.conf", YAML),
    ],
)
def test_the_same_items_in_every_syntax(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_bytes(text.encode())
    assert [(case.question, case.references) for case in convert(tmp_path / name).cases] == [
        ("Why?", ("because",)),
        ("How, then?", ("so",)),
    ]


def test_one_object_is_one_item(tmp_path: Path) -> None:
    row = {"question": "Why?", "history": [{"role": "user", "content": "It rains."}]}
    (tmp_path / "a.json").write_text(json.dumps(row))
    assert len(convert(tmp_path / "a.json").cases) == 1


def test_nan_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"question": "Why?", "answer": NaN}\n')
    assert convert(tmp_path / "a.jsonl").cases[0].references == ()


@pytest.mark.parametrize(
    ("cell", "references"),
    [
        ('"[""a"", ""b, c""]"', ("a", "b, c")),
        ("\"['a', 'b']\"", ("a", "b")),
        ('"{""text"": [""a""], ""answer_start"": [3]}"', ("a",)),
        ("[1] a", ("[1] a",)),
        ("[5]", ("[5]",)),
        ("[a", ("[a",)),
        ("{a", ("{a",)),
        (" a ", ("a",)),
        ('"two\nlines"', ("two\nlines",)),
        ("", ()),
        ("[]", ()),
    ],
)
def test_a_cell_holds_one_text_or_a_list(tmp_path: Path, cell: str, references: tuple[str, ...]) -> None:
    (tmp_path / "a.csv").write_text(f"question,references\nWhy?,{cell}\n")
    assert convert(tmp_path / "a.csv").cases[0].references == references


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.jsonl", JSONL + "{\n", r"a\.jsonl:3: not JSON \(Expecting property name"),
        ("a.jsonl", JSONL + "[1]\n", r"a\.jsonl:3: question: is missing"),
        ("a.json", '[\n{"question": "Why?"}\n{"question": "How?"}\n]', r"a\.json:3: not JSON \(Expecting ',' delimiter\)"),
        ("a.json", "{}", "holds no list of cases"),
        ("a.json", "3", "holds no list of cases"),
        ("a.json", "", r"a\.json:1: not JSON"),
        ("a.yaml", "- question: Why?\n- question: [How?\n", r"a\.yaml:\d: not YAML"),
        ("a.yaml", "- {question: !!python/name:os.system }", r"a\.yaml:1: not YAML \(could not determine a constructor"),
        ("a.yaml", "- question: \x07", "not YAML"),
        ("a.yaml", "? [a]\n: b\n", "not YAML|no list"),
        ("a.yaml", "", "holds no list of cases"),
        ("a.txt", "Just some text.", "holds no list of cases"),
        ("a.csv", "", "has no cases"),
        ("a.csv", "question,answer\n", "has no cases"),
        ("a.csv", CSV + '"two\nlines",x\n,y\n', r"a\.csv:6: question: is missing"),
        ("a.csv", CSV + "Who?,me,too\n", r"a\.csv:4: 3 cells, and the header has 2: put cells"),
        ("a.csv", CSV + '"Who?,me\n', r"a\.csv:4: unexpected end of data: close the double quotes"),
        ("a.csv", "question,answer,answer\nWhy?,a,b\n", r"a\.csv:1: two columns are called 'answer': make them one"),
        ("a.csv", "Frage,Antwort\nWarum?,darum\n", r"a\.csv:2: question: is missing: call it question or"),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path: Path, name: str, text: str, problem: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(GroundwireError, match=problem):
        convert(tmp_path / name)


def test_an_older_encoding_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("question\nWarum fährt er?\n".encode("latin-1"))
    with pytest.raises(GroundwireError, match=r"a\.csv:2: not UTF-8"):
        convert(tmp_path / "a.csv")
