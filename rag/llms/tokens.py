"""How many tokens a text is to a provider's model.

Knows OpenAI's encodings, and that the others keep theirs to themselves. Opens no connection.
"""

import functools
import math
from collections.abc import Sequence

from prompts.encoding import encoding

MARGIN = 1.4
"""Tokens of a model whose tokenizer is not public, for each of OpenAI's: an upper bound in practice, so that a window is not overrun."""


def count(provider: str, model: str, texts: Sequence[str]) -> list[int]:
    """Tokens of each text to `model`, named as its provider names it."""
    known, margin = (model, 1.0) if provider == "openai" else (None, MARGIN)
    return [math.ceil(margin * _length(known, text)) for text in texts]


@functools.lru_cache(maxsize=4096)
def _length(model: str | None, text: str) -> int:
    """Kept, for good passages are found again and again."""
    return len(encoding(model).encode_ordinary(text))
