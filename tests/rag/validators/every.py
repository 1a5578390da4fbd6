"""Every validator that a variant can name and a test can afford, by its name, for the suites that hold for all of them."""

import functools
from collections.abc import Callable, Mapping

from rag.types import Passage
from rag.validators import open_validator
from rag.validators.base import Validator

EVERY: Mapping[str, Callable[[], Validator]] = {name: functools.partial(open_validator, name) for name in ("lexical", "local")}


def passages(*texts: str) -> list[Passage]:
    """Passages numbered from 1, with nothing but their text."""
    return [
        Passage(number=number, chunk_id="c", document_id="d", source="s", title="", text=text, start=0, end=len(text), score=1.0)
        for number, text in enumerate(texts, start=1)
    ]
