"""The fences of a prompt, where a model repeats them: taken out of its text as it arrives.

Knows how they stand in the messages. Knows nothing of what is between them.
"""

import re
from collections.abc import Sequence

from rag.types import Message

LONGEST = 1000
"""Characters of a tag; what goes on for longer is none."""


class Echo:
    """For the text of one draft. `stops` are the closing tags: what a model says behind one that it repeats is another passage."""

    def __init__(self, messages: Sequence[Message], fence: str) -> None:
        # From the beginning of a word: from within one, as many tries as it has characters would each run to its end.
        named = re.compile(rf"(?<![\w-])[\w-]*?{fence}[\w-]*")
        names = sorted({name for message in messages for name in named.findall(message.content)} if fence else ())
        self.stops = tuple(f"</{name}" for name in names if any(f"</{name}" in message.content for message in messages))
        self._beginnings = [beginning for name in names for beginning in (f"<{name}", f"</{name}", name)]
        self._fenced = re.compile("|".join(rf"</?{name}[^<>]*>|{name}" for name in names)) if names else None
        self._held = ""
        self._begun = self._opened = False

    def passed(self, piece: str) -> str:
        """What can be passed on once the next piece is there: all that is no fence, and may not become one."""
        if self._fenced is None:
            return piece
        text = self._held + piece
        at = min([len(text), *(self._begins(text, beginning) for beginning in self._beginnings)])
        self._held = text[at:]
        return self._without(text[:at])

    def rest(self) -> str:
        """What was held back, once no more comes, but for a tag that was begun."""
        held, self._held = self._held, ""
        return "" if held.startswith("<") and len(held) > 1 else self._without(held)

    def _without(self, text: str) -> str:
        bare = self._fenced.sub("", text) if self._fenced else text
        self._opened = self._opened or (bare != text and not self._begun)
        if self._opened and not self._begun:
            bare = bare.lstrip()
        self._begun = self._begun or bool(bare.strip())
        return bare

    def _begins(self, text: str, beginning: str) -> int:
        """Where a fence begins that is not all there yet."""
        tag = text.rfind(beginning) if beginning[0] == "<" else -1
        if tag >= 0 and ">" not in text[tag:] and len(text) - tag < LONGEST:
            return tag
        starts = range(max(0, len(text) - len(beginning) + 1), len(text))
        return next((start for start in starts if beginning.startswith(text[start:])), len(text))
