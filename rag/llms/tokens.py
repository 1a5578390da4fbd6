"""How many tokens a text is to a provider's model.

Knows OpenAI's encodings, from the files that litellm ships, and that the others keep theirs to themselves. Opens no connection.
"""

import functools
import importlib.util
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktoken import Encoding

MARGIN = 1.4
"""Tokens of a model whose tokenizer is not public, for each of o200k_base: an upper bound in practice, so that a window is not overrun."""


def count(provider: str, model: str, texts: Sequence[str]) -> list[int]:
    """Tokens of each text to `model`, named as its provider names it."""
    encoding, margin = _encoding(provider, model)
    return [math.ceil(margin * len(encoding.encode_ordinary(text))) for text in texts]


@functools.cache
def _encoding(provider: str, model: str) -> "tuple[Encoding, float]":
    litellm = importlib.util.find_spec("litellm")
    assert litellm is not None
    assert litellm.origin is not None
    os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(Path(litellm.origin).parent / "litellm_core_utils" / "tokenizers"))
    import tiktoken

    if provider != "openai":
        return tiktoken.get_encoding("o200k_base"), MARGIN
    try:
        return tiktoken.encoding_for_model(model), 1.0
    except KeyError:
        return tiktoken.get_encoding("o200k_base"), 1.0
