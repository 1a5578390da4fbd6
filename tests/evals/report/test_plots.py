"""Pictures: right is good for B, scales have round ticks, what is infinite leaves the frame."""

import math
import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from evals.comparison import Finding, Role, VarianceShares
from evals.report import plots
from tests.evals.report.samples import COST, F1, LATENCY, NASTY, alone, effect, latencies, minimal, rich

MIDDLE = plots.FOREST[0] / 2


def parts(svg: str, kind: str) -> list[dict[str, str]]:
    return [found.attrib for found in ElementTree.fromstring(svg).iter() if kind in found.attrib.get("class", "").split()]


@pytest.mark.parametrize(("metric", "a", "b"), [(F1, 0.5, 0.6), (COST, 0.6, 0.5), (LATENCY, 2.0, 1.0)])
def test_right_is_good_for_b(metric: plots.Metric, a: float, b: float) -> None:
    better = parts(plots.forest(effect(metric, Role.OTHER, a, b, 0.01, Finding.BETTER)), "point")
    worse = parts(plots.forest(effect(metric, Role.OTHER, b, a, 0.01, Finding.WORSE)), "point")
    assert float(better[0]["cx"]) > MIDDLE > float(worse[0]["cx"])


def test_the_unpaired_interval_is_the_wider_one() -> None:
    row = plots.forest(rich().effects[0])
    paired, naive = parts(row, "paired")[0], parts(row, "naive")[0]
    assert float(naive["x1"]) < float(paired["x1"]) < float(paired["x2"]) < float(naive["x2"])


@pytest.mark.parametrize(("role", "edges"), [(Role.PRIMARY, 2), (Role.GUARDRAIL, 1), (Role.OTHER, 2)])
@pytest.mark.parametrize("metric", [F1, COST])
def test_a_guardrail_has_one_edge_on_the_side_of_harm(metric: plots.Metric, role: Role, edges: int) -> None:
    row = plots.forest(effect(metric, role, 0.5, 0.5, 0.1, Finding.UNKNOWN, margin=0.05))
    found = [float(edge["x1"]) for edge in parts(row, "edge")]
    assert len(found) == edges
    assert min(found) < MIDDLE
    assert float(parts(row, "margin")[0]["width"]) > 0


def test_an_interval_without_bounds_is_arrows() -> None:
    row = plots.forest(minimal().effects[0])
    assert len(parts(row, "point")) == 3
    assert "nan" not in row
    assert "inf" not in row.replace("infinite", "")


def test_a_title_is_text() -> None:
    odd = plots.Metric(name="x", label=NASTY, better="higher", unit="share")
    title = ElementTree.fromstring(plots.forest(effect(odd, Role.OTHER, 0, 1, 1, Finding.UNKNOWN)))[0].text
    assert title
    assert title.startswith("<script>alert(1)</script>")


@pytest.mark.parametrize(
    ("values", "log"),
    [((0.0, 1.0), False), ((0.000071, 0.00013), False), ((5.0, 5.0), False), ((0.0, 0.0), False), ((0.02, 90), True)],
)
def test_ticks_are_few_and_within(values: tuple[float, float], log: bool) -> None:
    scale = plots.Scale(values, 0, 100, log=log)
    assert 2 <= len(scale.ticks) <= 9
    assert all(-1e-6 <= scale(tick) <= 100 + 1e-6 for tick in scale.ticks)
    assert scale.ticks == sorted(set(scale.ticks))


def test_a_distribution_rises_to_one_and_marks_its_quantiles() -> None:
    svg = plots.distributions(LATENCY, {"A": latencies(1.0, 0.4), "B": latencies(2.0, 0.4)})
    assert "A p50 0.999 s, p95" in svg
    assert len(parts(svg, "point")) == 4
    curve = parts(svg, "curve")[0]["d"]
    heights = [float(height) for height in re.findall(r"V([\d.]+)", curve)]
    assert heights == sorted(heights, reverse=True)
    assert heights[-1] == plots._TOP
    assert len(svg) < 80_000


def test_one_side_by_itself_has_no_name() -> None:
    svg = plots.distributions(LATENCY, {"": latencies(1.0, 0.4)})
    assert "Distribution of latency: p50 0.999 s" in svg
    assert len(parts(svg, "curve")) == 1


def test_a_mean_stands_where_it_is_between_0_and_1() -> None:
    (point,) = parts(plots.level(alone().means[0]), "point")
    assert float(point["cx"]) == pytest.approx(0.512 * plots.FOREST[0], abs=0.1)
    line = parts(plots.level(alone().means[0]), "paired")[0]
    assert (float(line["x1"]), float(line["x2"])) == (pytest.approx(144.6), pytest.approx(162.6))


