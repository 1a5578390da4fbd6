"""The one record of one request, from question to verdict, tokens, cost and latency.

Knows what is kept and how it adds up; knows nothing of how a request runs or where the record is stored.
"""

import enum
from collections.abc import Mapping

from rag.answer.release import UNGROUNDED
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


ENDED_WELL = (Outcome.ANSWERED, Outcome.REFUSED)


def hallucinates(outcome: str | None, ungrounded: int | None) -> bool | None:
    """Whether the model stated what its passages do not support, released or withheld: the hallucination rate is the mean of this.

    Null where the request ended in neither an answer nor a refusal, and where its claims were not judged.
    """
    return ungrounded > 0 if outcome in ENDED_WELL and ungrounded is not None else None


class Channel(enum.StrEnum):
    """Where a question came in."""

    ASK = "ask"
    CHAT = "chat"
    OPENAI = "openai"
    EVALS = "evals"
    SHADOW = "shadow"
    """A copy of a question that nobody waits for."""


class Versions(Value):
    """The identity of everything that decided the answer."""

    code: str
    variant: str
    prompts: Mapping[str, str]
    """Reference to sha256: `{"answer@2": "..."}`."""
    generation: str
    embedder: str
    validator: str


class Origin(Value):
    """On whose behalf a request came, and who chose its variant."""

    key: str | None = None
    """The id of the API key."""
    unit: str | None = None
    """A digest of the user or session that the request named: an experiment answers it by the same arm each time."""
    experiment: str | None = None
    arm: str | None = None
    """Of the experiment: `control` or `candidate`."""
    shadow_of: str | None = None
    """The trace whose question this is a copy of."""


NOBODY = Origin()


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
    origin: Origin = NOBODY
    question: str
    history: tuple[Message, ...] = ()
    """What was said before, oldest first, as the caller told it."""
    query: str | None = None
    """What was searched for, where that is not the question as it was asked: it rests on what was said before."""
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
    """As the model gave it, without the fences of its prompt."""
    answer: str = ""
    """As it reached the reader, the beginning of it where it was cut off."""
    claims: tuple[Claim, ...] = ()
    """Of the released answer."""
    withheld: tuple[Claim, ...] = ()
    """What the draft states and the reader never got: `text == draft[start:end]`."""
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
        answers = (attempt for attempt in reversed(self.attempts) if attempt.purpose in (Purpose.ANSWER, Purpose.RETRY))
        return next((attempt.model for attempt in answers if not attempt.error), None)

    @property
    def ungrounded(self) -> int:
        """Claims of the model that its passages do not support or contradict, whether they were released or not.

        A refusal claims nothing, whatever words it is made of.
        """
        released = () if self.outcome is Outcome.REFUSED else self.claims
        return sum(claim.verdict in UNGROUNDED for claim in (*released, *self.withheld))

    @property
    def held_ms(self) -> float | None:
        """Milliseconds the reader's first text came after the model's: what judging before releasing costs."""
        if self.first_token_ms is None:
            return None
        begins = (attempt.started_ms + attempt.first_token_ms for attempt in self.attempts if attempt.first_token_ms is not None)
        first = next(begins, None)
        return None if first is None else max(0.0, self.first_token_ms - first)

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
        """Of all attempts together; null while they are made, and where the cost of one is not known."""
        costs = [attempt.cost_nanodollars for attempt in self.attempts]
        return None if self.outcome is None or None in costs else sum(cost for cost in costs if cost is not None)

    @property
    def estimated(self) -> bool:
        """Whether the cost is in part what we counted: a call was cut off before the provider told."""
        return any(attempt.estimated for attempt in self.attempts)


def _delay(attempt: Attempt, first_ms: float) -> float:
    """Milliseconds by which a replayed call would have come later, up to the first text that the reader got."""
    if attempt.replayed is None or attempt.started_ms > first_ms:
        return 0.0
    now, then = attempt.first_token_ms, attempt.replayed.first_token_ms
    if now is None or then is None or first_ms >= attempt.started_ms + attempt.total_ms:
        return attempt.replayed.total_ms - attempt.total_ms
    return then - now


def dollars(nanodollars: int | None, *, estimated: bool = False) -> str:
    """A cost for people, exact to the nano-dollar: `$0.000123`, `about $0.000123`, or `unknown`."""
    if nanodollars is None:
        return "unknown"
    whole, fraction = divmod(nanodollars, 1_000_000_000)
    exact = f"${whole}.{fraction:09d}".rstrip("0").ljust(len(f"${whole}.00"), "0")
    return f"about {exact}" if estimated else exact
