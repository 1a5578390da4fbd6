"""How values are written on a page: units, times, and texts with marked claims.

Knows units, and how a text is cut at its claims or evidence. Knows no page.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from markupsafe import Markup

from evals.report.text import line
from rag.figures import counted, elapsed, milliseconds, price
from rag.types import Claim, Evidence

__all__ = [
    "claimed",
    "count",
    "counted",
    "elapsed",
    "evident",
    "line",
    "milliseconds",
    "percent",
    "price",
    "sentence",
    "when",
    "words",
]


class Piece(NamedTuple):
    """A stretch of a text, and the claim or evidence that it is; null if it is neither."""

    text: str
    about: Claim | Evidence | None


def claimed(text: str, claims: Iterable[Claim]) -> list[Piece]:
    """A text cut at its claims. A claim that overlaps the previous one is left out."""
    return _cut(text, sorted(claims, key=lambda claim: claim.start))


def evident(text: str, claims: Iterable[Claim], passage: int) -> list[Piece]:
    """The text of the passage with this number, cut at the evidence of the claims."""
    found = {(e.start, e.end): e for claim in claims if (e := claim.evidence) and e.passage == passage}
    return _cut(text, [found[place] for place in sorted(found)])


def percent(share: float | None) -> str:
    """`3.2 %`; a dash if there is nothing to divide by."""
    return "–" if share is None else f"{100 * share:.1f} %"


def count(value: float) -> str:
    """A whole number: `1,204`."""
    return f"{value:,.0f}"


def when(moment: str | datetime) -> Markup:
    """A time element in UTC, which a script converts to the reader's time zone."""
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    return Markup('<time datetime="{}">{:%Y-%m-%d %H:%M:%S} UTC</time>').format(at.isoformat(timespec="milliseconds"), at)


def words(name: str | None) -> str:
    """The words of an outcome: `timed out` for `timed_out`, `running` for none."""
    return (name or "running").replace("_", " ")


def sentence(text: str) -> str:
    """With a capital at the beginning."""
    return text[:1].upper() + text[1:]


def _cut(text: str, spans: Sequence[Claim | Evidence]) -> list[Piece]:
    pieces, at = [], 0
    for span in spans:
        if span.start < at:
            continue
        if span.start > at:
            pieces.append(Piece(text[at : span.start], None))
        pieces.append(Piece(text[span.start : span.end], span))
        at = span.end
    return [*pieces, Piece(text[at:], None)] if at < len(text) else pieces
