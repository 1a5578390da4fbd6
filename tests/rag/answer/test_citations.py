import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.citations import citations, corrected, uncited


@pytest.mark.parametrize(
    ("answer", "numbers", "bare"),
    [
        ("It grew [1]. Then it fell [1, 2][3]!", [(1,), (1, 2), (3,)], "It grew. Then it fell!"),
        ("It grew.[4] Then it fell.", [(4,)], "It grew. Then it fell."),
        ("All say so [1-3] [5\u20136].", [(1, 2, 3), (5, 6)], "All say so."),
        ("Twice [2, 2].", [(2,)], "Twice."),
        ("", [], ""),
        ("[1]", [(1,)], ""),
    ],
)
def test_markers(answer: str, numbers: list[tuple[int, ...]], bare: str) -> None:
    found = citations(answer)
    assert [citation.numbers for citation in found] == numbers
    assert uncited(answer, found).text == bare


@pytest.mark.parametrize(
    "answer",
    [
        "See [1](https://example.org).",
        "See [[1]](https://example.org).",
        "![1](picture.png)",
        "[1]: https://example.org",
        "Call `rows[1]` first.",
        "```\nrows[1] = 2\n```\n",
        "A footnote[^1], a year [2020], an interval [0, 1], a box [x].",
    ],
)
def test_what_is_no_marker(answer: str) -> None:
    assert citations(answer) == []


@given(
    st.lists(
        st.one_of(st.text(max_size=5), st.sampled_from(["[1]", " [2, 3]", "`", "```\n", "](u)", "\n", "[9-7]"])), max_size=20
    ).map("".join)
)
def test_every_character_finds_its_way_back(answer: str) -> None:
    found = citations(answer)
    bare = uncited(answer, found)
    for index, character in enumerate(bare.text):
        start, end = bare.origin(index, index + 1)
        assert answer[start:end] == character
    assert len(bare.text) + sum(citation.end - citation.start for citation in found) == len(answer)


@pytest.mark.parametrize(
    ("answer", "wrong", "right", "mended"),
    [
        ("It grew [1].", (1,), 2, "It grew [2]."),
        ("It grew [1, 3].", (1,), 2, "It grew [3, 2]."),
        ("It grew [1, 2].", (1,), 2, "It grew [2]."),
        ("It grew [1][2].", (1,), 2, "It grew [2]."),
        ("It grew [1], and fell [1].", (1,), 2, "It grew [2], and fell."),
        ("It grew [3].", (1,), 2, "It grew [3]."),
        ("It grew `a[1]`.", (1,), 2, "It grew `a[1]`."),
    ],
)
def test_a_wrong_number_gives_way_to_the_right_one_once(answer: str, wrong: tuple[int, ...], right: int, mended: str) -> None:
    assert corrected(answer, wrong, right) == mended
