"""What every LLM backend can do. Knows no provider.

A backend makes one attempt and streams it; retries, deadlines and fallbacks are the router's.
"""

import enum
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import Field

from rag.types import Message, Passage, Value

REFUSAL = "The documents do not answer this."
"""What a prompt without a refusal of its own has the model say."""


class Request(Value):
    """One call to a model. Equal requests are interchangeable: everything that decides the answer is in here."""

    model: str
    """`openai/gpt-4.1-mini`, `anthropic/claude-...`, `local/smollm2`, `local/extractive`: anything litellm knows, or ours."""
    messages: tuple[Message, ...]
    temperature: float = 0.0
    max_tokens: int = 512
    seed: int | None = None
    stop: tuple[str, ...] = ()
    """The answer ends before the first of these texts."""
    whole: bool = False
    """Get the answer in one piece. That takes far less work than a stream, but does not tell when the first token came."""
    question: str = ""
    """For backends that quote instead of generating, as are `passages` and `refusal`; the messages contain all three, too."""
    passages: tuple[Passage, ...] = ()
    refusal: str = REFUSAL
    """The answer if the passages have none."""


class CallPolicy(Value):
    """How often a call is tried, and for how long."""

    attempts: int = Field(default=3, ge=1)
    """How often each model is tried."""
    first_token_seconds: float = Field(default=30.0, gt=0)
    """How long one attempt may take until its first text."""
    total_seconds: float = Field(default=120.0, gt=0)
    """How long all attempts may take together, with the waits between them and the whole stream."""
    fallbacks: tuple[str, ...] = ()
    """Models to call instead, in this order, each after all attempts at the one before have failed."""


class Usage(Value):
    """Tokens as the provider billed them. `prompt` includes `cached`, `completion` includes `reasoning`."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    cache_written: int = 0
    reasoning: int = 0


class Purpose(enum.StrEnum):
    """Why a model is called."""

    ANSWER = "answer"
    RETRY = "retry"
    REWRITE = "rewrite"
    JUDGE = "judge"


class Timing(Value):
    """How long a call took: milliseconds from its start to the first text, and to its end."""

    first_token_ms: float | None
    total_ms: float
    asking: str | None = None
    """The evaluation that made the call, by when it began; null for a call outside of evaluations."""


class Completion(Value):
    """The end of an attempt that succeeded."""

    model: str
    """The provider's name of the model that answered."""
    usage: Usage
    cost_nanodollars: int | None
    """Null if the price is not known; 0 only if the model is free (local)."""
    finish_reason: str
    replayed: Timing | None = None
    """The timing of the earlier call whose answer this repeats; null if the model was called."""


class Attempt(Value):
    """One try at one model, as stored in the trace. A failed one has a cost, too, if the provider charged for it."""

    purpose: Purpose
    model: str
    """The model that was requested; `answered_by` is the provider's name for it."""
    answered_by: str | None = None
    started_ms: float
    """When it began, in milliseconds since the request began."""
    first_token_ms: float | None = None
    """Milliseconds from its start to the first text; null if no text came, or all of it at once."""
    total_ms: float
    """Milliseconds from its start to its end."""
    usage: Usage = Usage()
    cost_nanodollars: int | None = None
    estimated: bool = False
    """Tokens and cost were counted here, from the texts sent and received: the call was cut off before the provider reported them."""
    finish_reason: str | None = None
    overrun: bool = False
    """The model went on far beyond `max_tokens`, so the rest was not read."""
    replayed: Timing | None = None
    """The timing of the earlier call whose answer this repeats; such an attempt costs nothing."""
    error: str | None = None
    throttled: bool = False
    """The provider asked to be called less often."""


@dataclass
class CallLog:
    """The attempts of one request so far, each added as it ends."""

    started: float = field(default_factory=time.perf_counter)
    """When the request began, by `time.perf_counter()`."""
    attempts: list[Attempt] = field(default_factory=list)


class LLM(Protocol):
    """One backend, opened for one model. Closing the generator of `stream` early cancels the upstream call."""

    def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        """Pieces of the answer as they arrive, then exactly one `Completion`. Raises `UpstreamError`."""
        ...

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, by the model's own tokenizer; without that an estimate that is rather too high. Raises `UpstreamError`."""
        ...

    def window(self) -> int | None:
        """Tokens of prompt and answer together; null if there is no limit, or none is known."""
        ...

    def cost(self, usage: Usage) -> int | None:
        """The cost of these tokens in nano-dollars; null if the price is not known."""
        ...

    def estimate(self, request: Request, text: str) -> Usage:
        """Tokens of a call that was cut off after it had answered `text`; none if the model is free. Not asynchronous: the caller may
        be cancelled.
        """
        ...

    async def close(self) -> None:
        """Close connections and end processes; a later call opens them again."""
        ...
