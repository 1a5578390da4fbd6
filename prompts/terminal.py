"""Text of unknown origin, made fit to be shown: in a terminal, on a page, in a report.

Knows characters. Knows no markup: escaping belongs to each medium.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
"""Controls, halves of surrogate pairs, what XML forbids, and the marks that would reorder the text around them."""
_BREAK = re.compile(r"[\u2028\u2029]")


def printable(text: str) -> str:
    """The text without the characters that draw nothing and can do harm; lines and tabs stay."""
    return _UNSEEN.sub("", _BREAK.sub("\n", text))


class Printable(NamedTuple):
    """What rich draws, without what a question or a document may want to tell the terminal: colours are ours alone."""

    shown: "RenderableType"

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[Segment]":
        for segment in console.render(self.shown, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))
