"""Agreement with people: against worked examples, and labels as people write them."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.agreement import Label, agreement, read_labels
from evals.judge import GRADES
from rag.errors import GroundwireError

WORDS = st.sampled_from(list(GRADES))


def counted(*cells: tuple[str, str, int]) -> tuple[list[str], list[str]]:
    """Judgements and labels with that many pairs of each."""
    pairs = [(said, label) for said, label, count in cells for _ in range(count)]
    return [said for said, _ in pairs], [label for _, label in pairs]


def test_a_worked_example() -> None:
    """p = 35/50, e = (30 x 25 + 20 x 25) / 50^2 = 1/2; Wilson's interval by its formula."""
    found = agreement(
        *counted(("correct", "correct", 20), ("wrong", "wrong", 15), ("correct", "wrong", 10), ("wrong", "correct", 5))
    )
    assert (found.labels, found.share) == (50, 0.7)
    assert found.kappa == pytest.approx((0.7 - 0.5) / (1 - 0.5))
    z, n, p = 1.959963984540054, 50, 0.7
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    expected = [(middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)]
    assert [found.interval.low, found.interval.high] == pytest.approx(expected)
    assert (found.interval.value, found.interval.level, found.interval.method) == (0.7, 0.95, "Wilson")


def test_three_grades() -> None:
    """p = 7/10, e = (5 x 4 + 3 x 4 + 2 x 2) / 10^2."""
    found = agreement(
        *counted(
            ("correct", "correct", 4), ("correct", "partly", 1), ("partly", "partly", 2), ("partly", "wrong", 1),
            ("wrong", "wrong", 1), ("wrong", "partly", 1),
        )
    )  # fmt: skip
    assert found.kappa == pytest.approx((0.7 - 0.36) / (1 - 0.36))


def test_grades_and_words_are_the_same() -> None:
    assert agreement([1.0, 0.5, 0], ["correct", "partly", "correct"]) == agreement(["correct", 0.5, "wrong"], [1, "partly", 1.0])


@pytest.mark.parametrize(("said", "kappa"), [(["correct"] * 9, 0), (["correct"] * 8 + ["wrong"], 1)])
def test_a_judge_that_says_one_thing_shows_nothing(said: list[str], kappa: float) -> None:
    found = agreement(said, said)
    assert (found.share, found.kappa) == (1, kappa)
    assert found.interval.low < 1


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=60))
def test_kappa_and_the_interval_are_bounded_and_symmetric(pairs: list[tuple[str, str]]) -> None:
    said, labels = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    found = agreement(said, labels)
    assert -1 - 1e-12 <= found.kappa <= found.share + 1e-12
    assert -1e-12 <= found.interval.low <= found.share + 1e-12
    assert found.share - 1e-12 <= found.interval.high <= 1 + 1e-12
    assert agreement(labels, said).kappa == pytest.approx(found.kappa)


@pytest.mark.parametrize("said", ["good", 0.75, math.nan, "1"])
def test_what_is_no_grade_is_told(said: float | str) -> None:
    with pytest.raises(GroundwireError, match="is no grade: a grade is one of correct, partly, wrong, or 1.0, 0.5, 0.0"):
        agreement([said], ["correct"])


def test_nothing_to_compare_is_told() -> None:
    with pytest.raises(GroundwireError, match="no judged answer has a label"):
        agreement([], [])
    with pytest.raises(ValueError, match="shorter"):
        agreement(["correct"], [])


def test_labels_are_read(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_bytes(
        '\ufeff{"id": "1", "label": "correct"}\r\n\n{"id": "1", "label": "wrong", "variant": "answer@2"}\n'.encode()
        + '{"id": "a\u2028b", "label": "partly", "trace_id": "t"}'.encode()
    )
    assert read_labels(path) == [
        Label(id="1", label="correct"),
        Label(id="1", label="wrong", variant="answer@2"),
        Label(id="a\u2028b", label="partly", trace_id="t"),
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"correct", "not JSON"),
        (b'{"id": "2"}', "label: is missing"),
        (b'{"id": "2", "label": "good"}', "label: input should be 'correct', 'partly' or 'wrong'"),
        (b'{"id": 2, "label": "wrong"}', "id: input should be a valid string"),
        (b'{"id": "2", "label": "wrong", "varient": "B"}', "varient: unknown field"),
        (b'["2", "wrong"]', "not a JSON object"),
        (b'{"id": "1", "label": "wrong"}', "the answer to 1 was labelled at "),
        (b'{"id": "\xff", "label": "wrong"}', "not UTF-8"),
    ],
)
def test_a_line_that_is_no_label_is_named(tmp_path: Path, line: bytes, problem: str) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_bytes(b'{"id": "1", "label": "correct"}\n\n' + line + b"\n")
    with pytest.raises(GroundwireError) as caught:
        read_labels(path)
    assert caught.value.problem.startswith(f"{path}:3: {problem}")


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_a_file_without_labels_is_told(tmp_path: Path, content: str) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text(content)
    with pytest.raises(GroundwireError, match="has no label"):
        read_labels(path)
    with pytest.raises(GroundwireError, match=r"cannot be read \(No such file"):
        read_labels(tmp_path / "none.jsonl")
