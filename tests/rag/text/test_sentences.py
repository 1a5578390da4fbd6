import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.text.sentences import sentences

MARKDOWN = """# The guide: what? Yes!

Dr. Smith paid $3.50. He
left at 5 p.m. on Jan. 5.
- item one
- item two. More (e.g. this).
  1. nested item. Two sentences.

2) Second.

> quoted text. Here.

```python
x = a[1]. b
y. Z
```

| a | b. c |
|---|---|
| 1. X | 2 |

    indented prose. Here too.

Items:
• bullet one. Yes
• bullet two
"""

SCRAPS = st.lists(
    st.one_of(
        st.text(max_size=6),
        st.sampled_from(
            ["\n", "- ", "1. ", "> ", "```\n", "| a |", "|---|\n", "# ", "\r\n", "。", ". ", "\u2028", "\xa0", "\ud800"]
        ),
    ),
    max_size=25,
).map("".join)


def split(text: str, language: str = "en") -> list[str]:
    return [text[start:end] for start, end in sentences(text, language)]


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            "en",
            ["Dr. J. K. Lee paid $3.50 (i.e. U.S. dollars) on Jan. 5, 2020.", "See Fig. 3 and Sec. 4.2.", "It's v2.0.1!", "Why?"],
        ),
        ("en", ["It grew [1].", "Then it fell [2][3].", "Now?"]),
        ("de", ["Dr. Müller kam am 3. Oktober 1990 nach Berlin.", "Er wohnte z. B. in der Hauptstr. 5.", "Das war's."]),
        ("ru", ["А. С. Пушкин родился в 1799 г. в Москве.", "Да!"]),
        ("es", ["¿Qué es esto?", "¡Es el Sr. García!", "Vive en Madrid."]),
        ("hi", ["यह पहला वाक्य है।", "यह दूसरा है।"]),
        ("ar", ["ما هذا؟", "هذا كتاب."]),
        ("en", ["It takes approx. 12 ms.", "ASP.NET is slower…", "Go is not."]),
        ("de", ["Im 19. Jahrhundert hatte die Fa. Meyer 3 Mio. Mark.", "Dann kam das 20. Jahrhundert."]),
        ("fr", ["M. Dupont est né le 3 janv. 1950.", "Il habite à Lyon."]),
        ("und", ["Hello there.", "World."]),
    ],
)
def test_languages(language: str, expected: list[str]) -> None:
    assert split(" ".join(expected), language) == expected


@pytest.mark.parametrize("language", ["zh", "ja", "en"])
def test_punctuation_without_spaces(language: str) -> None:
    assert split("北京是首都。它有两千万人口!真的吗?是的。", language) == ["北京是首都。", "它有两千万人口!", "真的吗?", "是的。"]


def test_markdown_blocks_stand_for_themselves() -> None:
    assert split(MARKDOWN) == [
        "# The guide: what? Yes!",
        "Dr. Smith paid $3.50.",
        "He\nleft at 5 p.m. on Jan. 5.",
        "- item one",
        "- item two.",
        "More (e.g. this).",
        "1. nested item.",
        "Two sentences.",
        "2) Second.",
        "> quoted text.",
        "Here.",
        "```python\nx = a[1]. b\ny. Z\n```",
        "| a | b. c |",
        "|---|---|",
        "| 1. X | 2 |",
        "indented prose.",
        "Here too.",
        "Items:",
        "• bullet one.",
        "Yes",
        "• bullet two",
    ]


def test_lines_that_lead_over_and_dashes_that_list() -> None:
    text = "In short:\nit is fast.\n**Price**\nIt is free.\n– one\n— two\na. three"
    assert split(text) == ["In short:", "it is fast.", "**Price**", "It is free.", "– one", "— two", "a. three"]


@pytest.mark.parametrize("text", ["", " \n\t\n", "\u2028"])
def test_nothing_to_split(text: str) -> None:
    assert sentences(text) == []


@given(SCRAPS, st.sampled_from(["en", "de", "zh", "ru", "und"]))
def test_spans_tile_everything_but_space(text: str, language: str) -> None:
    position = 0
    for start, end in sentences(text, language):
        assert position <= start < end
        assert not text[position:start].strip()
        assert text[start:end] == text[start:end].strip()
        position = end
    assert not text[position:].strip()


@pytest.mark.parametrize("unit", ["- ", "> ", "A b c. ", "- a. b\n", "|x|y|\n", "a", "`", "[ ] ", "\n"])
def test_nothing_of_a_long_text_is_lost(unit: str) -> None:
    text = unit * (50_000 // len(unit))
    assert "".join(split(text)).split() == text.split() or len(split(text)) > 1
