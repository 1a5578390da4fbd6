"""The labels of a text: what names something below it, and is to stay only where that does.

Knows their ranks, and how one is cut out of the text. Knows nothing of what makes one.
"""

from typing import NamedTuple

from rag.answer.claims import HEAD

REPLIES = range(1)
TABLES = range(HEAD, HEAD + 1)


class Label(NamedTuple):
    """`text[start:end]`, which names what stands below it; `said` is what it says, whatever its form."""

    start: int
    end: int
    rank: int
    said: str


class Labels:
    """Those at the end of a text that wait for what they name, and those that what comes next stands below."""

    def __init__(self) -> None:
        self._waiting: list[Label] = []
        self._above: list[Label] = []

    def __bool__(self) -> bool:
        """Whether any waits."""
        return bool(self._waiting)

    @property
    def above(self) -> frozenset[str]:
        """What those say that have something below them."""
        return frozenset(label.said for label in self._above)

    def path(self) -> tuple[str, ...]:
        """What those say that something would stand below, were it next."""
        waiting = [label for label in self._waiting if label.rank]
        above = [label for label in self._above if not waiting or label.rank < waiting[0].rank]
        return tuple(label.said for label in (*above, *waiting))

    def repeats(self, rank: int, said: str) -> bool:
        """Whether what comes next stands below such a label already."""
        return any((label.rank, label.said) == (rank, said) for label in self._above)

    def wait(self, label: Label) -> None:
        self._waiting.append(label)

    def stand(self) -> None:
        """Something stands below those that wait: they stay."""
        for label in self._waiting:
            if label.rank:
                self._above = [*(above for above in self._above if above.rank < label.rank), label]
        self._waiting.clear()

    def drop(self, text: str, ranks: range) -> str:
        """`text` without those that wait, of these ranks."""
        for label in [label for label in reversed(self._waiting) if label.rank in ranks]:
            shorter = _without(text, label)
            shift = len(shorter) - len(text)
            self._waiting = [
                other._replace(start=other.start + shift, end=other.end + shift) if other.start > label.start else other
                for other in self._waiting
                if other != label
            ]
            text = shorter
        return text

    def leave(self, ranks: range) -> None:
        """What comes next stands below none of these ranks."""
        self._above = [label for label in self._above if label.rank not in ranks]

    def without(self, text: str) -> str:
        """`text` as it is where nothing more comes: without those that wait."""
        for label in reversed(self._waiting):
            text = _without(text, label)
        return text


def _without(text: str, label: Label) -> str:
    after = text[label.end :]
    rest = after.lstrip()
    return joined(text[: label.start], after[: len(after) - len(rest)]) + rest


def joined(text: str, gap: str) -> str:
    """`text` up to where the next begins, with the white space `gap` behind what was left out between them: no two lines become one."""
    stood = text[len(text.rstrip()) :]
    if not text or gap.count("\n") <= stood.count("\n"):
        return text
    return text.rstrip() + gap[: gap.rfind("\n") + 1]
