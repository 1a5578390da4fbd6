"""What every model that reads a claim against its evidence can do. Knows no model."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Pair(NamedTuple):
    """A claim, and the text that it is judged by."""

    question: str
    """What the claim answers; may be empty."""
    premise: str
    claim: str


class Reading(NamedTuple):
    """What a model makes of one pair."""

    probability: float
    """From 0 to 1, that the premise supports the claim, in the model's own uncalibrated measure."""
    doubt: tuple[int, int] | None = None
    """The word of the claim (characters, half open) that the premise supports least; null where it doubts none, or cannot say."""


class Entailment(Protocol):
    """A model on this machine. Safe to call from several threads."""

    @property
    def identity(self) -> str:
        """What decides the probabilities: name and digest of the weights."""
        ...

    def read(self, pairs: Sequence[Pair]) -> list[Reading]:
        """One for each pair, in order."""
        ...
