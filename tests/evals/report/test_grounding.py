"""A benchmark's tables name all there is, and what is not known has a mark of its own."""

import io
from collections.abc import Callable, Sequence

import pytest
from rich.console import Console

from evals.grounding.benchmark import Report, benchmark
from evals.grounding.labels import Label, LabelSet
from evals.report.grounding import FLIPS, SETS, grounding_table, markdown, watched
from rag.types import Claim, Passage, Verdict

CONTEXT = "The pump has 12 valves and is not old. German engineers built the pump in Berlin in 1987."


class Believer:
    """Supports everything."""

    identity = "believer@1"

    def __init__(self, probability: float | None = 0.9) -> None:
        self.probability = probability

    def validate(self, question: str, answer: str, passages: Sequence[Passage]) -> list[Claim]:
        supported = Verdict.SUPPORTED
        return [
            Claim(text=answer, start=0, end=len(answer), verdict=supported, score=0.8, probability=self.probability, reason="")
        ]


def measured(**more: Believer) -> Report:
    true = Label(id="1", context=CONTEXT, response="German engineers built the pump in Berlin in 1987.", label=0)
    false = Label(id="2", context=CONTEXT, response="It is blue.", label=1)
    return benchmark({"believer": Believer(), **more}, [LabelSet("both", [true, false]), LabelSet("one|class", [true])])


def drawn(report: Report, width: int = 160) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(grounding_table(report))
    return console.export_text()


@pytest.mark.parametrize("draw", [drawn, markdown])
def test_the_tables_name_every_set_kind_and_validator(draw: Callable[[Report], str]) -> None:
    text = draw(measured(**{"[words]": Believer(None)}))
    assert all(word in text for word in ("both", "one", "time", "negation", "[words]", "believer@1", "0.500", "mean", "all"))
    assert "nan" not in text


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_a_narrow_terminal_cuts_no_figure(width: int) -> None:
    text = drawn(measured(**{f"nli:organisation/model-{number}": Believer() for number in range(4)}), width)
    assert all(heading in text for heading in (*SETS, *FLIPS, "nli:organisation/model-3"))
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width


def test_a_wide_terminal_has_each_set_in_one_line() -> None:
    assert drawn(measured()).count("one|class") == 1 < drawn(measured(), 80).count("one|class")


def test_what_is_not_known_is_a_dash() -> None:
    rows = [line for line in markdown(measured()).splitlines() if line.startswith("| one")]
    assert rows
    assert all(r"| one\|class | 1 | 0 | 0 | - | - | - |" in row for row in rows)


def test_one_validator_has_nothing_beside_it() -> None:
    assert "side by side" not in markdown(measured())
    assert "side by side" in markdown(measured(other=Believer()))


def test_a_bar_is_drawn_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with watched() as progress:
        progress("believer", 1, 2)
        progress("believer", 2, 2)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "believer" in shown.err
