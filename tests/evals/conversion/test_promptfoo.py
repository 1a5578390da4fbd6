"""A promptfoo configuration becomes cases; its checks that name no answer are told, not dropped."""

from pathlib import Path

import pytest

from evals.conversion import Conversion, convert
from rag.errors import GroundwireError

CONFIGURATION = """
description: The shop
prompts: [file://prompt.txt]
providers:
  - id: openai:gpt-4.1-mini
defaultTest:
  vars: {language: en}
  assert:
    - {type: latency, threshold: 2000}
  metadata: {team: shop}
tests:
  - description: The warranty
    vars:
      question: How long is the warranty?
    assert:
      - {type: icontains, value: 24 months}
    metadata: {topic: kettles, team: kettles}
  - vars: {query: Is the shop open on Sundays?, gold: no}
    assert:
      - {type: equals, value: "{{ gold }}"}
  - vars: {question: Who won in 1999?}
    assert:
      - type: is-refusal
"""


def converted(folder: Path, text: str, name: str = "promptfooconfig.yaml") -> Conversion:
    (folder / name).write_text(text, encoding="utf-8")
    return convert(folder / name)


def one(folder: Path, assertions: str) -> Conversion:
    return converted(folder, f"- vars: {{question: Why?, known: because}}\n  assert: [{assertions}]\n")


def test_tests_are_cases(tmp_path: Path) -> None:
    warranty, sundays, winner = converted(tmp_path, CONFIGURATION).cases
    assert (warranty.id, warranty.question, warranty.references) == ("The warranty", "How long is the warranty?", ("24 months",))
    assert sundays.references == ("no",)
    assert (winner.references, winner.answerable) == ((), False)
    assert (warranty.answerable, sundays.answerable) == (True, True)


WORDS = "names words of an answer, not an answer: f1 punishes whatever else is said; decide with --judge"


def test_defaults_are_part_of_every_test_and_give_way_to_it(tmp_path: Path) -> None:
    cases, notes = converted(tmp_path, CONFIGURATION)
    assert [case.tags for case in cases] == [{"topic": "kettles", "team": "kettles"}, {"team": "shop"}, {"team": "shop"}]
    place = tmp_path / "promptfooconfig.yaml"
    assert notes == [
        f"{place}:12: `latency` is left out: it names no answer, and 2 more",
        f"{place}:12: `icontains` {WORDS}",
        f"{place}:12: `language` is left out, and 2 more",
    ]


@pytest.mark.parametrize(
    ("assertion", "references"),
    [
        ("{type: equals, value: 4.10}", ("4.10",)),
        ("{type: equals, value: no}", ("no",)),
        ("{type: contains, value: 2024-01-01}", ("2024-01-01",)),
        ("{type: contains-any, value: [one, two]}", ("one", "two")),
        ("{type: similar, value: [one, two], threshold: 0.8}", ("one", "two")),
        ("{type: 'similar:cosine', value: one}", ("one",)),
        ("{type: factuality, value: 'It is {{known}}.'}", ("It is because.",)),
        ("{type: assert-set, assert: [{type: equals, value: one}, {type: rouge-n, value: two}]}", ("one", "two")),
        ("{type: equals, value: one}, {type: similar, value: one}", ("one",)),
    ],
)
def test_assertions_that_name_an_answer_are_references(tmp_path: Path, assertion: str, references: tuple[str, ...]) -> None:
    assert one(tmp_path, assertion).cases[0].references == references


@pytest.mark.parametrize(
    ("assertion", "note"),
    [
        ("{type: javascript, value: output.length < 9}", "`javascript` is left out: it names no answer"),
        ("{type: llm-rubric, value: polite}", "`llm-rubric` is left out: it names no answer"),
        ("{type: not-contains, value: one}", "`not-contains` is left out: it names no answer"),
        ("{type: contains-all, value: [one, two]}", "`contains-all` is left out: it names no answer"),
        ("{$ref: '#/assertionTemplates/short'}", "`$ref` is left out: it names no answer"),
        (
            "{type: equals, value: file://answer.txt}",
            "a value of `equals` is left out: it is made by a template or in another file",
        ),
        (
            "{type: equals, value: '{{known | upper}}'}",
            "a value of `equals` is left out: it is made by a template or in another file",
        ),
        ("{type: equals, value: '{{unknown}}'}", "a value of `equals` is left out: it is made by a template or in another file"),
    ],
)
def test_assertions_that_name_none_are_told(tmp_path: Path, assertion: str, note: str) -> None:
    (case,), notes = one(tmp_path, assertion)
    assert case.references == ()
    assert f"{tmp_path / 'promptfooconfig.yaml'}:1: {note}" in notes


