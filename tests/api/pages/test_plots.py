"""Pictures: what is drawn is what was counted, and nothing of a name is markup."""

import math
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from api.pages.plots import GAP, PANEL, bar, columns, lines, whisker

BEGINS = [datetime(2026, 3, 4, 10, tzinfo=UTC) + timedelta(minutes=2 * n) for n in range(4)]


def marks(svg: Markup, tag: str, kind: str) -> list[dict[str, str]]:
    return [found.attrib for found in ElementTree.fromstring(svg).iter(tag) if kind in found.get("class", "").split()]


def test_columns_are_as_high_as_what_they_count_and_stand_on_each_other() -> None:
    svg = columns("Requests", BEGINS, {"answered": [4, 0, 2, 0], "failed": [0, 0, 2, 1]}, "count")
    tall, short = (float(mark["height"]) for mark in marks(svg, "rect", "answered"))
    upper, lone = marks(svg, "rect", "failed")
    assert tall == pytest.approx(2 * short, abs=0.2)
    foot = float(marks(svg, "rect", "answered")[1]["y"])
    assert float(upper["y"]) + float(upper["height"]) == pytest.approx(foot - GAP, abs=0.2)
    assert float(lone["x"]) > float(upper["x"])
    assert "2 answered, 2 failed" in svg


def test_a_line_is_broken_where_nothing_is_known() -> None:
    svg = lines("Latency", BEGINS, {"p50": [10.0, 20.0, None, 30.0]}, "milliseconds", ["3 requests"] * 4)
    (line,) = marks(svg, "path", "p50")
    assert (line["d"].count("M"), line["d"].count("L")) == (2, 1)
    assert len(marks(svg, "circle", "p50")) == 1
    heights = [float(point.split(",")[1]) for point in line["d"].replace("M", "L").split("L")[1:]]
    assert heights == sorted(heights, reverse=True)
    assert all(0 <= height <= PANEL[1] for height in heights)


def test_all_zero_is_drawn_too() -> None:
    assert "<svg" in columns("Cost", BEGINS, {"cost": [0, 0, 0, 0]}, "dollars")
    assert "<svg" in lines("Rate", BEGINS, {"rate": [0.0, None, None, None]}, "percent", ["1 answer", "", "", ""])


def test_under_the_pointer_is_said_of_how_many_a_value_is() -> None:
    svg = lines("Rate", BEGINS, {"rate": [0.25, None, None, None]}, "percent", ["8 answers", "", "", ""])
    (told,) = (text for text in ElementTree.fromstring(svg).iter("title") if text.get("data-begins"))
    assert (told.text, told.get("data-begins")) == ("2026-03-04 10:00 UTC: rate 25 % of 8 answers", BEGINS[0].isoformat())


@pytest.mark.parametrize(
    ("unit", "most", "top"),
    [
        ("milliseconds", 23_000, "30.0 s"),
        ("percent", 1.0, "100 %"),
        ("count", 82, "100"),
        ("dollars", 8.2e7, "$0.10"),
        ("count", 4, "4"),
    ],
)
def test_an_axis_ends_on_a_tick_that_no_value_exceeds(unit: str, most: float, top: str) -> None:
    svg = columns("Anything", BEGINS, {"answered": [most, 0, 0, 0]}, unit)
    labels = [text for text in ElementTree.fromstring(svg).iter("text") if text.get("text-anchor") == "end"]
    assert labels[-1].text == top
    assert 4 <= len(labels) <= 6
    (mark,) = marks(svg, "rect", "answered")
    assert float(mark["y"]) >= float(labels[-1].attrib["y"]) - 4


@pytest.mark.parametrize("unit", ["dollars", "milliseconds", "percent", "count"])
@pytest.mark.parametrize("most", [0.0, 1e-3])
def test_the_ticks_of_next_to_nothing_differ_and_fit(unit: str, most: float) -> None:
    svg = columns("Cost", BEGINS, {"cost": [most, 0, 0, 0]}, unit)
    ticks = [text.text or "" for text in ElementTree.fromstring(svg).iter("text") if text.get("text-anchor") == "end"]
    assert len(set(ticks)) == len(ticks)
    assert max(map(len, ticks)) <= 9


def test_names_are_text() -> None:
    for svg in (bar("<b>&", "stage", 0, 1, 2), whisker("<b>&", "candidate", 0, -1, 1, (-1, 1))):
        assert "&lt;b&gt;&amp;" in svg


@pytest.mark.parametrize(("start", "length", "whole"), [(0, 10, 10), (10, 0, 10), (9, 5, 10), (0, 0, 0)])
def test_a_bar_is_seen_and_stays_in_its_row(start: float, length: float, whole: float) -> None:
    (found,) = marks(bar("x", "stage", start, length, whole), "rect", "stage")
    assert float(found["width"]) >= 3
    assert 0 <= float(found["x"]) <= float(found["x"]) + float(found["width"]) <= 1000


def test_an_interval_without_an_end_reaches_the_edge() -> None:
    svg = whisker("x", "candidate", 0.1, -math.inf, math.inf, (-1, 1), limit=0.5)
    line = marks(svg, "line", "whisker")[0]
    assert (float(line["x1"]), float(line["x2"])) == (0, 300)
    assert len(marks(svg, "line", "limit")) == 1
