"""How many tokens a text is to a provider's model.

Knows OpenAI's encodings, and that the others keep theirs to themselves. Opens no connection.
"""

import functools
import math
from collections.abc import Sequence

from prompts.encoding import encoding
from rag.llms.base import Request, Usage

MARGIN = 1.4
"""Tokens of a model whose tokenizer is not public, for each of OpenAI's: an upper bound in practice, so that a window is not overrun."""

KEPT = 8_000
"""Characters: longer texts are no passages."""
FRAME = 4
"""Tokens of a message besides its content: its role, and what separates it from the next."""
PRIMING = 3
"""Tokens that begin the answer, counted with the prompt."""


def count(provider: str, model: str, texts: Sequence[str]) -> list[int]:
    """Tokens of each text to `model`, named as its provider names it."""
    known, margin = (model, 1.0) if provider == "openai" else (None, MARGIN)
    return [math.ceil(margin * (_kept if len(text) <= KEPT else _length)(known, text)) for text in texts]


def estimate(provider: str, model: str, request: Request, text: str) -> Usage:
    """What `request` and the answer `text` come to; framed as OpenAI documents it, which for others is near enough."""
    *prompt, completion = count(provider, model, [*(message.content for message in request.messages), text])
    return Usage(prompt=sum(prompt) + FRAME * len(prompt) + PRIMING, completion=completion)


def _length(model: str | None, text: str) -> int:
    return len(encoding(model).encode_ordinary(text))


_kept = functools.lru_cache(maxsize=4096)(_length)
"""For good passages are found again and again."""
