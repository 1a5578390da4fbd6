"""The plots of the pages, as SVG with the page's CSS classes.

Knows scales and marks. Knows nothing of what is counted. The XML writer escapes all text.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from xml.etree import ElementTree

from markupsafe import Markup

from api.pages import formatting
from evals.report.plots import Scale
from prompts.terminal import printable
from rag.figures import milliseconds, price

PANEL = (380, 176)
"""Width and height of a plot over time."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 6, 8, 22
_BAR = (1000, 14)
"""Width and height of a bar in a table's row; the browser stretches it."""
_UNITS: Mapping[str, Callable[[float], str]] = {
    "count": formatting.count,
    "milliseconds": lambda value: milliseconds(value) if value else "0",
    "dollars": lambda nanodollars: price(nanodollars) if nanodollars else "$0",
    "percent": lambda share: f"{100 * share:.3g} %",
}

_LEAST = {"count": 4.0, "milliseconds": 1.0, "dollars": 1e5}
"""The least range of an axis, so that its labels differ, and zero looks like zero."""


GAP = 0.8
"""Between the parts of a column."""


def columns(title: str, begins: Sequence[datetime], series: Mapping[str, Sequence[float]], unit: str) -> Markup:
    """A column for each time, with the series stacked. The name of a series is its CSS class."""
    stacks = list(zip(*series.values(), strict=True))
    svg, y = _panel(title, begins, max(map(sum, stacks)), unit)
    width = (PANEL[0] - _LEFT - _RIGHT) / len(begins)
    for place, (at, stack) in enumerate(zip(begins, stacks, strict=True)):
        if not sum(stack):
            continue
        column = ElementTree.SubElement(svg, "g")
        values = ((name, value) for name, value in zip(series, stack, strict=True) if value)
        label = ", ".join(f"{_UNITS[unit](value)} {formatting.words(name)}" for name, value in values)
        _tell(column, at, label)
        foot = 0.0
        for name, value in zip(series, stack, strict=True):
            if value:
                x, top = _LEFT + place * width, y(foot + value)
                height = y(foot) - top - (GAP if foot else 0.0)
                _add(column, "rect", f"fill {name}", x=x + width * 0.1, y=top, width=width * 0.8, height=max(height, 0.8))
                foot += value
    return _markup(svg)


def lines(
    title: str, begins: Sequence[datetime], series: Mapping[str, Sequence[float | None]], unit: str, of: Sequence[str]
) -> Markup:
    """A line for each series, with gaps at null; `of` is what the values of each time are of.

    The name of a series is its CSS class.
    """
    svg, y = _panel(title, begins, max(value for values in series.values() for value in values if value is not None), unit)
    width = (PANEL[0] - _LEFT - _RIGHT) / len(begins)
    for name, values in series.items():
        points = [None if value is None else (_LEFT + (place + 0.5) * width, y(value)) for place, value in enumerate(values)]
        path = ""
        for before, point, after in zip([None, *points], points, [*points[1:], None], strict=False):
            if point:
                path += f"{'L' if before else 'M'}{point[0]:.1f},{point[1]:.1f}"
                if not before and not after:
                    _add(svg, "circle", f"fill {name}", cx=point[0], cy=point[1], r=2.2)
        _add(svg, "path", f"line {name}", d=path)
    for place, at in enumerate(begins):
        known = [(name, values[place]) for name, values in series.items()]
        label = ", ".join(f"{name} {_UNITS[unit](value)}" for name, value in known if value is not None)
        if label:
            area = _add(svg, "rect", "", x=_LEFT + place * width, y=_TOP, width=width, height=PANEL[1] - _TOP - _BOTTOM)
            area.set("fill", "transparent")
            _tell(area, at, f"{label} of {of[place]}")
    return _markup(svg)


def bar(title: str, kind: str, start: float, length: float, whole: float, marks: Sequence[float] = ()) -> Markup:
    """A stretch of a time axis from 0 to `whole`, with `marks` at moments on it."""
    width, height = _BAR
    svg = _svg(width, height, title)
    svg.set("preserveAspectRatio", "none")
    scale = width / (whole or 1.0)
    for mark in marks:
        line = _add(svg, "line", "mark", x1=mark * scale, x2=mark * scale, y1=0.0, y2=height)
        line.set("vector-effect", "non-scaling-stroke")
    left = min(start * scale, width - 3.0)
    _add(svg, "rect", kind, x=left, y=2.0, width=max(3.0, min(length * scale, width - left)), height=height - 4.0)
    return _markup(svg)


