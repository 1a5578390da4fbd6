"""Pictures of a comparison, or of a run by itself, as SVG that stands inside a page and takes its colours from the page's classes.

Knows scales, marks and titles. Knows nothing of the page around them; all text is escaped by the XML writer.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple
from xml.etree import ElementTree

from markupsafe import Markup

from evals.comparison import Effect, Estimate, Finding, Role, TagEffect, VarianceShares
from evals.format import PRICED, between, change, interval, shown
from evals.measurement import Mean
from evals.scorers.base import Metric
from evals.stats.quantiles import NEEDED
from prompts.terminal import printable

FOREST = (300, 56)
"""Width and height of one row."""
PANEL = (480, 320)
"""Of a plot with axes."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 18, 46
"""Between the frame and the edge of a panel."""
_LETTER = 8.5
"""The width of one in a label."""


def forest(effect: Effect | TagEffect) -> Markup:
    """One row of a forest plot: the interval of B - A, turned so that right is good for B, zero in the middle.

    It is scaled to whatever is widest of its intervals and its margin, so that shares and dollars can stand below one another.
    """
    metric, difference = effect.metric, effect.difference
    naive = effect.naive if isinstance(effect, Effect) else None
    margin = effect.margin if isinstance(effect, Effect) else None
    ends = [difference.low, difference.high, difference.value, margin or 0.0, *((naive.low, naive.high) if naive else ())]
    reach = max((abs(end) for end in ends if math.isfinite(end)), default=0.0) or 1.0
    width, height = FOREST
    good = 1 if metric.better == "higher" else -1
    middle = height / 2

    def x(value: float) -> float:
        return width / 2 * (1 + 0.92 * max(-1.06, min(1.06, good * value / reach)))

    title = f"{metric.label}: {change(metric, difference.value)} {interval(metric, difference)}, {effect.finding}"
    svg = _svg(width, height, title, "forest")
    if margin and isinstance(effect, Effect):
        left = x(-good * margin)
        right = width / 2 if effect.role is Role.GUARDRAIL else x(good * margin)
        _add(svg, "rect", "margin", x=left, y=0, width=right - left, height=height)
        for edge in {left, right} - {width / 2}:
            _add(svg, "line", "edge", x1=edge, x2=edge, y1=0, y2=height)
    if any(math.isfinite(end) and end for end in ends):
        _ruler(svg, metric, Scale((-reach, reach), 0, 1, padding=0).ticks, x)
    _add(svg, "line", "zero", x1=width / 2, x2=width / 2, y1=0, y2=height)
    if naive:
        _add(svg, "line", "naive", x1=x(naive.low), x2=x(naive.high), y1=middle, y2=middle)
        for bound in (naive.low, naive.high):
            if math.isfinite(bound):
                _add(svg, "line", "naive", x1=x(bound), x2=x(bound), y1=middle - 4, y2=middle + 4)
    colour = finding_class(effect.finding)
    _add(svg, "line", f"paired {colour}", x1=x(difference.low), x2=x(difference.high), y1=middle, y2=middle)
    for bound in (difference.low, difference.high):
        if math.isinf(bound):
            _arrow(svg, x(bound), middle, colour)
    if math.isfinite(difference.value):
        _add(svg, "circle", f"point {colour}", cx=x(difference.value), cy=middle, r=5)
    return _markup(svg)


def _ruler(svg: ElementTree.Element, metric: Metric, ticks: Sequence[float], x: Callable[[float], float]) -> None:
    """Marks along the lower edge, the outermost two with their values."""
    height = FOREST[1]
    for tick in ticks:
        _add(svg, "line", "grid", x1=x(tick), x2=x(tick), y1=height - 4, y2=height)
    for tick in {ticks[0], ticks[-1]} - {0.0}:
        outer = "start" if x(tick) < FOREST[0] / 2 else "end"
        at = x(tick) + (3 if outer == "start" else -3)
        said = f"{'+' if tick > 0 else ''}{_tick(metric, tick)}"
        _add(svg, "text", "ruler", said, x=at, y=height - 3, **{"text-anchor": outer})


