"""Chunks cover their document, fit the embedder, and follow its structure."""

import hashlib
import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.embedders.base import Embedder
from rag.embedders.hashing import HashingEmbedder
from rag.ingest.chunker import LARGEST_TOKENS, chunks
from rag.types import Document

PARAGRAPH = "Retrieval finds the passages that a question needs. " * 3
FRAGMENTS = [
    "word ", "unbelievably ", "\n", "\n\n", "\r\n\r\n", "# Heading\n\n", "\n## Deeper `code`\n", "\n```\n# not a heading\nx = 1\n```\n",
    "| a | b |\n| --- | --- |\n| 1 | 2 |\n", "- item\n", "> quoted\n", "    indented\n", "黑豹队的防守只丢了。", "ศาลรัฐธรรมนูญ", "Ωμέγα ", "🎉🎉 ",
    "x" * 700, "The end. ", "\f", "\x00", "\u2028", "\u00a0", "[link](http://example.org/a) ", "===\n", "---\n", "\t", PARAGRAPH, PARAGRAPH * 9,
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=40), max_size=25).map("".join)


def document(text: str, title: str = "", media_type: str = "text/markdown", language: str = "en") -> Document:
    return Document(
        id="guide.md", source="guide.md", title=title, text=text, media_type=media_type, language=language, sha256="0" * 64
    )


def uncovered(text: str, spans: Sequence[tuple[int, int]]) -> str:
    ends = [0, *(end for _, end in spans)]
    starts = [*(start for start, _ in spans), len(text)]
    return "".join(text[end:start] for end, start in zip(ends, starts, strict=True))


@settings(max_examples=150, deadline=None)
@given(text=TEXTS, title=st.sampled_from(["", "A title", "very long title " * 200]), markdown=st.booleans(), large=st.booleans())
def test_chunks_cover_the_text_and_fit_the_embedder(
    embedder: Embedder, small: Embedder, text: str, title: str, markdown: bool, large: bool
) -> None:
    model = embedder if large else small
    whole = document(text, title, "text/markdown" if markdown else "text/plain")
    cut = chunks(whole, model)
    spans = [(chunk.start, chunk.end) for chunk in cut]
    assert not uncovered(text, spans).strip()
    assert spans == sorted(spans)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    assert all(chunk.text == text[chunk.start : chunk.end] and chunk.text.strip() == chunk.text != "" for chunk in cut)
    assert [chunk.tokens for chunk in cut] == model.count_tokens([chunk.embedded for chunk in cut])
    assert all(chunk.tokens <= model.max_tokens for chunk in cut)
    assert len({chunk.id for chunk in cut}) == len(cut)
    assert cut == chunks(whole, model)


def test_headings_make_the_breadcrumb(embedder: Embedder) -> None:
    text = (
        "Before.\n\n# Guide\n\n## *Ingest* `rag`\n\nFiles.\n\n```sh\n# not a heading\n```\n\nSetext\n------\n\nMore.\n\n# Last\n"
    )
    found = [(chunk.headings, chunk.text) for chunk in chunks(document(text, "Guide"), embedder)]
    assert found == [
        ((), "Before."),
        (("Guide", "Ingest rag"), "# Guide\n\n## *Ingest* `rag`\n\nFiles.\n\n```sh\n# not a heading\n```"),
        (("Guide", "Setext"), "Setext\n------\n\nMore."),
        (("Last",), "# Last"),
    ]


def test_plain_text_has_no_headings(embedder: Embedder) -> None:
    [chunk] = chunks(document("# a comment\n\nand text", media_type="text/plain"), embedder)
    assert chunk.headings == ()


def test_offsets_count_carriage_returns(embedder: Embedder) -> None:
    text = "# One\r\n\r\nFirst.\r\n\r\n# Two\r\n\r\nSecond.\r\n"
    assert [chunk.text for chunk in chunks(document(text), embedder)] == ["# One\r\n\r\nFirst.", "# Two\r\n\r\nSecond."]


def test_a_section_is_cut_between_its_blocks(embedder: Embedder) -> None:
    code = "```\n" + "value = compute(value)\n" * 20 + "```"
    table = "| key | value |\n| --- | --- |\n" + "| alpha | beta |\n" * 15
    text = f"# Guide\n\n{PARAGRAPH * 3}\n\n{code}\n\n{PARAGRAPH * 2}\n\n{table}"
    cut = chunks(document(text), embedder)
    assert len(cut) > 1
    assert sum(code in chunk.text for chunk in cut) == 1
    assert sum(table.strip() in chunk.text for chunk in cut) == 1


def rows(count: int) -> str:
    return "| Part | Lead time in days |\n| --- | --- |\n" + "".join(
        f"| Part {row} of the catalogue | {row} |\n" for row in range(count)
    )


@pytest.mark.parametrize("media_type", ["text/markdown", "application/pdf"])
def test_the_names_of_columns_stand_above_each_part_of_a_table(embedder: Embedder, media_type: str) -> None:
    text = f"Before it.\n\n{rows(100)}\nAfter it."
    first, *others = chunks(document(text, media_type=media_type), embedder)
    assert first.headings == ()
    assert len(others) > 3
    assert {chunk.headings for chunk in others} == {("Part | Lead time in days",)}
    assert all(chunk.embedded.startswith("Part | Lead time in days\n| Part ") for chunk in others)
    assert all(line.count("|") == 3 for chunk in others for line in chunk.text.splitlines() if line.startswith("|"))