def test_a_long_tail_gets_a_logarithmic_axis() -> None:
    assert "logarithmic" in plots.distributions(LATENCY, {"A": [0.1, 1, 100], "B": [0.2, 2]})
    assert "logarithmic" not in plots.distributions(LATENCY, {"A": [0.0, 1, 100], "B": [0.2, 2]})


@pytest.mark.parametrize(("share", "expected"), [(0, 1), (0.5, 2), (0.51, 3), (0.75, 3), (1, 4)])
def test_a_quantile_is_a_value_that_was_seen(share: float, expected: float) -> None:
    assert plots.quantile([4, 2, 3, 1], share) == expected


def test_the_plane_shows_both_with_their_intervals() -> None:
    cost, quality = rich().effects[3], rich().effects[0]
    svg = plots.tradeoff(cost, quality)
    assert len(parts(svg, "cross")) == 4
    a, b = parts(svg, "point")
    assert float(b["cx"]) < float(a["x"])
    assert float(b["cy"]) < float(a["y"])


def test_bounds_that_nobody_knows_draw_no_cross() -> None:
    svg = plots.tradeoff(rich().effects[3], minimal().effects[0])
    assert len(parts(svg, "cross")) == 2
    assert "nan" not in svg.lower().replace("finance", "")


def test_the_sources_that_a_run_cannot_tell_apart_are_left_out() -> None:
    found = plots.parts(VarianceShares(metric="f1", cases=0.6, generation=0.4))
    assert [(part.source, part.share) for part in found] == [("cases", 0.6), ("generation", 0.4)]
    widths = [float(bar["width"]) for part in found for bar in parts(plots.stack("token F1", found), part.source)]
    assert math.isclose(sum(widths), 596)


def test_labels_of_an_axis_do_not_touch() -> None:
    svg = plots.distributions(LATENCY, {"A": [0.001, *latencies(1.0, 0.4)], "B": latencies(2.0, 0.4)})
    labels = [
        (float(found.attrib["x"]), found.text or "")
        for found in ElementTree.fromstring(svg).iter("text")
        if found.attrib["class"] == "tick" and found.attrib.get("text-anchor") == "middle"
    ]
    assert len(labels) > 2
    for (x, text), (further, other) in pairwise(labels):
        assert further - x > 8 * (len(text) + len(other)) / 2


def test_a_95th_percentile_takes_as_many_answers_as_in_the_table() -> None:
    few, enough = ({"A": latencies(1.0, 0.4, count), "B": latencies(2.0, 0.4)} for count in (19, 20))
    assert (len(parts(plots.distributions(LATENCY, few), "point")), "p95" in plots.distributions(LATENCY, few)) == (2, False)
    assert (len(parts(plots.distributions(LATENCY, enough), "point")), "p95" in plots.distributions(LATENCY, enough)) == (4, True)


@pytest.mark.parametrize(("metric", "left", "right"), [(F1, "-0.05", "+0.05"), (COST, "+$50", "-$50")])
def test_a_row_has_a_ruler_that_runs_with_what_is_good(metric: plots.Metric, left: str, right: str) -> None:
    row = plots.forest(effect(metric, Role.OTHER, 0.5, 0.51, 0.04, Finding.UNKNOWN))
    said = {found.text: float(found.attrib["x"]) for found in ElementTree.fromstring(row).iter("text")}
    assert said.keys() == {left, right}
    assert said[left] < MIDDLE < said[right]


def test_a_row_of_which_nothing_is_known_has_no_ruler() -> None:
    unknown = minimal().effects[0]
    assert "ruler" in plots.forest(unknown)
    assert "ruler" not in plots.forest(unknown.model_copy(update={"margin": None}))


def test_the_names_of_the_two_points_stand_apart() -> None:
    cost, quality = rich().effects[3], rich().effects[0]
    near = cost.model_copy(update={"b": cost.a.model_copy(update={"value": 1.001 * cost.a.value})})
    a, b = parts(plots.tradeoff(near, quality.model_copy(update={"b": quality.a})), "name")
    assert float(b["x"]) - float(a["x"]) >= 20
    assert (a["text-anchor"], b["text-anchor"]) == ("end", "start")


def test_chance_is_no_part_of_the_questions_where_repeats_could_tell() -> None:
    (part,) = plots.parts(VarianceShares(metric="f1", cases=1.0))
    assert part.label == "the questions, and chance (--repeats 2 tells them apart)"
