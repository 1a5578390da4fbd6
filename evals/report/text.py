"""Text of unknown origin, made fit to be shown.

Knows characters. Knows no markup: escaping belongs to each medium.
"""

import re

_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
"""Controls, halves of surrogate pairs, what XML forbids, and the marks that would reorder the text around them."""
_BREAK = re.compile(r"[\u2028\u2029]")


def printable(text: str) -> str:
    """The text without the characters that draw nothing and can do harm; lines and tabs stay."""
    return _UNSEEN.sub("", _BREAK.sub("\n", text))


def line(text: str, most: int) -> str:
    """The text on one line of at most `most` characters, an ellipsis where it was cut."""
    whole = " ".join(printable(text[: 4 * most]).split())
    return whole if len(whole) <= most and len(text) <= 4 * most else whole[: most - 1].rstrip() + "…"