def test_a_table_that_fits_is_whole_and_needs_no_names_again(embedder: Embedder) -> None:
    cut = chunks(document(f"{PARAGRAPH * 6}\n\n{rows(5)}\n{PARAGRAPH * 6}"), embedder)
    assert [chunk.headings for chunk in cut] == [()] * len(cut)
    assert sum(rows(5).strip() in chunk.text for chunk in cut) == 1


def test_names_that_are_too_long_are_not_repeated(small: Embedder) -> None:
    text = rows(20).replace("Lead time", "Lead time " * 20)
    cut = chunks(document(text), small)
    assert len(cut) > 5
    assert {chunk.headings for chunk in cut} == {()}


def test_a_page_is_not_glued_to_the_next(embedder: Embedder) -> None:
    pages = [f"{number}. Title\n{PARAGRAPH * 3}".strip() for number in range(1, 6)]
    cut = chunks(document("\f".join(pages), media_type="application/pdf"), embedder)
    assert [chunk.text for chunk in cut] == pages
    assert [chunk.page for chunk in cut] == [1, 2, 3, 4, 5]


def test_a_sentence_that_goes_on_behind_a_page_is_whole(embedder: Embedder) -> None:
    text = f"{PARAGRAPH}Tighten the bolts with\fa torque of 85 Nm. {PARAGRAPH}\fThe end.\f\f"
    cut = chunks(document(text, media_type="application/pdf"), embedder)
    assert ["with\fa torque of 85 Nm." in chunk.text for chunk in cut] == [True, False]
    assert [chunk.page for chunk in cut] == [1, 3]


def test_a_table_ends_with_its_page(embedder: Embedder) -> None:
    text = f"{rows(4)[:-1]}\fand so on.\f{rows(60)}"
    cut = chunks(document(text, media_type="application/pdf"), embedder)
    assert [chunk.text for chunk in cut[:2]] == [rows(4).strip(), "and so on."]
    assert {chunk.headings for chunk in cut[3:]} == {("Part | Lead time in days",)}


def test_a_long_paragraph_is_cut_between_sentences_into_even_parts(embedder: Embedder) -> None:
    cut = chunks(document("Dr. Smith measured 3.5 metres of it. Nobody knew why! " * 40), embedder)
    assert len(cut) > 2
    assert all(chunk.text[-1] in ".!" and not chunk.text.endswith("Dr.") for chunk in cut)
    assert max(chunk.tokens for chunk in cut) < 1.25 * min(chunk.tokens for chunk in cut)


def test_what_is_slightly_longer_than_the_target_stays_whole(embedder: Embedder) -> None:
    text = "word " * (LARGEST_TOKENS - 10)
    [chunk] = chunks(document(text), embedder)
    assert chunk.text == text.strip()


def test_an_unbroken_string_is_cut_though_it_is_one_token(embedder: Embedder) -> None:
    cut = chunks(document("A" * 20_000), embedder)
    assert len(cut) > 5
    assert "".join(chunk.text for chunk in cut) == "A" * 20_000


def test_headings_that_eat_the_budget_give_way(embedder: Embedder) -> None:
    text = f"# {'outer heading ' * 60}\n\n## Inner\n\nText.\n"
    cut = chunks(document(text, title="A title"), embedder)
    assert {chunk.headings for chunk in cut} == {("Inner",)}
    assert {chunk.title for chunk in cut} == {"A title"}


def test_an_endless_title_is_cut(embedder: Embedder) -> None:
    [chunk] = chunks(document("Text.", title="endless title " * 1000), embedder)
    assert chunk.title.startswith("endless title")
    assert chunk.tokens <= embedder.max_tokens // 2


@pytest.mark.parametrize("text", ["", " \n\t\r\n", "\u00a0\u2028"])
def test_nothing_gives_nothing(embedder: Embedder, text: str) -> None:
    assert chunks(document(text), embedder) == []


def test_an_id_says_what_the_chunk_is(embedder: Embedder) -> None:
    one = chunks(document("# H\n\nText."), embedder)
    other = chunks(document("# H\n\nText!"), embedder)
    assert one[0].id != other[0].id
    assert one[0].id == hashlib.sha256(b'["guide.md", 0, 10, ["H"], "# H\\n\\nText."]').hexdigest()[:32]


def test_a_tokenizer_that_counts_more_for_the_whole_than_for_its_parts_is_obeyed() -> None:
    class Growing(HashingEmbedder):
        def count_tokens(self, texts: Sequence[str]) -> list[int]:
            return [count + count * count // 200 for count in super().count_tokens(texts)]

    text = "Every sentence here has exactly seven words. " * 80
    cut = chunks(document(text), Growing())
    assert all(chunk.tokens <= Growing.max_tokens for chunk in cut)
    assert not uncovered(text, [(chunk.start, chunk.end) for chunk in cut]).strip()
