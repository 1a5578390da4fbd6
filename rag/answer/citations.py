"""Citation markers in an answer: `[1]`, `[1, 2]`, `[1-3]`, `[1][3]`.

Knows where they are, and what the answer says without them; knows no passage. Links and indices in code are no citations.
"""

import bisect
import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

NUMBER = r"[1-9]\d{0,2}"
MARKER = re.compile(rf"(?:(?<![ \t])[ \t]+)?(?<!!)\[({NUMBER}(?:\s?[,;\u2013-]\s?{NUMBER})*)\](?!\]*\(|:[ \t])")
RANGE = re.compile(rf"({NUMBER})(?:\s?[\u2013-]\s?({NUMBER}))?")
FENCE = r"^[ \t]*(`{3,}|~{3,})[\s\S]*?(?:^[ \t]*\1|\Z)"
CODE = re.compile(rf"{FENCE}|(?<!`)(`+)(?!`)[^\n]*?(?<!`)\2(?!`)", re.MULTILINE)


class Citation(NamedTuple):
    """One marker, with the space before it: `answer[start:end]`, and the numbers of the passages it names."""

    start: int
    end: int
    numbers: tuple[int, ...]


class Uncited(NamedTuple):
    """An answer without its markers, and the way back."""

    text: str
    starts: Sequence[int]
    """Where the kept stretches begin in `text`, ascending from 0."""
    origins: Sequence[int]
    """Where they begin in the answer."""

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """The span of the answer from the first to the last character of `text[start:end]`, which is not empty."""
        return self._position(start), self._position(end - 1) + 1

    def _position(self, offset: int) -> int:
        stretch = bisect.bisect_right(self.starts, offset) - 1
        return self.origins[stretch] + offset - self.starts[stretch]


def citations(answer: str) -> list[Citation]:
    """The markers of `answer`, in order. A range that runs backwards names nothing."""
    code = [found.span() for found in CODE.finditer(answer)]
    found = []
    for marker in MARKER.finditer(answer):
        block = bisect.bisect_right(code, (marker.start(1), len(answer))) - 1
        if block < 0 or code[block][1] <= marker.start(1):
            found.append(Citation(marker.start(), marker.end(), _numbers(marker[1])))
    return found


def uncited(answer: str, markers: Sequence[Citation]) -> Uncited:
    """`answer` without `markers`, which are its `citations`."""
    kept: list[str] = []
    starts: list[int] = []
    origins: list[int] = []
    length = origin = 0
    for start, end in [*((marker.start, marker.end) for marker in markers), (len(answer), len(answer))]:
        if start > origin or not starts:
            kept.append(answer[origin:start])
            starts.append(length)
            origins.append(origin)
            length += start - origin
        origin = end
    return Uncited("".join(kept), starts, origins)


def corrected(answer: str, wrong: Collection[int], right: int) -> str:
    """`answer` where `right` is cited in place of the `wrong` numbers, once; a marker with nothing else in it is left out."""
    markers = citations(answer)
    cited = {number for marker in markers for number in marker.numbers}
    due = right in wrong or right not in cited
    parts = []
    position = 0
    for start, end, numbers in markers:
        if not set(wrong).isdisjoint(numbers):
            left = [number for number in numbers if number not in wrong] + [right] * due
            due = False
            gap = answer[start : answer.index("[", start)]
            instead = f"[{', '.join(map(str, left))}]" if left else ""
            parts += [answer[position:start], gap + instead if left or answer.startswith("[", end) else ""]
            position = end
    return "".join([*parts, answer[position:]])


def _numbers(listed: str) -> tuple[int, ...]:
    numbers: list[int] = []
    for first, last in RANGE.findall(listed):
        numbers += range(int(first), int(last or first) + 1)
    return tuple(dict.fromkeys(numbers))
