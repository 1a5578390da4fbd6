"""The one record of one request, from question to verdict, tokens, cost and latency.

Knows its fields and what they add up to. Knows nothing of how a request runs, or of where the record is stored.
"""

import enum
from collections.abc import Mapping

from rag.answer.withholding import UNGROUNDED
from rag.llms.base import Attempt, Purpose, Usage
from rag.llms.pricing import total
from rag.types import Claim, Filter, Message, Passage, Value
from rag.variant import Variant


class Outcome(enum.StrEnum):
    """How a request ended; every accepted request ends as exactly one of these."""

    ANSWERED = "answered"
    REFUSED = "refused"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    DISCONNECTED = "disconnected"

    @property
    def succeeded(self) -> bool:
        """Whether the reader got an answer, or was told that there is none."""
        return self in (Outcome.ANSWERED, Outcome.REFUSED)


def hallucinates(outcome: str | None, ungrounded: int | None) -> bool | None:
    """Whether the model stated what its passages do not support, released or withheld: the hallucination rate is the mean of this.

    Null for a request that has not succeeded (see `Outcome.succeeded`), and for one whose claims were not judged.
    """
    if outcome is None or ungrounded is None or not Outcome(outcome).succeeded:
        return None
    return ungrounded > 0


class Channel(enum.StrEnum):
    """Through which interface a question came."""

    ASK = "ask"
    CHAT = "chat"
    OPENAI = "openai"
    EVALS = "evals"
    SHADOW = "shadow"
    """A copy of a question, answered by a candidate; nobody waits for it."""


class Versions(Value):
    """The versions of everything that decided the answer."""

    code: str
    variant: str
    prompts: Mapping[str, str]
    """Reference to sha256: `{"answer@2": "..."}`."""
    generation: str
    embedder: str
    validator: str


class Origin(Value):
    """Who sent a request, and which experiment chose its variant."""

    key: str | None = None
    """The id of the API key."""
    unit: str | None = None
    """A digest of the user or session that the request named; an experiment always assigns it to the same arm."""
    experiment: str | None = None
    arm: str | None = None
    """The experiment's arm: `control` or `candidate`."""
    shadow_of: str | None = None
    """The id of the trace whose question was copied."""


NOBODY = Origin()


class LeftOut(Value):
    """A passage that was retrieved but not sent, because the context was full."""

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
    """All of its settings at that time; its file may have changed since."""
    versions: Versions
    origin: Origin = NOBODY
    question: str
    history: tuple[Message, ...] = ()
    """The conversation before the question, oldest message first, as the caller sent it."""
    query: str | None = None
    """What was searched for instead of the question, if that depends on the history."""
    where: Filter = {}
    """The filter: metadata that the passages had to have."""
    relevance: float | None = None
    """How relevant the best passages are, up to 1; null before the search."""
    passages: tuple[Passage, ...] = ()
    """The passages that were sent, in that order, with the numbers that the answer cites."""
    left_out: tuple[LeftOut, ...] = ()
    messages: tuple[Message, ...] = ()
    """The messages exactly as sent."""
    attempts: tuple[Attempt, ...] = ()
    draft: str = ""
    """What the model wrote, without the fences of its prompt."""
    answer: str = ""
    """What reached the reader; only its beginning if the request was cut off."""
    claims: tuple[Claim, ...] = ()
    """The claims of the released answer."""
    withheld: tuple[Claim, ...] = ()
    """The claims of the draft that were not released: `text == draft[start:end]`."""
    released: str | None = None
    """What the release policy did: `unchanged`, `quoted`, `refused`, ..."""
    outcome: Outcome | None = None
    reason: str | None = None
    """Why it was refused, failed, timed out or was cut off."""
    stages: Mapping[str, float] = {}
    """Milliseconds spent in each stage."""
    first_token_ms: float | None = None
    """Milliseconds until the reader got the first text."""
    total_ms: float | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the request ended in an answer or a refusal; false while it runs."""
        return self.outcome is not None and self.outcome.succeeded

    @property
    def answered_by(self) -> str | None:
        """The model whose text became the answer; null if none gave any."""
        answers = (attempt for attempt in reversed(self.attempts) if attempt.purpose in (Purpose.ANSWER, Purpose.RETRY))
        return next((attempt.model for attempt in answers if not attempt.error), None)

    @property
    def ungrounded(self) -> int:
        """How many claims of the draft are unsupported or contradicted by the passages, released or withheld.

        The text of a refusal counts as no claim.
        """
        released = () if self.outcome is Outcome.REFUSED else self.claims
        return sum(claim.verdict in UNGROUNDED for claim in (*released, *self.withheld))

    @property
    def held_ms(self) -> float | None:
        """Milliseconds from the model's first text to the reader's: the delay that judging before releasing adds."""
        if self.first_token_ms is None:
            return None
        begins = (attempt.started_ms + attempt.first_token_ms for attempt in self.attempts if attempt.first_token_ms is not None)
        first = next(begins, None)
        return None if first is None else max(0.0, self.first_token_ms - first)

    @property
    def usage(self) -> Usage:
        """The tokens of all attempts together."""
        return Usage(**{field: sum(getattr(attempt.usage, field) for attempt in self.attempts) for field in Usage.model_fields})

    @property
    def latency_ms(self) -> float | None:
        """`total_ms`, with the original time of each replayed call: as if it had been made."""
        if self.total_ms is None:
            return None
        return self.total_ms + sum(attempt.replayed.total_ms - attempt.total_ms for attempt in self.attempts if attempt.replayed)

    @property
    def first_text_ms(self) -> float | None:
        """`first_token_ms`, with the original time of each replayed call: as if it had been made."""
        if self.first_token_ms is None:
            return None
        return self.first_token_ms + sum(_delay(attempt, self.first_token_ms) for attempt in self.attempts)

    @property
    def cost_nanodollars(self) -> int | None:
        """The cost of all attempts; null while the request runs, and if the cost of one is not known."""
        return None if self.outcome is None else total(attempt.cost_nanodollars for attempt in self.attempts)

    @property
    def estimated(self) -> bool:
        """Whether part of the cost is an estimate: a call was cut off before the provider reported its usage."""
        return any(attempt.estimated for attempt in self.attempts)


def _delay(attempt: Attempt, first_ms: float) -> float:
    """Milliseconds by which the original call would have delayed the reader's first text, compared with its replay."""
    if attempt.replayed is None or attempt.started_ms > first_ms:
        return 0.0
    now, then = attempt.first_token_ms, attempt.replayed.first_token_ms
    if now is None or then is None or first_ms >= attempt.started_ms + attempt.total_ms:
        return attempt.replayed.total_ms - attempt.total_ms
    return then - now


def dollars(nanodollars: int | None, *, estimated: bool = False) -> str:
    """A cost as text, exact to the nano-dollar: `$0.000123`, `about $0.000123`, or `unknown`."""
    if nanodollars is None:
        return "unknown"
    whole, fraction = divmod(nanodollars, 1_000_000_000)
    exact = f"${whole}.{fraction:09d}".rstrip("0").ljust(len(f"${whole}.00"), "0")
    return f"about {exact}" if estimated else exact
