"""Pictures: what is drawn is what was counted, and nothing of a name is markup."""

import math
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from api.pages.plots import PANEL, bar, columns, lines, whisker

BEGINS = [datetime(2026, 3, 4, 10, tzinfo=UTC) + timedelta(minutes=2 * n) for n in range(4)]


def marks(svg: Markup, tag: str, kind: str) -> list[dict[str, str]]:
    return [found.attrib for found in ElementTree.fromstring(svg).iter(tag) if kind in found.get("class", "").split()]


def test_columns_are_as_high_as_what_they_count_and_stand_on_each_other() -> None:
    svg = columns("Requests", BEGINS, {"answered": [4, 0, 2, 0], "failed": [0, 0, 2, 1]}, "count")
    tall, short = (float(mark["height"]) for mark in marks(svg, "rect", "answered"))
    upper, lone = marks(svg, "rect", "failed")
    assert tall == pytest.approx(2 * short, abs=0.2)
    foot = float(marks(svg, "rect", "answered")[1]["y"])
    assert float(upper["y"]) + float(upper["height"]) == pytest.approx(foot, abs=0.2)
    assert float(lone["x"]) > float(upper["x"])
    assert "2 answered, 2 failed" in svg


def test_a_line_is_broken_where_nothing_is_known() -> None:
    svg = lines("Latency", BEGINS, {"p50": [10.0, 20.0, None, 30.0]}, "milliseconds")
    (line,) = marks(svg, "path", "p50")
    assert (line["d"].count("M"), line["d"].count("L")) == (2, 1)
    assert len(marks(svg, "circle", "p50")) == 1
    heights = [float(point.split(",")[1]) for point in line["d"].replace("M", "L").split("L")[1:]]
    assert heights == sorted(heights, reverse=True)
    assert all(0 <= height <= PANEL[1] for height in heights)


def test_all_zero_is_drawn_too() -> None:
    assert "<svg" in columns("Cost", BEGINS, {"cost": [0, 0, 0, 0]}, "dollars")
    assert "<svg" in lines("Rate", BEGINS, {"rate": [0.0, None, None, None]}, "percent")


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
