"""What every validator can do. Knows no method."""

from collections.abc import Sequence
from typing import Protocol

from rag.types import Claim, Passage


class Validator(Protocol):
    """An answer and the passages it must rest on, in; its claims with their verdicts, out. Safe to call from several threads."""

    @property
    def identity(self) -> str:
        """What decides the verdicts, thresholds included: `lexical@1:<digest>`."""
        ...

    def validate(self, question: str, answer: str, passages: Sequence[Passage]) -> list[Claim]:
        """The claims in the order of the answer. What is no claim (a greeting, a refusal, a question) is not in the list."""
        ...
