"""OpenAI's token encodings, from the files that litellm ships: nothing is downloaded, and litellm is found, not imported.

Knows where they lie. Knows no model but by its name.
"""

import functools
import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktoken import Encoding

NEWEST = "o200k_base"
"""Of OpenAI's current models; near enough for others to see which text is longer."""


@functools.cache
def encoding(model: str | None = None) -> "Encoding":
    """That of a model, as OpenAI names it; the newest where it is not known, or none is named."""
    litellm = importlib.util.find_spec("litellm")
    assert litellm is not None
    assert litellm.origin is not None
    os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(Path(litellm.origin).parent / "litellm_core_utils" / "tokenizers"))
    import tiktoken

    try:
        return tiktoken.encoding_for_model(model) if model else tiktoken.get_encoding(NEWEST)
    except KeyError:
        return tiktoken.get_encoding(NEWEST)
