"""What every model that reads a claim against its evidence can do. Knows no model."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Pair(NamedTuple):
    """A claim, and the text that it is judged by."""

    question: str
    """What the claim answers; may be empty."""
    premise: str
    claim: str


class Entailment(Protocol):
    """A model on this machine. Safe to call from several threads."""

    @property
    def identity(self) -> str:
        """What decides the probabilities: name and digest of the weights."""
        ...

    def probabilities(self, pairs: Sequence[Pair]) -> list[float]:
        """For each pair, from 0 to 1, that the premise supports the claim, in the model's own uncalibrated measure."""
        ...
