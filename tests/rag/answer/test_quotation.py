import pytest

from rag.answer.quotation import Quotations
from rag.answer.wording import Wording
from rag.types import Claim, Evidence, Passage, Verdict

PAGE = """## Removing documents

The pool opens at nine in the morning [4] . A ticket costs five euros, see [prices](prices.md). Children swim free.

| name | means |
|---|---|
| `hold` | how long a stage lasts |
| `share` | percent of the users |
"""
PASSAGE = Passage(number=3, chunk_id="c", document_id="d", source="s", title="Pool", text=PAGE, start=0, end=len(PAGE), score=1.0)


def quoted(said: str, first: str, last: str = "", *, without: str = "") -> Claim | None:
    """What is quoted for a claim whose evidence begins with `first` and ends with `last`."""
    start = PAGE.index(first)
    end = PAGE.index(last or first) + len(last or first)
    evidence = Evidence(passage=3, start=start, end=end, quote=PAGE[start:end])
    claim = Claim(
        text=said, start=0, end=len(said), verdict=Verdict.UNCERTAIN, score=0.3, evidence=evidence, reason="", citations=(1,)
    )
    return Quotations([PASSAGE], Wording([PASSAGE])).closest(claim, lambda text: text != without)


@pytest.mark.parametrize(
    ("said", "first", "last", "shown"),
    [
        ("You can swim from nine in the morning.", "The pool", "euros", "“The pool opens at nine in the morning.” [3]"),
        ("A ticket is five euros [1].", "The pool", "(prices.md).", "“A ticket costs five euros, see prices.” [3]"),
        (
            "It opens at nine in the morning, and a ticket costs five euros.",
            "The pool",
            "(prices.md).",
            "“The pool opens at nine in the morning. A ticket costs five euros, see prices.” [3]",
        ),
        ("A ticket costs five euros for children.", "A ticket", "free.", "“A ticket costs five euros, see prices.” [3]"),
        (
            "`hold` tells how long a stage lasts, `share` the percent of the users.",
            "| `hold`",
            "users |",
            "“`hold` – how long a stage lasts” [3]",
        ),
        ("`hold` tells how long a stage takes.", "| `hold`", "users |", "“`hold` – how long a stage lasts” [3]"),
        ("| Hold | the length of each stage |", "| `hold`", "users |", "| `hold` | how long a stage lasts [3] |"),
    ],
)
def test_the_closest_sentence_is_quoted_in_plain_words(said: str, first: str, last: str, shown: str) -> None:
    claim = quoted(said, first, last)
    assert claim is not None
    assert claim.text == shown
    assert (claim.verdict, claim.citations) == (Verdict.SUPPORTED, (3,))
    assert claim.evidence is not None
    assert claim.evidence.quote == PAGE[claim.evidence.start : claim.evidence.end]
    assert PAGE[claim.evidence.start : claim.evidence.end].strip() == claim.evidence.quote


@pytest.mark.parametrize(
    ("said", "first", "last"),
    [
        ("The morning bus needs a red button pressed.", "The pool", "[4] ."),
        ("The morning bus button.", "The pool", "[4] ."),
        ("It has to do with removing documents.", "## Removing documents", ""),
        ("What a name means.", "| name", "means |"),
        ("| Share | how long a stage lasts |", "| `hold`", "lasts |"),
        ("| Hold | a stage lasts | long |", "| `hold`", "lasts |"),
        ("| Children | swim free |", "Children swim free.", ""),
    ],
)
def test_what_is_about_something_else_is_not_quoted(said: str, first: str, last: str) -> None:
    assert quoted(said, first, last) is None


def test_what_was_said_before_is_not_quoted_and_no_stopgap_is() -> None:
    assert quoted("A ticket is five euros.", "The pool", "free.", without="A ticket costs five euros, see prices.") is None