def whisker(
    title: str, kind: str, value: float, low: float, high: float, ends: tuple[float, float], limit: float | None = None
) -> Markup:
    """An interval around a value, on a scale between `ends` that the rows of a table share, with a line at `limit`."""
    width, height = 300, 26
    scale = Scale([end for end in ends if math.isfinite(end)], 6, width - 6)
    svg = _svg(width, height, title)
    middle = height / 2

    def x(at: float) -> float:
        return min(max(scale(at), 0.0), float(width)) if math.isfinite(at) else (0.0 if at < 0 else float(width))

    if ends[0] <= 0 <= ends[1]:
        _add(svg, "line", "grid", x1=x(0), x2=x(0), y1=0.0, y2=height)
    if limit is not None:
        _add(svg, "line", "limit", x1=x(limit), x2=x(limit), y1=0.0, y2=height)
    _add(svg, "line", f"whisker {kind}", x1=x(low), x2=x(high), y1=middle, y2=middle)
    for end in (low, high):
        if math.isfinite(end):
            _add(svg, "line", f"whisker {kind}", x1=x(end), x2=x(end), y1=middle - 5, y2=middle + 5)
    _add(svg, "circle", f"fill {kind}", cx=x(value), cy=middle, r=4.5)
    return _markup(svg)


def _panel(title: str, begins: Sequence[datetime], most: float, unit: str) -> tuple[ElementTree.Element, Scale]:
    """The axes, from zero to a round number above `most`."""
    svg = _svg(*PANEL, title)
    ticks = _ticks(max(most, _LEAST.get(unit, 0.0)) or 1.0)
    y = Scale(ticks, PANEL[1] - _BOTTOM, _TOP, padding=0)
    for tick in ticks:
        _add(svg, "line", "grid", x1=_LEFT, x2=PANEL[0] - _RIGHT, y1=y(tick), y2=y(tick))
        _add(svg, "text", "", _UNITS[unit](tick), x=_LEFT - 6, y=y(tick) + 4).set("text-anchor", "end")
    width, step = (PANEL[0] - _LEFT - _RIGHT) / len(begins), math.ceil(len(begins) / 4)
    daily = begins[-1] - begins[0] > timedelta(days=2)
    for place in range(0, len(begins), step):
        at = begins[place]
        text = _add(svg, "text", "", f"{at:%b %d}" if daily else f"{at:%H:%M}", x=_LEFT + place * width, y=PANEL[1] - 6)
        text.set("data-time", at.isoformat())
        text.set("data-form", "day" if daily else "hour")
    return svg, y


def _ticks(most: float) -> list[float]:
    """From zero to at least `most`, four to six of them, 1, 2 or 5 times a power of ten apart."""
    power = 10.0 ** math.floor(math.log10(most / 2))
    step = next(m * power for m in (1, 2, 5, 10) if most / (m * power) <= 5)
    return [step * count for count in range(math.ceil(most / step - 1e-9) + 1)]


def _tell(parent: ElementTree.Element, at: datetime, label: str) -> None:
    """What is shown under the pointer; a script writes the time as the reader's clock has it."""
    ElementTree.SubElement(parent, "title", {"data-begins": at.isoformat()}).text = f"{at:%Y-%m-%d %H:%M} UTC: {label}"


def _svg(width: float, height: float, title: str) -> ElementTree.Element:
    svg = ElementTree.Element("svg", {"viewBox": f"0 0 {width:g} {height:g}", "role": "img"})
    ElementTree.SubElement(svg, "title").text = printable(title)
    return svg


def _add(
    parent: ElementTree.Element, tag: str, kind: str, text: str | None = None, **attributes: float | str
) -> ElementTree.Element:
    written = {name: value if isinstance(value, str) else f"{value:.1f}" for name, value in attributes.items()}
    made = ElementTree.SubElement(parent, tag, {"class": kind, **written} if kind else written)
    made.text = printable(text) if text else None
    return made


def _markup(svg: ElementTree.Element) -> Markup:
    return Markup(ElementTree.tostring(svg, encoding="unicode"))  # noqa: S704 - the XML writer has escaped it
