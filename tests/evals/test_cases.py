"""A file of cases is read whole or not at all, and what is written is what was meant."""

import hashlib
import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.cases import Case, append, fingerprint, gold_missing, read, sample, write
from rag.errors import GroundwireError
from rag.types import Message

GUIDE = Path(__file__).parents[2] / "data" / "cases" / "guide.jsonl"
CASES = [Case(id=f"c{number}", question=f"Question {number}?") for number in range(140)]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
words = texts.filter(str.strip)
messages = st.builds(Message, role=st.sampled_from(["user", "assistant"]), content=texts)
some_cases = st.lists(
    st.builds(
        Case,
        id=words,
        question=words,
        references=st.lists(texts, max_size=3).map(tuple),
        gold_ids=st.lists(texts, max_size=3).map(tuple),
        answerable=st.booleans(),
        tags=st.dictionaries(texts, texts, max_size=2),
        history=st.lists(messages, max_size=2).map(tuple),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda case: case.id,
)


def file(folder: Path, *lines: str | dict[str, object]) -> Path:
    path = folder / "cases.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


def row(id: str = "a", question: str = "Why?", **fields: object) -> dict[str, object]:
    return {"id": id, "question": question, **fields}


@settings(deadline=None)
@given(cases=some_cases)
def test_what_is_written_is_read_again(cases: list[Case], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("cases") / "cases.jsonl"
    write(cases, path)
    assert read(path) == cases


def test_the_guides_cases_are_read_and_written_byte_for_byte(tmp_path: Path) -> None:
    cases = read(GUIDE)
    assert len(cases) == len(GUIDE.read_text(encoding="utf-8").splitlines())
    write(cases, tmp_path / "copy.jsonl")
    assert (tmp_path / "copy.jsonl").read_bytes() == GUIDE.read_bytes()


def test_a_question_is_all_that_a_case_needs(tmp_path: Path) -> None:
    assert read(file(tmp_path, row())) == [Case(id="a", question="Why?", answerable=True)]


def test_a_mark_blank_lines_and_carriage_returns_are_tolerated(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"id": "a", "question": "Why?"}\r\n\r\n  \n{"id": "b", "question": "How?"}')
    assert [case.id for case in read(path)] == ["a", "b"]


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    assert read(file(tmp_path, '{"id": "a", "question": "Why\u2028not?"}'))[0].question == "Why\u2028not?"


@pytest.mark.parametrize(
    ("line", "problem", "mend"),
    [
        ("{", "not JSON", "one JSON object"),
        ("[1]", "not a JSON object", "`evals convert`"),
        ('{"id": "x"}', "question: is missing", "give it a question"),
        ('{"id": "x", "question": " "}', "question: is empty", "write the question"),
        ('{"id": "", "question": "?"}', "id: is empty", "write the id"),
        ('{"id": 7, "question": "?"}', "id: input should be a valid string", "mend the id"),
        ('{"id": "x", "question": "?", "refs": []}', "refs: unknown field", "the fields are id, question, references"),
        ('{"id": "x", "question": "?", "references": "y"}', "references: input", "mend the references"),
        ('{"id": "x", "question": "?", "tags": {"a": 1}}', "tags.a: input", "mend the tags.a"),
        ('{"id": "x", "question": "?", "history": [{"role": "user"}]}', "history.0.content: is missing", "give it"),
        ('{"id": "x", "question": "\\ud800"}', "not JSON", "one JSON object"),
        ('{"id": "a", "question": "?"}', "id: a is that of .*:1 too", "an id of its own"),
    ],
)
def test_a_line_at_fault_is_named_with_its_mend(tmp_path: Path, line: str, problem: str, mend: str) -> None:
    with pytest.raises(GroundwireError, match=rf"cases\.jsonl:3: {problem}.*: .*{mend}") as raised:
        read(file(tmp_path, row(), "", line))
    assert "\n" not in str(raised.value)


def test_all_lines_at_fault_are_counted_and_the_first_named(tmp_path: Path) -> None:
    with pytest.raises(GroundwireError) as raised:
        read(file(tmp_path, row(), *["{"] * 8))
    assert raised.value.problem.count("not JSON") == 5
    assert "cases.jsonl:6: " in raised.value.problem
    assert raised.value.problem.endswith("; and 3 more")
    assert raised.value.mend.count("one JSON object") == 1


def test_a_file_that_is_not_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_bytes(b'{"id": "a", "question": "Why?"}\n{"id": "b", "question": "caf\xe9"}\n')
    with pytest.raises(GroundwireError, match=r"cases\.jsonl:2: not UTF-8: save the file as UTF-8"):
        read(path)


@pytest.mark.parametrize("text", ["", "\n \n", "\ufeff"])
def test_an_empty_file_has_no_cases(tmp_path: Path, text: str) -> None:
    with pytest.raises(GroundwireError, match=r"cases\.jsonl has no cases"):
        read(file(tmp_path, text))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(GroundwireError, match="No such file"):
        read(tmp_path / "none.jsonl")
    with pytest.raises(GroundwireError, match="directory"):
        read(tmp_path)


def test_four_times_as_many_cases_take_four_times_as_long(tmp_path: Path) -> None:
    seconds = []
    for count in (10_000, 40_000):
        path = tmp_path / f"{count}.jsonl"
        write([Case(id=f"c{number}", question="Why is that so? " * 5, references=("x" * 100,)) for number in range(count)], path)
        started = time.process_time()
        assert len(read(path)) == count
        seconds.append(time.process_time() - started)
    assert seconds[1] < 9 * seconds[0]  # sixteen times, where each is compared with all


def test_the_fingerprint_is_of_what_is_said_and_not_of_how_it_is_written() -> None:
    one = Case(id="a", question="Why?", tags={"x": "1", "y": "2"})
    two = Case(id="b", question="How?", references=("So.",))
    assert fingerprint([one, two]) == fingerprint([two, one.model_copy(update={"tags": {"y": "2", "x": "1"}})])
    for field, value in {"question": "Who?", "references": ("No.",), "gold_ids": ("d",), "answerable": False, "id": "c"}.items():
        assert fingerprint([one, two]) != fingerprint([one, two.model_copy(update={field: value})])
    assert fingerprint([one]) != fingerprint([one, two])


def test_the_fingerprint_is_the_same_on_every_machine() -> None:
    """And in every version: runs are found again by it."""
    said = rb'{"id": "a", "question": "W\u00e4rum?"}'
    assert fingerprint([Case(id="a", question="Wärum?")]) == hashlib.sha256(said + b"\n").hexdigest()


def test_a_larger_sample_extends_a_smaller_one() -> None:
    assert sample(CASES, 20, seed=1) == sample(CASES, 100, seed=1)[:20]
    assert sample(CASES, 20, seed=1) == sample(CASES[::-1], 20, seed=1)
    assert sample(CASES, 20, seed=1) != sample(CASES, 20, seed=2)
    assert sorted(sample(CASES, 1000, seed=1), key=CASES.index) == CASES


def test_every_case_is_as_likely_as_the_others() -> None:
    drawn = [case.id for seed in range(700) for case in sample(CASES, 20, seed)]
    expected = len(drawn) / len(CASES)
    chi_square = sum((drawn.count(case.id) - expected) ** 2 / expected for case in CASES)
    assert chi_square < 188, "the 99.7th percentile for 139 degrees of freedom, which sampling without replacement stays below"


def test_gold_that_is_gone_is_told_by_case() -> None:
    cases = [
        Case(id="a", question="?", gold_ids=("here", "gone", "lost")),
        Case(id="b", question="?", gold_ids=("here",)),
        Case(id="c", question="?"),
    ]
    assert gold_missing(cases, ["here"]) == {"a": ("gone", "lost")}


def test_appending_keeps_the_lines_that_are_there(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_bytes(b'{"question":   "Why?", "id": "a"}\r\n\n{"id": "b", "question": "How?"}')
    append([Case(id="c", question="Who?")], path)
    assert path.read_bytes().startswith(b'{"question":   "Why?", "id": "a"}\r\n\n{"id": "b", "question": "How?"}\n')
    assert [case.id for case in read(path)] == ["a", "b", "c"]


def test_appending_makes_the_file(tmp_path: Path) -> None:
    append(CASES, tmp_path / "new.jsonl")
    assert read(tmp_path / "new.jsonl") == CASES


@pytest.mark.parametrize(
    ("case", "problem"),
    [
        (Case(id="a", question="Who?"), r"the new case a: id: a is that of .*cases\.jsonl:1 too"),
        (Case(id="c", question=" why? "), r"the new case c: question: is that of .*cases\.jsonl:1 too"),
        (Case(id="new", question="Who?"), "the new case new: id: new is that of the new case new too"),
    ],
)
def test_appending_what_is_there_changes_nothing(tmp_path: Path, case: Case, problem: str) -> None:
    path = file(tmp_path, row())
    before = path.read_bytes()
    with pytest.raises(GroundwireError, match=problem):
        append([Case(id="new", question="What?"), case], path)
    assert path.read_bytes() == before


def test_a_set_may_ask_a_question_twice_of_different_documents(tmp_path: Path) -> None:
    twice = [Case(id="a", question="Why?", gold_ids=("x",)), Case(id="b", question="Why?", gold_ids=("y",))]
    append(twice, tmp_path / "cases.jsonl")
    assert read(tmp_path / "cases.jsonl") == twice


def test_the_same_question_after_another_history_is_another(tmp_path: Path) -> None:
    path = file(tmp_path, row())
    append([Case(id="b", question="Why?", history=(Message(role="user", content="It rains."),))], path)
    assert len(read(path)) == 2


def test_the_same_question_of_other_passages_is_another(tmp_path: Path) -> None:
    path = file(tmp_path, row())
    append([Case(id="b", question="Why?", where={"year": [2023, 2024]})], path)
    assert read(path)[1].where == {"year": [2023, 2024]}
    with pytest.raises(GroundwireError, match="case c is in .* already: nothing was added"):
        append([Case(id="c", question="Why?", where={"year": [2023, 2024]})], path)


def test_nothing_is_appended_to_a_file_at_fault(tmp_path: Path) -> None:
    path = file(tmp_path, "{")
    with pytest.raises(GroundwireError, match="not JSON"):
        append(CASES, path)
    assert path.read_text() == "{\n"


def test_a_write_that_fails_leaves_everything_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "cases.jsonl").mkdir()
    with pytest.raises(GroundwireError, match="cannot be written"):
        write(CASES, tmp_path / "cases.jsonl")
    with pytest.raises(GroundwireError, match="No such file"):
        write(CASES, tmp_path / "none" / "cases.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["cases.jsonl"]