def finding_class(finding: Finding) -> str:
    """The class that colours it."""
    return finding.name.lower()


class Axis(NamedTuple):
    """What an effect's means are measured on."""

    effect: Effect

    @property
    def ends(self) -> list[float]:
        """Of what must be seen: both points and their intervals, as far as those are known."""
        sides = (self.effect.a, self.effect.b)
        return [value for side in sides for value in (side.value, *_bounds(side))]

    @property
    def label(self) -> str:
        return f"{self.effect.metric.label} ({self.effect.metric.better} is better)"


def tradeoff(price: Effect, quality: Effect) -> Markup:
    """A and B as points with the crosses of their intervals: what an answer takes against how good it is."""
    across, up = Axis(price), Axis(quality)
    x = Scale(across.ends, _LEFT, PANEL[0] - _RIGHT)
    y = Scale(up.ends, PANEL[1] - _BOTTOM, _TOP)
    sides = [("A", price.a, quality.a), ("B", price.b, quality.b)]
    said = "; ".join(f"{name} {shown(price.metric, p.value)}, {shown(quality.metric, q.value)}" for name, p, q in sides)
    svg = _panel(f"{quality.metric.label} against {price.metric.label}: {said}", x, y, price.metric, quality.metric)
    _axis_labels(svg, across.label, up.label)
    _add(svg, "line", "move", x1=x(price.a.value), y1=y(quality.a.value), x2=x(price.b.value), y2=y(quality.b.value))
    for name, p, q in sides:
        side = name.lower()
        for low, high in _cross(p):
            _add(svg, "line", f"cross {side}", x1=x(low), x2=x(high), y1=y(q.value), y2=y(q.value))
        for low, high in _cross(q):
            _add(svg, "line", f"cross {side}", x1=x(p.value), x2=x(p.value), y1=y(low), y2=y(high))
        _point(svg, side, x(p.value), y(q.value))
        outward = -1 if (side == "a") is (price.a.value <= price.b.value) else 1
        anchor = {"text-anchor": "end" if outward < 0 else "start"}
        _add(svg, "text", f"name {side}", name, x=x(p.value) + 10 * outward, y=y(q.value) - 10, **anchor)
    return _markup(svg)


def level(mean: Mean) -> Markup:
    """One row: a mean between 0 and 1 with its interval, over the whole of what it could be."""
    width, height = FOREST
    middle = height / 2
    svg = _svg(width, height, f"{mean.metric.label}: {between(mean.metric, mean.estimate)}", "forest")
    _add(svg, "line", "naive", x1=0, x2=width, y1=middle, y2=middle)
    if estimate := mean.estimate:
        for low, high in _cross(estimate):
            _add(svg, "line", "paired held", x1=width * low, x2=width * high, y1=middle, y2=middle)
        _add(svg, "circle", "point held", cx=min(max(width * estimate.value, 6), width - 6), cy=middle, r=5)
    return _markup(svg)


def marks(sides: Mapping[str, Sequence[float]]) -> list[float]:
    """The quantiles that so many values tell."""
    fewest = min(map(len, sides.values()))
    return [mark for mark in (0.5, 0.95) if fewest >= NEEDED.get(mark, 1)]


