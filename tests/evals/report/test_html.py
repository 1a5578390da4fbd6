"""The page: whole, self-contained, safe, of sane size, and it says what the comparison says."""

import re
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from evals.comparison import Comparison, Finding, Role, VarianceShares, Verdict
from evals.measurement import Measurement
from evals.report import html
from evals.scorers.base import Metric
from tests.evals.report.samples import (
    AFTER,
    CORRECT,
    COST,
    F1,
    LATENCY,
    NASTY,
    alone,
    decided,
    minimal,
    nasty,
    nasty_alone,
    rich,
    side,
)

VOID = {"meta", "link", "br"}


class Outline(HTMLParser):
    """The elements of a page with their attributes; raises where one is not closed by its own end."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data if self._open[-1:] != ["style"] else ""

    def count(self, tag: str, kind: str = "") -> int:
        return sum(name == tag and kind in (attributes.get("class") or "").split() for name, attributes in self.elements)

    @property
    def tags(self) -> Counter[str]:
        return Counter(tag for tag, _ in self.elements)


@pytest.fixture(scope="module")
def hostile() -> str:
    return html.page(nasty())


PAGES: list[Comparison | Measurement] = [
    rich(),
    minimal(),
    nasty(7),
    minimal().model_copy(update={"effects": (), "reasons": (), "verdict": Verdict.UNTRUSTWORTHY}),
    decided(Verdict.WORSE, Finding.WORSE, Finding.WORSE),
    alone(),
    nasty_alone(),
    alone().model_copy(update={"means": (), "quantiles": (), "worst": (), "failures": (), "trustworthy": False}),
]


@pytest.mark.parametrize("told", PAGES, ids=["rich", "minimal", "nasty", "empty", "worse", "alone", "nasty alone", "empty alone"])
def test_a_page_is_whole_and_needs_nothing_else(told: Comparison | Measurement) -> None:
    outline = Outline(html.page(told))
    assert not {"script", "img", "iframe", "object", "embed", "form", "base"} & set(outline.tags)
    for tag, attributes in outline.elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "srcset", "style")], tag
        assert (attributes.get("href") or "#").startswith(("#", "data:,"))
    style = re.search("<style>(.*?)</style>", html.page(told), re.DOTALL)
    assert style
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_hostile_text_is_text(hostile: str) -> None:
    outline = Outline(hostile)
    assert "<script>alert(1)</script>" in outline.words
    assert "{{ 7 * 7 }}" in outline.words
    assert not set(outline.tags) - set(Outline(html.page(rich())).tags)
    assert not set(Outline(html.page(nasty_alone())).tags) - set(Outline(html.page(alone())).tags)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202d\u202e]", hostile)
    hostile.encode("utf-8")


def test_a_page_stays_small_whatever_the_answers_are(hostile: str) -> None:
    assert len(hostile.encode()) < 1_000_000


def test_a_page_of_many_cases_is_small() -> None:
    assert len(html.page(rich().model_copy(update={"asked": 20_000})).encode()) < 200_000


def test_many_flips_are_counted_and_most_are_folded(hostile: str) -> None:
    outline = Outline(hostile)
    assert outline.count("article", "flip") == 20
    assert "1,000 questions lost A did better; the 10 that moved furthest" in outline.words
    assert "5 more questions" in outline.words


def test_what_only_moved_is_not_counted_as_gained() -> None:
    moved = tuple(flip.model_copy(update={"crossed": not flip.gained}) for flip in rich().flips)
    words = Outline(html.page(rich().model_copy(update={"flips": moved, "gained": 0}))).words
    assert "0 questions gained B did better; shown too is what moved far without crossing the middle" in words
    assert "better, not flipped" in words
    assert "worse, not flipped" not in words


@pytest.mark.parametrize(
    ("verdict", "finding", "said"),
    [
        (Verdict.BETTER, Finding.BETTER, "answer@2 is better than answer@1"),
        (Verdict.WORSE, Finding.WORSE, "answer@2 is worse than answer@1"),
        (Verdict.EQUIVALENT, Finding.EQUIVALENT, "answer@2 is equivalent to answer@1"),
        (Verdict.UNKNOWN, Finding.UNKNOWN, "It is not known yet whether answer@2 is better than answer@1"),
        (Verdict.UNTRUSTWORTHY, Finding.BETTER, "This comparison of answer@2 with answer@1 is not trustworthy"),
    ],
)
def test_the_verdict_is_one_sentence(verdict: Verdict, finding: Finding, said: str) -> None:
    page = html.page(decided(verdict, finding))
    assert f"<title>{said}</title>" in page
    heading = re.search("<h1>(.*?)</h1>", page)
    assert heading
    assert re.sub("<.*?>", "", heading[1]) == said


def test_what_is_not_trustworthy_is_not_decided_by_numbers() -> None:
    """A flip is no news where nothing is to be trusted."""
    front = Outline(html.page(decided(Verdict.UNTRUSTWORTHY, Finding.BETTER))).words.split("Effects")[0]
    assert "It is not trustworthy." in front
    assert "1 question gained, 2 lost." not in front
    assert "1 question gained, 2 lost." in Outline(html.page(rich())).words.split("Effects")[0]


def test_variance_is_split_only_where_there_are_parts() -> None:
    whole = html.page(rich())
    assert 'id="variance"' in whole
    one = rich().model_copy(update={"variances": (VarianceShares(metric="f1", cases=1.0),)})
    assert "variance" not in re.findall('id="([a-z]+)"', html.page(one))


def test_what_is_tolerated_and_which_way_a_guardrail_went_are_told_in_its_row() -> None:
    words = Outline(html.page(rich())).words
    assert "guardrail, lower is better, tolerated +$0.0103" in words
    assert "held, lower" in words


def test_other_metrics_that_are_worse_are_told_in_front() -> None:
    worse = rich()
    effects = tuple(one.model_copy(update={"q": 0.01}) if one.role is Role.OTHER else one for one in worse.effects)
    front = Outline(html.page(worse.model_copy(update={"effects": effects}))).words.split("Effects")[0]
    assert "time to first token rose, 0.310 s → 0.340 s" in front
    assert "decides nothing: --guardrail first_token=10% makes it count" in front
    assert "decides nothing" not in Outline(html.page(worse)).words.split("Effects")[0]


def test_the_sections_come_in_order() -> None:
    page = html.page(rich())
    ids = ["effects", "cost", "tags", "variance", "flips", "changed", "method"]
    assert re.findall('<(?:h2|div)[^>]* id="([a-z]+)"', page) == ids
    assert re.findall('<a href="#([a-z]+)"', page) == ids


def test_a_run_by_itself_has_its_sections_in_order() -> None:
    page = html.page(alone())
    ids = ["scores", "latency", "failures", "worst", "method"]
    assert re.findall('<(?:h2|div)[^>]* id="([a-z]+)"', page) == ids
    assert re.findall('<a href="#([a-z]+)"', page) == ids
    words = Outline(page).words
    for told in (
        "answer@1, measured on 200 cases",
        "200 of 210 cases, each asked twice",
        "0.482 to 0.542",
        "2 of 400 requests of answer@1 were not answered",
        "2 requests were not answered, and count as what the reader got: nothing. The first 1:",
        "nothing for 30 s",
        "It says what people said for 85 %",
        "The documents do not answer this.",
    ):
        assert told in words, told


def test_a_run_that_cannot_be_trusted_has_no_number_in_front() -> None:
    assert Outline(html.page(alone())).count("ul", "decided") == 1
    untrusted = Outline(html.page(alone().model_copy(update={"trustworthy": False})))
    assert untrusted.count("ul", "decided") == 0
    assert "This measurement of answer@1 is not trustworthy" in untrusted.words


def test_lost_questions_come_first() -> None:
    words = Outline(html.page(rich())).words
    words = words[words.index("2 questions lost") :]
    assert words.index("When can I come") < words.index("1 question gained")
    assert words.index("1 question gained") < words.index("How long is the warranty")


def test_the_claims_of_an_answer_are_marked_in_words_too() -> None:
    page = html.page(rich())
    assert 'class="claim contradicted" title="contradicted: 12 is 24 in [1]">Kettles are covered for 12 months' in page
    assert Outline(page).words.count("(contradicted)") == 1


def test_claims_beyond_what_is_shown_are_left_out() -> None:
    answer = nasty(1).flips[0].a
    shown = list(html.segments(answer))
    assert "".join(segment.text for segment in shown[:-1]) == answer.text[: html.ANSWER]
    assert shown[-1].text == f" … {50_000 - html.ANSWER:,} more characters"
    assert all(one.claim is None or one.claim.start < html.ANSWER for one in shown)


def test_the_changed_words_of_a_prompt_are_marked() -> None:
    changed = side("answer@2", AFTER.replace("short sentences", "long sentences"))
    page = html.page(rich().model_copy(update={"a": side("answer@1", AFTER), "b": changed}))
    assert "<mark>short</mark>" in page
    assert "<mark>long</mark>" in page


def test_the_same_prompt_says_what_else_differs() -> None:
    words = Outline(html.page(minimal().model_copy(update={"b": side("answer@1", "x", model="openai/gpt-4.1")}))).words
    assert "llm.model" in words
    assert "The prompts are the same; what differs is below." in Outline(html.page(minimal())).words


def test_what_pairing_buys_is_the_square_of_the_ratio_of_the_widths() -> None:
    assert html.saving(rich()) == (F1, pytest.approx(2.1**2))
    assert html.saving(minimal()) is None


@pytest.mark.parametrize(
    ("dropped", "zeroed", "expected"),
    [(set(), set(), COST), ({"cost"}, set(), LATENCY), (set(), {"cost"}, LATENCY), ({"cost", "latency", "first_token"}, set(), None)],
)  # fmt: skip
def test_quality_is_set_against_cost_or_else_latency(dropped: set[str], zeroed: set[str], expected: Metric | None) -> None:
    def free(effect: html.Effect) -> html.Effect:
        none = effect.a.model_copy(update={"value": 0.0, "low": 0.0, "high": 0.0})
        return effect.model_copy(update={"a": none, "b": none}) if effect.metric.name in zeroed else effect

    effects = tuple(free(effect) for effect in rich().effects if effect.metric.name not in dropped)
    plane = html.tradeoff(rich().model_copy(update={"effects": effects}))
    assert (plane and plane[0].metric) == expected
    assert plane is None or plane[1].metric == F1


def test_only_tags_that_stand_out_are_in_front() -> None:
    page = html.page(rich())
    before, folded = page.split("<summary>All tags")
    assert "two facts" in before.split('id="tags"')[1]
    assert "<bdi>hours</bdi>" not in before.split('id="tags"')[1]
    assert "<bdi>hours</bdi>" in folded


def test_metrics_that_decide_nothing_are_folded_when_they_are_many() -> None:
    whole = rich()
    assert "<details open><summary>3 other metrics" in html.page(whole)
    many = whole.model_copy(update={"effects": whole.effects + whole.effects[-1:] * 6})
    assert "<details><summary>9 other metrics" in html.page(many)


def test_every_number_is_written_as_elsewhere() -> None:
    words = Outline(html.page(rich())).words
    for number in ("+1.5 points", "[-1.6, +4.6]", "87.0 %", "-$0.0202", "$0.0768", "3 min 12 s"):
        assert number in words, number
    assert CORRECT.label in words


def test_a_picture_says_what_it_shows() -> None:
    page = html.page(rich())
    assert page.count("<svg") == page.count('role="img"') == len(re.findall("<svg[^>]*><title>[^<]+</title>", page))


def test_every_column_has_a_scope() -> None:
    assert all("scope" in attributes for tag, attributes in Outline(html.page(rich())).elements if tag == "th")


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the path")
def test_a_browser_shows_it_without_a_complaint(tmp_path: Path, hostile: str) -> None:
    assert CHROMIUM
    page, profile = tmp_path / "report.html", tmp_path / "profile"
    page.write_text(hostile, encoding="utf-8")
    shown = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--enable-logging=stderr", "--v=0",
         f"--user-data-dir={profile}", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in shown.stderr
    assert "the 10 that moved furthest" in shown.stdout
    assert "<script" not in shown.stdout
    assert NASTY.split()[0] in Outline(shown.stdout).words


def test_an_early_stop_is_told_where_the_numbers_begin() -> None:
    page = html.page(rich())
    assert page.index("<dt>Stopped early</dt><dd><bdi>320 were planned, 480 calls saved ($0.0441)") < page.index('id="effects"')
    assert "Guardrails may be looked at 5 times" in page[page.index('id="method"') :]
    going_on = rich().model_copy(update={"early": None})
    assert "Stopped early" not in html.page(going_on)


def test_holms_correction_is_told_only_of_several_primary_metrics() -> None:
    several = rich()
    alone = several.model_copy(update={"design": several.design.model_copy(update={"primary": ("f1",)})})
    assert len(several.design.primary) > 1
    assert "<small>Holm</small>" in html.page(several)
    assert "<small>Holm</small>" not in html.page(alone)
