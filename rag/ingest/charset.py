"""Decodes bytes: UTF-8, UTF-16 with a byte order mark or with every second byte zero, or an older encoding if the bytes leave no doubt which.

Prefers no text over wrong text.
"""

import codecs

LEAST_COHERENCE = 0.1
"""How much the letter frequencies must resemble a language, 0 to 1 by charset-normalizer."""
MOST_CHAOS = 0.05
"""How scrambled the text may look, also 0 to 1."""
LEAST_BYTES = 5
"""Bytes beyond ASCII: fewer fit almost any encoding."""

MOST_ZEROS = 0.01
"""Of the characters of a text; more are a binary file."""
LEAST_ZEROS = 0.25
"""Of the bytes of UTF-16 text without a mark, all of them the upper or all the lower halves."""


def decoded(content: bytes) -> str | None:
    """The text without byte order mark; null if the encoding is in doubt."""
    try:
        text = content.decode(_unicode(content))
    except UnicodeDecodeError:
        return _guessed(content)
    return None if text.count("\0") > MOST_ZEROS * len(text) else text


def _unicode(content: bytes) -> str:
    """The encoding of the Unicode standard that the bytes are most like."""
    # UTF-16 text has spaces, line breaks or digits, which contain a zero byte; damage that looks like a mark has none.
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and b"\0" in content:
        return "utf-16"
    zeros = content.count(0)
    if zeros > LEAST_ZEROS * len(content) and len(content) % 2 == 0:
        odd = content[1::2].count(0)
        if odd in (0, zeros):
            return "utf-16-le" if odd else "utf-16-be"
    return "utf-8-sig"


def _guessed(content: bytes) -> str | None:
    """The text by charset-normalizer, null if it is in doubt. Of equally good encodings Windows-1252 wins, as in browsers."""
    beyond = sum(byte > 127 for byte in content)
    if beyond < LEAST_BYTES or _utf8_with_damage(content, beyond):
        return None
    from charset_normalizer import from_bytes

    matches = list(from_bytes(content))
    if not matches or matches[0].coherence < LEAST_COHERENCE or matches[0].chaos > MOST_CHAOS:
        return None
    equals = [match for match in matches if match.coherence >= matches[0].coherence and match.chaos <= matches[0].chaos]
    western = [match for match in equals if "cp1252" in match.could_be_from_charset]
    texts = {str(match) for match in western or equals}
    return texts.pop() if len(texts) == 1 else None


def _utf8_with_damage(content: bytes, beyond: int) -> bool:
    """Whether most bytes beyond ASCII do form UTF-8."""
    valid = content.decode("utf-8", "ignore")
    return len(valid.encode()) - sum(map(str.isascii, valid)) > beyond / 2