def test_texts_wanted_together_are_told_to_be_alternatives_now(tmp_path: Path) -> None:
    (case,), notes = one(tmp_path, "{type: contains, value: one}, {type: icontains, value: two}")
    assert case.references == ("one", "two")
    assert any("had to contain several texts" in note for note in notes)


def test_variables_may_hold_the_answer(tmp_path: Path) -> None:
    assert converted(tmp_path, "tests: [{vars: {question: Why?, expectedAnswer: because}}]").cases[0].references == ("because",)


def test_anchors_and_merges(tmp_path: Path) -> None:
    text = "x: &team\n  metadata: {team: shop}\ntests:\n  - vars: {question: Why?}\n    <<: *team\n"
    assert converted(tmp_path, text).cases[0].tags == {"team": "shop"}


def test_a_table_of_promptfoo(tmp_path: Path) -> None:
    text = (
        "question,__expected1,__expected2,__metadata:topic,__metadata:parts[],__description,__threshold\n"
        'What is 2+2?,4,"contains-any: four, vier",sums,"a, b\\,c",Sums,0.5\n'
        "Why?,Note: because,similar(0.8):So it is,,,,\n"
        "How?,llm-rubric: polite,,,,,\n"
        "Who?,is-refusal,,,,,\n"
    )
    (sums, why, how, who), notes = converted(tmp_path, text, "tests.csv")
    assert (sums.id, sums.references, sums.tags) == (
        "Sums",
        ("4", "four", "vier"),
        {"topic": "sums", "parts.a": "yes", "parts.b,c": "yes"},
    )
    assert why.references == ("Note: because", "So it is")
    assert (how.references, how.answerable, who.answerable) == ((), True, False)
    place = tmp_path / "tests.csv"
    assert notes == [f"{place}:2: `contains-any` {WORDS}", f"{place}:4: `llm-rubric` is left out: it names no answer"]


def test_tests_in_other_files_are_followed(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "a.csv").write_text("question,gold\nWhy?,because\n")
    (tmp_path / "tests" / "b.yaml").write_text("- vars: {question: How?, gold: so}\n")
    text = (
        "defaultTest:\n  assert: [{type: factuality, value: '{{gold}}'}]\n"
        "tests:\n  - file://tests/*.csv\n  - tests/b.yaml\n  - file://tests.py:generate\n"
    )
    cases, notes = converted(tmp_path, text)
    assert [(case.question, case.references) for case in cases] == [("Why?", ("because",)), ("How?", ("so",))]
    assert notes == [
        f"{tmp_path / 'promptfooconfig.yaml'}:6: `file://tests.py:generate` is left out: it is not YAML, JSON, JSONL, CSV or TSV"
    ]


def test_tests_that_are_one_other_file(tmp_path: Path) -> None:
    (tmp_path / "tests.jsonl").write_text('{"vars": {"question": "Why?"}}\n')
    assert converted(tmp_path, "tests: file://tests.jsonl").cases[0].question == "Why?"


def test_another_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(GroundwireError, match=r"promptfooconfig\.yaml:2: tests\.csv is not there"):
        converted(tmp_path, "tests:\n  - file://tests.csv\n")


def test_a_configuration_that_names_itself_ends(tmp_path: Path) -> None:
    with pytest.raises(GroundwireError, match="question: is missing"):
        converted(tmp_path, "tests:\n  - promptfooconfig.yaml\n")


def test_other_parts_of_a_test_or_configuration_are_told(tmp_path: Path) -> None:
    text = "defaultTest: file://d.yaml\nscenarios: [{config: []}]\ntests: [{vars: {question: Why?}, threshold: 0.5}]\n"
    place = tmp_path / "promptfooconfig.yaml"
    assert converted(tmp_path, text).notes == [
        f"{place}: `defaultTest` is left out: it is in another file, file://d.yaml",
        f"{place}: `scenarios` are left out: only `tests` are read",
        f"{place}:3: `threshold` is left out",
    ]


def test_a_test_at_fault_is_named_by_its_line(tmp_path: Path) -> None:
    with pytest.raises(GroundwireError, match=r"promptfooconfig\.yaml:3: question: is missing"):
        converted(tmp_path, "tests:\n  - vars: {question: Why?}\n  - vars: {topic: x}\n")
