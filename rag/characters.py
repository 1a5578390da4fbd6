"""Characters that no database, tokenizer or wire takes: NUL, and halves of surrogate pairs.

Knows only those.
"""


def sound(text: str) -> str:
    """The text with each of them replaced by U+FFFD, so that offsets stay."""
    return text.replace("\0", "\ufffd").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
