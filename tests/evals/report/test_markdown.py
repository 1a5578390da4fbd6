"""The comment: a verdict, effects and flips within 60 lines, and no text can be more than text."""

import re
from html import unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from evals.comparison import Comparison, Finding, Role, Verdict
from evals.measurement import Measurement
from evals.report.markdown import comment, inline
from evals.report.text import line
from tests.evals.report.samples import NASTY, alone, decided, minimal, nasty, nasty_alone, rich

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
OURS = {"p", "strong", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "details", "summary", "sub"}


class Elements(HTMLParser):
    """The elements of rendered Markdown, and its text."""

    def __init__(self, rendered: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words = ""
        self.feed(rendered)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words += data


def rendered(text: str) -> Elements:
    return Elements(PARSER.render(text))


ALL = [rich(), minimal(), nasty(), decided(Verdict.UNTRUSTWORTHY, Finding.UNKNOWN), alone(), nasty_alone()]


@pytest.mark.parametrize("told", ALL, ids=["rich", "minimal", "nasty", "untrustworthy", "alone", "nasty alone"])
def test_a_comment_is_short_and_only_ours(told: Comparison | Measurement) -> None:
    text = comment(told)
    assert len(text.splitlines()) <= 60
    assert len(text) < 65_000
    assert set(rendered(text).tags) <= OURS
    assert text.count("<details>") == text.count("</details>") <= 1


def test_the_first_line_is_the_verdict() -> None:
    first, second = comment(rich()).splitlines()[:2]
    told = r"token F1 rose by 0.043 \[+0.017, +0.069\], Holm p .004. 1 question gained, 2 lost."
    assert first == f"**answer@2 is better than answer@1**: {told}"
    assert second == ""


def test_effects_then_problems_then_flips() -> None:
    words = rendered(comment(rich())).words
    told = [
        "token F1, primary",
        "cost ↓, guardrail",
        "timed out; they",
        "No guardrail",
        "worse on kind two facts",
        "The questions that flipped (gained: token F1 came to 0.5 or more; lost: it fell below)",
    ]
    places = [words.index(text) for text in [*told, "When can I come", "How long is the warranty", "200 cases"]]
    assert places == sorted(places)
    assert "topic warranty" not in words


def test_a_run_by_itself_is_its_means_its_problems_and_its_worst_answers() -> None:
    lines = comment(alone()).splitlines()
    assert lines[0] == "**answer@1, measured on 200 cases**"
    assert "| token F1 | 0.512 | 0.482 to 0.542 | 200 | 0 |" in lines
    assert "| latency, p95 | 2.31 s | 2.11 s to 2.61 s | | |" in lines
    assert "| latency, p99 | 3.13 s | unknown | | |" in lines
    assert "| cost | unknown | unknown | 0 | 400 |" in lines
    assert any(line.startswith("- **Problem:** 2 of 400") for line in lines)
    assert any(line.startswith("| When can I come to the shop? | **0.000** The documents") for line in lines)


def test_flips_are_counted_whether_they_are_shown_or_not() -> None:
    assert "1,000 questions gained, 1,000 lost" in comment(nasty())
    moved = tuple(flip.model_copy(update={"crossed": not flip.gained}) for flip in rich().flips)
    text = comment(rich().model_copy(update={"flips": moved, "gained": 0}))
    assert "0 questions gained, 2 lost." in text
    assert "| better | How long is the warranty" in text


def test_a_flip_says_what_was_expected() -> None:
    assert "| When can I come to the shop? | On weekdays from 9 to 17; it is closed on Sundays. | **0.923**" in comment(rich())


def test_a_guardrail_says_what_is_tolerated_and_which_way_it_went() -> None:
    [row] = [line for line in comment(rich()).splitlines() if line.startswith("| cost")]
    assert "| +&#36;0.0103 |" in row
    assert row.endswith("**held, lower** |")


def test_few_values_are_a_note_and_no_problem() -> None:
    text = comment(rich().model_copy(update={"notes": ("latency is measured on 39 of 40 cases",)}))
    assert "- latency is measured on 39 of 40 cases" in text.splitlines()


def test_a_metric_that_decides_nothing_and_is_worse_is_told_once_and_corrected() -> None:
    whole = rich()

    def told(q: float) -> str:
        effects = (*whole.effects[:1], *(one.model_copy(update={"q": q}) for one in whole.effects if one.role is Role.OTHER))
        return comment(whole.model_copy(update={"effects": effects}))

    assert "- time to first token rose, 0.310 s → 0.340 s" in told(0.05)
    assert "time to first token" not in told(0.06)


def test_every_row_of_a_table_has_its_cells() -> None:
    html = PARSER.render(comment(nasty()) + "\n" + comment(nasty_alone()))
    tables = re.findall("<table>.*?</table>", html, re.DOTALL)
    assert tables
    for table in tables:
        columns = table.count("<th>") + table.count("<th ")
        rows = [len(re.findall("<td", row)) for row in re.findall("<tr>(.*?)</tr>", table, re.DOTALL)[1:]]
        assert rows
        assert set(rows) == {columns}


def test_an_answer_that_never_came_says_why() -> None:
    assert "| **0.000** (timed out) |" in comment(rich())


@given(st.text(alphabet=st.sampled_from("<>&|`*_[]()!~#@$:/\\\n\t. -+=1aw\x00\u2028\u202e")) | st.just(NASTY))
def test_inline_text_is_only_text(text: str) -> None:
    shown = PARSER.render(f"| x | y |\n| - | - |\n| {inline(text)} | {inline(text)} |\n")
    assert set(Elements(shown).tags) <= {"table", "thead", "tbody", "tr", "th", "td"}
    cells = [unescape(cell).replace("\u200b", "") for cell in re.findall("<td>(.*?)</td>", shown, re.DOTALL)]
    assert cells == [line(text, 300)] * 2


@pytest.mark.parametrize(
    ("text", "live"),
    [
        ("ask @octocat", r"(?<!\w)@\w"),
        ("me@example.com", r"@example"),
        ("see #12 and GH-12", r"#\d|GH-\d"),
        ("http://a.example", r"://"),
        ("www.a.example", r"www\."),
    ],
)
def test_nothing_is_mentioned_or_linked(text: str, live: str) -> None:
    assert re.search(live, text)
    assert not re.search(live, rendered(inline(text)).words)


def test_a_dollar_begins_no_mathematics() -> None:
    assert "$" not in inline("from $1 to $2")
    assert rendered(inline("from $1 to $2")).words == "from $1 to $2\n"


def test_the_name_of_a_prompt_stays_readable() -> None:
    assert inline("answer@2") == "answer@2"
