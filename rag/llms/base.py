"""What every LLM backend can do. Knows no provider.

A backend makes one attempt and streams it; retries, deadlines and fallbacks are the router's.
"""

import enum
from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from pydantic import Field

from rag.types import Message, Passage, Value

REFUSAL = "The documents do not answer this."
"""Of a prompt that names none of its own."""


class Request(Value):
    """One call to a model, whole: equal requests are interchangeable."""

    model: str
    """`openai/gpt-4.1-mini`, `anthropic/claude-...`, `local/smollm2`, `local/extractive`: anything litellm knows, or ours."""
    messages: tuple[Message, ...]
    temperature: float = 0.0
    max_tokens: int = 512
    seed: int | None = None
    stop: tuple[str, ...] = ()
    """Texts at which the answer ends, themselves left out."""
    whole: bool = False
    """Send the answer in one piece: far less work for whoever reads many, who then cannot tell when it began."""
    question: str = ""
    """What is asked, and of which passages: for backends that quote instead of generating. Already in the messages."""
    passages: tuple[Passage, ...] = ()
    refusal: str = REFUSAL
    """What to answer where the passages do not tell."""


class CallPolicy(Value):
    """How hard to try. `total_seconds` spans all attempts, the waits between them and the whole stream."""

    attempts: int = Field(default=3, ge=1)
    """Per model."""
    first_token_seconds: float = Field(default=30.0, gt=0)
    """Per attempt."""
    total_seconds: float = Field(default=120.0, gt=0)
    fallbacks: tuple[str, ...] = ()
    """Models to turn to, in this order, when the one before has failed for good."""


class Usage(Value):
    """Tokens as the provider billed them. `prompt` includes `cached`, `completion` includes `reasoning`."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    cache_written: int = 0
    reasoning: int = 0


class Purpose(enum.StrEnum):
    """What a model is called for."""

    ANSWER = "answer"
    RETRY = "retry"
    REWRITE = "rewrite"
    JUDGE = "judge"


class Timing(Value):
    """How long a call took, in milliseconds since it began."""

    first_token_ms: float | None
    total_ms: float


class Completion(Value):
    """How an attempt that succeeded ended."""

    model: str
    """As the provider names what answered."""
    usage: Usage
    cost_nanodollars: int | None
    """Null where the price is not known; 0 only where the model is free (local)."""
    finish_reason: str
    replayed: Timing | None = None
    """Of the earlier call whose answer this repeats; null where the model was called."""


class Attempt(Value):
    """One try at one model, as the trace keeps it: failed tries are costed too, where the provider told."""

    purpose: Purpose
    model: str
    """As requested."""
    answered_by: str | None = None
    started_ms: float
    """Since the request began."""
    first_token_ms: float | None = None
    """Since the attempt began; null where no text came, or all of it at once."""
    total_ms: float
    usage: Usage = Usage()
    cost_nanodollars: int | None = None
    estimated: bool = False
    """Tokens and cost were counted here, by what was sent and received: the call was cut off before the provider told them."""
    finish_reason: str | None = None
    replayed: Timing | None = None
    """Of the earlier call whose answer this repeats: nothing was spent now."""
    error: str | None = None
    throttled: bool = False
    """The provider asked to be called less."""


class LLM(Protocol):
    """One backend. Closing the generator early cancels the upstream call."""

    def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        """Pieces of the answer as they arrive, then exactly one `Completion`. Raises `rag.errors.UpstreamError`."""
        ...

    async def count_tokens(self, model: str, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, by the model's own tokenizer where it can be had, and not too few where it cannot."""
        ...

    def window(self, model: str) -> int | None:
        """Tokens of prompt and answer together; null where there is no limit, or none is known."""
        ...

    def cost(self, model: str, usage: Usage) -> int | None:
        """Of these tokens, in nano-dollars; null where the price is not known."""
        ...

    def estimate(self, request: Request, text: str) -> Usage:
        """Tokens of a call that was cut off after it had answered `text`, counted at once, for its caller may be leaving; none where
        the model is free."""
        ...

    async def close(self) -> None:
        """Let go of connections and processes; a later call opens them again."""
        ...