def distributions(metric: Metric, sides: Mapping[str, Sequence[float]]) -> Markup:
    """The share of answers that took at most so long, of `A` and `B`, or of one side without a name, with its `marks`."""
    ends = [value for values in sides.values() for value in values]
    x = Scale(ends, _LEFT, PANEL[0] - _RIGHT, log=min(ends) > 0 and max(ends) > 30 * min(ends))
    y = Scale([0.0, 1.0], PANEL[1] - _BOTTOM, _TOP, padding=0)
    marked = marks(sides)
    said = "; ".join(
        f"{name} ".lstrip() + ", ".join(f"p{100 * mark:.0f} {shown(metric, quantile(values, mark))}" for mark in marked)
        for name, values in sides.items()
    )
    svg = _panel(
        f"Distribution of {metric.label}: {said}", x, y, metric, Metric(name="", label="", better="higher", unit="share")
    )
    _axis_labels(svg, f"{metric.label}{', logarithmic' if x.log else ''}", "share of answers")
    for mark in marked:
        _add(svg, "line", "edge", x1=_LEFT, x2=PANEL[0] - _RIGHT, y1=y(mark), y2=y(mark))
        _add(svg, "text", "tick", f"p{100 * mark:.0f}", x=PANEL[0] - _RIGHT, y=y(mark) + 13, **{"text-anchor": "end"})
    for name, values in sides.items():
        side = name.lower() or "b"
        _add(svg, "path", f"curve {side}", d=_steps(sorted(values), x, y))
        for mark in marked:
            _point(svg, side, x(quantile(values, mark)), y(mark))
    return _markup(svg)


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


class Part(NamedTuple):
    """One source of variance, its name for people, and its share."""

    source: str
    label: str
    share: float


def parts(variance: VarianceShares) -> list[Part]:
    """The sources that the run could tell apart."""
    alone = (
        "the questions themselves"
        if variance.generation is not None
        else "the questions, and chance (--repeats 2 tells them apart)"
    )
    shares = (
        Part("cases", alone, variance.cases),
        Part("retrieval", "the passages found", variance.retrieval if variance.retrieval is not None else math.nan),
        Part("generation", "asking again", variance.generation if variance.generation is not None else math.nan),
        Part("judge", "judging again", variance.judge if variance.judge is not None else math.nan),
    )
    return [part for part in shares if math.isfinite(part.share)]


def stack(label: str, shares: Iterable[Part]) -> Markup:
    """A bar cut into shares of 1."""
    shares = list(shares)
    said = ", ".join(f"{part.label} {part.share:.0%}" for part in shares)
    svg = _svg(600, 20, f"{label}: {said}", "stack", preserveAspectRatio="none")
    at = 0.0
    for part in shares:
        _add(svg, "rect", part.source, x=600 * at, y=0, width=max(0.0, 600 * part.share - 2), height=20)
        at += part.share
    return _markup(svg)


