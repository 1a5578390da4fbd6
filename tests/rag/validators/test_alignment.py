from hypothesis import given
from hypothesis import strategies as st

from rag.validators.alignment import aligned, common, places

KEYS = st.lists(st.sampled_from("abcde"), max_size=12)


def longest(one: list[str], other: list[str]) -> int:
    """By the textbook's table."""
    row = [0] * (len(other) + 1)
    for key in one:
        before = row
        row = [0]
        for place, held in enumerate(other):
            row.append(before[place] + 1 if key == held else max(row[-1], before[place + 1]))
    return row[-1]


@given(one=KEYS, other=KEYS)
def test_a_longest_common_subsequence(one: list[str], other: list[str]) -> None:
    pairs = aligned(one, other)
    assert len(pairs) == longest(one, other) == common(one, places(other), len(other))
    assert all(one[first] == other[second] for first, second in pairs)
    assert pairs == sorted(pairs)
    assert len({first for first, _ in pairs}) == len({second for _, second in pairs}) == len(pairs)
