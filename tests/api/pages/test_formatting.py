"""Values as people read them, and texts cut at what is said of them."""

import pytest

from api.pages.formatting import claimed, elapsed, evident, milliseconds, percent, price, when
from rag.types import Claim, Evidence, Verdict

TEXT = "One. Two. Three."


def claim(start: int, end: int, evidence: Evidence | None = None) -> Claim:
    return Claim(
        text=TEXT[start:end], start=start, end=end, verdict=Verdict.SUPPORTED, score=1.0, reason="it says so", evidence=evidence
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (0.4, "0.4 ms"), (12.4, "12 ms"), (999.4, "999 ms"), (999.9, "1.0 s"), (1234.0, "1.2 s"), (61_000.0, "61.0 s")],
)
def test_milliseconds(value: float | None, shown: str) -> None:
    assert milliseconds(value) == shown


@pytest.mark.parametrize(
    ("nanodollars", "shown"),
    [
        (None, "unknown"),
        (0, "$0.00"),
        (123_456, "$0.000123"),
        (100_000_000, "$0.10"),
        (12_345_678_900, "$12.35"),
        (1, "$0.000000001"),
    ],
)
def test_prices(nanodollars: float | None, shown: str) -> None:
    assert price(nanodollars) == shown


@pytest.mark.parametrize(
    ("seconds", "whole", "shown"),
    [
        (30, 90, "30 of 90 s"),
        (720, 3_600, "12 of 60 min"),
        (9_000, 43_200, "2.5 of 12 h"),
        (9e9, 172_800, "2 of 2 days"),
    ],
)
def test_time_that_has_passed(seconds: float, whole: float, shown: str) -> None:
    assert elapsed(seconds, whole) == shown


def test_shares() -> None:
    assert (percent(None), percent(0.0), percent(0.0316)) == ("–", "0.0 %", "3.2 %")


def test_a_time_is_utc_for_machines_and_people() -> None:
    assert when("2026-03-04T05:06:07.890+02:00") == (
        '<time datetime="2026-03-04T03:06:07.890+00:00">2026-03-04 03:06:07 UTC</time>'
    )


def test_a_text_is_cut_at_its_claims() -> None:
    claims = [claim(5, 9), claim(0, 4), claim(2, 8)]
    assert [(piece.text, bool(piece.about)) for piece in claimed(TEXT, claims)] == [
        ("One.", True),
        (" ", False),
        ("Two.", True),
        (" Three.", False),
    ]
    assert "".join(piece.text for piece in claimed(TEXT, claims)) == TEXT


def test_a_passage_is_cut_at_what_claims_rest_on() -> None:
    quoted = Evidence(passage=1, start=5, end=9, quote="Two.")
    claims = [claim(0, 4, quoted), claim(5, 9, quoted), claim(10, 16, Evidence(passage=2, start=0, end=4, quote="One."))]
    assert [piece.text for piece in evident(TEXT, claims, 1) if piece.about] == ["Two."]
    assert evident("", claims, 3) == []
