"""The one record of one request, from question to verdict, tokens, cost and latency.

Knows what is kept and how it adds up; knows nothing of how a request runs or where the record is stored.
"""

import enum
from collections.abc import Mapping

from rag.llms.base import Attempt, Purpose, Usage
from rag.types import Claim, Filter, Message, Passage, Value
from rag.variant import Variant


class Outcome(enum.StrEnum):
    """How a request ended; every accepted request ends as exactly one of these."""

    ANSWERED = "answered"
    REFUSED = "refused"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    DISCONNECTED = "disconnected"


class Channel(enum.StrEnum):
    """Where a question came in."""

    ASK = "ask"
    CHAT = "chat"
    OPENAI = "openai"
    EVALS = "evals"


class Versions(Value):
    """The identity of everything that decided the answer."""

    code: str
    variant: str
    prompts: Mapping[str, str]
    """Reference to sha256: `{"answer@2": "..."}`."""
    generation: str
    embedder: str
    validator: str


class LeftOut(Value):
    """A passage that was retrieved and not sent, because the context was full."""

    chunk_id: str
    document_id: str
    tokens: int


class Trace(Value):
    """One request. `outcome` is null while it runs; times are milliseconds since the request began."""

    id: str
    """UUIDv7: sortable by time."""
    created_at: str
    """ISO 8601, UTC."""
    channel: Channel
    collection: str
    variant: Variant
    """Whole, as it was: its file may change."""
    versions: Versions
    question: str
    where: Filter = {}
    """Metadata that the passages had to have."""
    relevance: float | None = None
    """How relevant the best passages are, up to 1; null before anything is found."""
    passages: tuple[Passage, ...] = ()
    """As sent, in the order and with the numbers that the answer cites."""
    left_out: tuple[LeftOut, ...] = ()
    messages: tuple[Message, ...] = ()
    """Exactly as sent."""
    attempts: tuple[Attempt, ...] = ()
    draft: str = ""
    """As the model gave it."""
    answer: str = ""
    """As it reached the reader, the beginning of it where it was cut off."""
    claims: tuple[Claim, ...] = ()
    """Of the released answer."""
    released: str | None = None
    """What the release policy did: `unchanged`, `quoted`, `refused`, ..."""
    outcome: Outcome | None = None
    reason: str | None = None
    """Why it was refused, failed, timed out or cut off."""
    stages: Mapping[str, float] = {}
    """Milliseconds spent in each stage."""
    first_token_ms: float | None = None
    """Until the reader got the first piece of text."""
    total_ms: float | None = None

    @property
    def answered_by(self) -> str | None:
        """The model whose text became the answer; null where none gave any."""
        answers = (attempt for attempt in reversed(self.attempts) if attempt.purpose is not Purpose.JUDGE)
        return next((attempt.model for attempt in answers if not attempt.error), None)

    @property
    def usage(self) -> Usage:
        """Tokens of all attempts together."""
        return Usage(**{field: sum(getattr(attempt.usage, field) for attempt in self.attempts) for field in Usage.model_fields})

    @property
    def latency_ms(self) -> float | None:
        """`total_ms`, as it would be had every replayed call been made: what was waited for then is counted now."""
        if self.total_ms is None:
            return None
        return self.total_ms + sum(attempt.replayed.total_ms - attempt.total_ms for attempt in self.attempts if attempt.replayed)

    @property
    def first_text_ms(self) -> float | None:
        """`first_token_ms`, as it would be had every replayed call been made."""
        if self.first_token_ms is None:
            return None
        return self.first_token_ms + sum(_delay(attempt, self.first_token_ms) for attempt in self.attempts)

    @property
    def cost_nanodollars(self) -> int | None:
        """Of all attempts together; null as soon as the price of one is not known."""
        costs = [attempt.cost_nanodollars for attempt in self.attempts]
        return None if None in costs else sum(cost for cost in costs if cost is not None)


def _delay(attempt: Attempt, first_ms: float) -> float:
    """Milliseconds by which a replayed call would have come later, up to the first text that the reader got."""
    if attempt.replayed is None or attempt.started_ms > first_ms:
        return 0.0
    now, then = attempt.first_token_ms, attempt.replayed.first_token_ms
    if now is None or then is None or first_ms >= attempt.started_ms + attempt.total_ms:
        return attempt.replayed.total_ms - attempt.total_ms
    return then - now


def dollars(nanodollars: int | None) -> str:
    """A cost for people, exact to the nano-dollar: `$0.000123`, or `unknown`."""
    if nanodollars is None:
        return "unknown"
    whole, fraction = divmod(nanodollars, 1_000_000_000)
    return f"${whole}.{fraction:09d}".rstrip("0").ljust(len(f"${whole}.00"), "0")
