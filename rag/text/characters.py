"""Characters that no database, tokenizer or wire takes: NUL, and halves of surrogate pairs.

Knows only those.
"""

from typing import Annotated

from pydantic import BeforeValidator


def sound(text: str) -> str:
    """The text with each of them replaced by U+FFFD, so that offsets stay."""
    return text.replace("\0", "\ufffd").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


SOUND = BeforeValidator(lambda text: sound(text) if isinstance(text, str) else text)
Sound = Annotated[str, SOUND]
"""A field with text from elsewhere. One with a limit is `Annotated[str, Field(max_length=...), SOUND]`: so it counts characters."""
