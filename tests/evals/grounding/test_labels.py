"""Labels are read, sampled and cut into passages without loss; what is wrong with a file is said."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.grounding.labels import PASSAGE_WORDS, Label, LabelSet, load, load_sets, passages, probability, sample
from rag.errors import GroundwireError
from rag.types import Claim, Verdict

ROW: dict[str, object] = {
    "id": "a",
    "context": "The pump runs.",
    "question": None,
    "response": "It runs.",
    "label": 0,
    "spans": None,
    "source": "s",
    "meta": {},
}


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def label(id: str) -> Label:
    return Label(id=id, context="c", response="r", label=0)


def claim(probability: float | None) -> Claim:
    return Claim(text="x", start=0, end=1, verdict=Verdict.UNCERTAIN, score=0.4, probability=probability, reason="")


def test_labels_are_read_in_order(tmp_path: Path) -> None:
    marked = {**ROW, "id": "b", "label": 1, "spans": [[0, 2, "unsupported"]], "meta": {"model": "t5"}, "else": 1}
    first, second = load(write(tmp_path / "x.jsonl", ROW, "", marked))
    assert (first.id, first.hallucinated, first.question) == ("a", False, None)
    assert (second.id, second.hallucinated, second.spans, second.meta) == ("b", True, ([0, 2, "unsupported"],), {"model": "t5"})


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("nonsense", "not JSON (expected ident at column 2)"),
        ("[1]", "not a JSON object"),
        ({**ROW, "label": 2}, "label: input should be 0 or 1"),
        ({**ROW, "context": 3}, "context: input should be a valid string"),
        ({key: value for key, value in ROW.items() if key != "response"}, "response: is missing"),
    ],
)
def test_a_line_that_is_no_label_is_named(tmp_path: Path, line: object, problem: str) -> None:
    with pytest.raises(GroundwireError) as caught:
        load(write(tmp_path / "x.jsonl", ROW, line))
    assert caught.value.problem == f"{tmp_path / 'x.jsonl'}:2: {problem}"
    assert caught.value.mend


def test_a_file_without_labels_is_told(tmp_path: Path) -> None:
    with pytest.raises(GroundwireError, match="has no labels"):
        load(write(tmp_path / "x.jsonl", ""))


def test_a_folder_is_its_jsonl_files(tmp_path: Path) -> None:
    write(tmp_path / "frank_b.jsonl", ROW), write(tmp_path / "a.jsonl", ROW)
    (tmp_path / "README.md").write_text("labels")
    (tmp_path / "rows.txt").write_text("nonsense")
    assert [found.name for found in load_sets(tmp_path)] == ["a", "frank_b"]


def test_a_folder_without_labels_is_told(tmp_path: Path) -> None:
    with pytest.raises(GroundwireError, match="holds no label set"):
        load_sets(tmp_path)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("begin_wow", "begin"),
        ("faithdial_audit", "begin"),
        ("frank_xsum", "xsum"),
        ("xsum_hallucination", "xsum"),
        ("wice", "wice"),
    ],
)
def test_sets_that_share_texts_are_a_family(name: str, family: str) -> None:
    assert LabelSet(name, []).family == family


def test_a_larger_sample_extends_a_smaller_one() -> None:
    labels = [label(str(number)) for number in range(100)]
    small, large = sample(labels, 10, 1), sample(labels, 40, 1)
    assert large[:10] == small
    assert {one.id for one in small} != {one.id for one in sample(labels, 10, 2)}
    assert [one.id for one in small] != [str(number) for number in range(10)]


def test_a_short_context_is_one_passage() -> None:
    (passage,) = passages("  One line.\n\nAnother.\n")
    assert (passage.number, passage.text, passage.start) == (1, "One line.\n\nAnother.", 2)


def test_a_long_context_is_cut_between_paragraphs() -> None:
    paragraph = "word " * (PASSAGE_WORDS // 2)
    found = passages("\n\n".join([paragraph] * 5))
    assert [len(passage.text.split()) // len(paragraph.split()) for passage in found] == [2, 2, 1]
    assert [passage.number for passage in found] == [1, 2, 3]


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    found = passages("The pump of the boiler runs on every second day. " * 100)
    assert len(found) == 5
    assert all(passage.text.startswith("The pump") and passage.text.endswith("day.") for passage in found)


def test_chinese_is_cut_as_well() -> None:
    assert len(passages("水泵每天运行两次。" * 200)) > 2


@settings(deadline=None)
@given(st.text(alphabet="a. \n\u3002水", max_size=3000))
def test_nothing_is_lost(context: str) -> None:
    found = passages(context)
    assert "".join("".join(passage.text for passage in found).split()) == "".join(context.split())
    assert all(context[passage.start : passage.end] == passage.text for passage in found)


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [([], 0.5), ([0.8], 0.8), ([0.9, 0.1], (0.1 + 0.5) / 2), ([None, 0.9], (0.5 + 0.7) / 2), ([None], None)],
)
def test_a_response_is_between_its_least_claim_and_their_mean(probabilities: list[float | None], expected: float | None) -> None:
    assert probability([claim(value) for value in probabilities]) == pytest.approx(expected)


def test_a_long_claim_counts_more() -> None:
    long, short = claim(0.9), claim(0.1)
    assert probability([long.model_copy(update={"text": long.text * 9}), short]) == pytest.approx((0.1 + 0.82) / 2)