class Scale:
    """Values to pixels, with room around them unless `padding` is 0."""

    def __init__(self, values: Sequence[float], start: float, end: float, *, padding: float = 0.08, log: bool = False) -> None:
        self.log = log
        low, high = (self._place(bound) for bound in (min(values), max(values)))
        room = padding * (high - low) or padding * (abs(high) or 1.0)
        self.low, self.high = low - room, high + room
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        return self.start + (self.end - self.start) * (self._place(value) - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[float]:
        """Round values within the scale, three to eight of them: 1, 2 or 5 times a power of ten."""
        if self.log:
            decades = range(math.floor(self.low), math.ceil(self.high) + 1)
            return [t for e in decades for t in (10.0**e, 3 * 10.0**e) if self.low <= math.log10(t) <= self.high]
        power = 10.0 ** math.floor(math.log10((self.high - self.low) / 2))
        step = next(m * power for m in (1, 2, 5, 10) if (self.high - self.low) / (m * power) <= 6)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [step * count for count in range(first, last + 1)]

    def _place(self, value: float) -> float:
        return math.log10(value) if self.log else value


def _bounds(estimate: Estimate) -> list[float]:
    return [bound for bound in (estimate.low, estimate.high) if math.isfinite(bound)]


def _cross(estimate: Estimate) -> list[tuple[float, float]]:
    bounds = _bounds(estimate)
    return [(bounds[0], bounds[1])] if len(bounds) == 2 else []


def _steps(values: Sequence[float], x: Scale, y: Scale) -> str:
    count = len(values)
    corners = (f"V{y(rank / count):.1f}H{x(value):.1f}" for rank, value in enumerate(values))
    return f"M{x(values[0]):.1f},{y(0):.1f}{''.join(corners)}V{y(1):.1f}"


def _panel(title: str, x: Scale, y: Scale, across: Metric, up: Metric) -> ElementTree.Element:
    width, height = PANEL
    svg = _svg(width, height, title, "panel")
    for tick in y.ticks:
        _add(svg, "line", "grid", x1=_LEFT, x2=width - _RIGHT, y1=y(tick), y2=y(tick))
        _add(svg, "text", "tick", _tick(up, tick), x=_LEFT - 8, y=y(tick) + 4, **{"text-anchor": "end"})
    for tick in x.ticks:
        _add(svg, "line", "grid", x1=x(tick), x2=x(tick), y1=_TOP, y2=height - _BOTTOM)
    for tick in _apart(x, across):
        _add(svg, "text", "tick", _tick(across, tick), x=x(tick), y=height - _BOTTOM + 18, **{"text-anchor": "middle"})
    return svg


def _apart(scale: Scale, metric: Metric) -> list[float]:
    """The ticks whose labels do not touch the one before them, as wide as a small screen writes them."""
    kept: list[float] = []
    end = -math.inf
    for tick in scale.ticks:
        half = _LETTER * len(_tick(metric, tick)) / 2
        if scale(tick) - half > end:
            kept.append(tick)
            end = scale(tick) + half + _LETTER
    return kept


def _tick(metric: Metric, value: float) -> str:
    """As short as a round value can be said."""
    if metric.unit == "dollars":
        amount = f"${abs(PRICED * value):,.6f}".rstrip("0").rstrip(".")
        return f"-{amount}" if value < 0 else amount
    number = 100 * value if metric.unit == "binary" else value
    return f"{number:,.6f}".rstrip("0").rstrip(".") + {"binary": " %", "seconds": " s"}.get(metric.unit, "")


def _axis_labels(svg: ElementTree.Element, across: str, up: str) -> None:
    width, height = PANEL
    middle = (_LEFT + width - _RIGHT) / 2
    _add(svg, "text", "axis", across, x=middle, y=height - 8, **{"text-anchor": "middle"})
    at = (_TOP + height - _BOTTOM) / 2
    _add(svg, "text", "axis", up, x=14, y=at, transform=f"rotate(-90 14 {at:g})", **{"text-anchor": "middle"})


def _point(svg: ElementTree.Element, side: str, x: float, y: float) -> None:
    """A is a square, B a disc: told apart without colour."""
    if side == "a":
        _add(svg, "rect", "point a", x=x - 4.5, y=y - 4.5, width=9, height=9)
    else:
        _add(svg, "circle", "point b", cx=x, cy=y, r=5)


def _arrow(svg: ElementTree.Element, x: float, y: float, colour: str) -> None:
    """The bound lies beyond the edge."""
    tip = 9 if x > FOREST[0] / 2 else -9
    _add(
        svg,
        "path",
        f"point {colour}",
        d=f"M{x - tip / 2:.1f},{y - 7:.1f}L{x + tip / 2:.1f},{y:.1f}L{x - tip / 2:.1f},{y + 7:.1f}Z",
    )


def _svg(width: float, height: float, title: str, kind: str, **attributes: str) -> ElementTree.Element:
    svg = ElementTree.Element("svg", {"class": kind, "viewBox": f"0 0 {width:g} {height:g}", "role": "img", **attributes})
    ElementTree.SubElement(svg, "title").text = printable(title)
    return svg


def _add(svg: ElementTree.Element, tag: str, kind: str, text: str | None = None, **attributes: float | str) -> None:
    written = {name: value if isinstance(value, str) else f"{value:.1f}" for name, value in attributes.items()}
    ElementTree.SubElement(svg, tag, {"class": kind, **written}).text = printable(text) if text else None


def _markup(svg: ElementTree.Element) -> Markup:
    return Markup(ElementTree.tostring(svg, encoding="unicode"))  # noqa: S704 - the XML writer has escaped it
