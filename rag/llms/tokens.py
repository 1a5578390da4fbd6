"""How many tokens a text has for a provider's model.

Knows OpenAI's encodings, and estimates by them for other providers, whose tokenizers are not public. Opens no connection.
"""

import functools
import math
from collections.abc import Sequence

from prompts.encoding import encoding
from rag.llms.base import Request, Usage

MARGIN = 1.4
"""Tokens of such a model for each of OpenAI's: in practice an upper bound, so that a window is not overrun."""

CACHED = 8_000
"""Characters of a text whose length is cached: a longer one is no passage."""
FRAME = 4
"""Tokens of a message besides its content: its role and separators."""
PRIMING = 3
"""Tokens that begin the answer and are billed with the prompt."""


def count(provider: str, model: str, texts: Sequence[str]) -> list[int]:
    """Tokens of each text; `model` is the provider's name for the model."""
    known, margin = (model, 1.0) if provider == "openai" else (None, MARGIN)
    return [math.ceil(margin * (_cached_length if len(text) <= CACHED else _length)(known, text)) for text in texts]


def estimate(provider: str, model: str, request: Request, text: str) -> Usage:
    """Tokens of `request` and of the answer `text`, with the frame that OpenAI documents; for others that is close enough."""
    *prompt, completion = count(provider, model, [*(message.content for message in request.messages), text])
    return Usage(prompt=sum(prompt) + FRAME * len(prompt) + PRIMING, completion=completion)


def _length(model: str | None, text: str) -> int:
    return len(encoding(model).encode_ordinary(text))


_cached_length = functools.lru_cache(maxsize=4096)(_length)
"""Popular passages are counted again and again."""
