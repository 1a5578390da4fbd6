"""Which words of two texts stand for each other. Knows sequences of keys; knows nothing of words."""

from collections.abc import Mapping, Sequence


def places(keys: Sequence[str]) -> dict[str, int]:
    """Where each key stands, as a set of bits."""
    found: dict[str, int] = {}
    for place, key in enumerate(keys):
        found[key] = found.get(key, 0) | 1 << place
    return found


def common(keys: Sequence[str], other: Mapping[str, int], length: int) -> int:
    """The length of a longest common subsequence with a text of so many words, given by its `places` (Hyyrö, 2004)."""
    everywhere = free = (1 << length) - 1
    for key in keys:
        if key in other:
            taken = free & other[key]
            free = (free + taken | free - taken) & everywhere
    return length - free.bit_count()


def aligned(keys: Sequence[str], other: Sequence[str]) -> list[tuple[int, int]]:
    """The positions of a longest common subsequence in both, ascending: the same recurrence, its rows kept and followed back."""
    standing = places(other)
    everywhere = free = (1 << len(other)) - 1
    rows = []
    for key in keys:
        taken = free & standing.get(key, 0)
        free = (free + taken | free - taken) & everywhere
        rows.append(free)
    pairs = []
    row, column = len(keys) - 1, len(other) - 1
    while row >= 0 and column >= 0:
        if rows[row] >> column & 1:
            column -= 1
        elif row and not rows[row - 1] >> column & 1:
            row -= 1
        else:
            pairs.append((row, column))
            row -= 1
            column -= 1
    return pairs[::-1]
