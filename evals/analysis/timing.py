"""Which cases both runs were asked side by side, so that what they took can be compared.

Knows which asking a time is from. Knows nothing of what takes how long.
"""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from evals.analysis.pairing import IntArray, Pairing
from evals.scores import BoolArray, ScoreTable

MOSTLY = 0.5
"""Of the cases: what fewer of them took is no measure of them."""


class Timing(NamedTuple):
    """Of the paired cases."""

    together: BoolArray
    """Whether the calls of both sides were made by the same asking: a provider is as fast as its day, and as the load we make."""
    a: str
    """By which asking the most of the others were timed on side A; empty where that is not known."""
    b: str

    @property
    def tells(self) -> bool:
        """Whether enough cases were timed together to speak for all."""
        return not len(self.together) or float(np.mean(self.together)) >= MOSTLY

    @property
    def left_out(self) -> float:
        """The share of the cases that were not timed together."""
        return 1 - float(np.mean(self.together)) if len(self.together) else 0.0

    def doubts(self, label: str) -> Iterator[str]:
        """A sentence where what `label` names is not of all cases."""
        if self.together.all():
            return
        count, cases = int(self.together.sum()), len(self.together)
        measured = f"measured on {count:,} of {cases:,} cases" if count else "not measured"
        when = f"A was timed {_moment(self.a)} and B {_moment(self.b)}"
        when = when if self.a != self.b else "A and B are not known to have been timed together"
        yield f"{label} is {measured}: {when}{' in the others' if count else ''}, and --fresh times both side by side"


def timing(a: ScoreTable, b: ScoreTable, pairing: Pairing) -> Timing:
    """Cases are told apart by all the askings that a side's time is made of, over its repeats.

    A time of an asking that is not known is like no other, nor is one that several askings have made: which part each made, is not
    known.
    """
    timed = [_askings(a, pairing.rows_a), _askings(b, pairing.rows_b)]
    known = [all(asking and " " not in asking for asking in row) for row in timed[0]]
    together = np.array([one == other and sure for one, other, sure in zip(*timed, known, strict=True)], dtype=bool)
    askings = [Counter(asking for row, same in zip(side, together, strict=True) if not same for asking in row) for side in timed]
    return Timing(together, *(max(found, key=lambda one: (found[one], one), default="") for found in askings))


def _askings(table: ScoreTable, rows: IntArray) -> list[frozenset[str]]:
    """Of the repeats that were asked, by case."""
    return [
        frozenset(str(asking) for asking in timed[ids != ""])
        for timed, ids in zip(table.timed[rows], table.trace_ids[rows], strict=True)
    ]


def _moment(asking: str) -> str:
    """By the last asking that a time is made of; each has its name from when it began."""
    return f"on {asking.split()[-1][:19].replace('T', ' ')} UTC" if asking.strip() else "earlier"
