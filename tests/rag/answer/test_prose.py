import pytest

from rag.answer.citations import citations
from rag.answer.prose import prose


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("It keeps for months at room temperature [33] .", "It keeps for months at room temperature."),
        ("Water raises the risk [47, [50] [51] [52] , they say.", "Water raises the risk, they say."),
        ("It spreads [1, 2-4][7].", "It spreads."),
        ("The mean was 30% [12, 45].", "The mean was 30% (12, 45)."),
        ("It rose by 3.7% [1.3%-9.7%].", "It rose by 3.7% [1.3%-9.7%]."),
        (
            "2. Bad documents are set aside, see [data quality](data-quality.md).",
            "Bad documents are set aside, see data quality.",
        ),
        ('See ![a map](map.png "Map") and [`rag ask`](ask.md).', "See a map and `rag ask`."),
        ("**Dense** search compares\nmeanings.", "Dense search compares meanings."),
        ("Call `rows[1]` and `a | b`.", "Call `rows[1]` and `a | b`."),
        ("Give the format:<br><br>audio/l16.", "Give the format: audio/l16."),
        ("Keep `List<String>` and a<b.", "Keep `List<String>` and a<b."),
        ("| Science for Kids\nA day lasts 24 hours.", "Science for Kids A day lasts 24 hours."),
        ("Find the generation before it, and name it:", "Find the generation before it, and name it"),
        ("Belgium 3.7", "Belgium 3.7"),
        ("Back up the ledger.", "Back up the ledger."),
    ],
)
def test_a_sentence_is_shown_in_plain_words(page: str, said: str) -> None:
    assert prose(page) == said
    assert not citations(prose(page))


@pytest.mark.parametrize(
    "page",
    ["## Nano-dollars", "Nano-dollars\n======", "**Nano-dollars**", "Nano-dollars", "```\nrag ask\n```", "- ", "See also:", ""],
)
def test_what_is_no_sentence_is_not_shown(page: str) -> None:
    assert prose(page) == ""


@pytest.mark.parametrize("piece", ["1", "[", "[1 ", "5 [1 ", " ", "`", "**a ", "[a](", "<a ", "| "])
def test_what_never_ends_is_read_to_its_end(piece: str) -> None:
    """An expression that tries every way would not come back."""
    assert prose(f"It opens at nine [{piece * 5000}x.").endswith("x.")
