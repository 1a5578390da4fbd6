"""Text of unknown origin, on one line. Knows no markup: escaping belongs to each medium."""

from prompts.terminal import printable


def line(text: str, most: int) -> str:
    """The text on one line of at most `most` characters, an ellipsis where it was cut."""
    whole = " ".join(printable(text[: 4 * most]).split())
    return whole if len(whole) <= most and len(text) <= 4 * most else whole[: most - 1].rstrip() + "…"
