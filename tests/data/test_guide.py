"""The guide is Markdown that people can read and follow: one topic a page, links that lead somewhere, short sections."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

CORPUS = Path(__file__).parents[2] / "data" / "corpus"
PAGES = sorted(CORPUS.glob("*.md"))
CONTENTS = CORPUS / "index.md"
LONGEST_SECTION = 200
"""Words, tables and code included: about what one chunk holds."""
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|root|tmp|work|Users|var|opt|usr)/|[A-Z]:\\")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))


def links(page: Path) -> Iterator[str]:
    for token in tokens(page):
        for child in token.children or ():
            if child.type == "link_open":
                yield str(child.attrs["href"])


def sections(page: Path) -> Iterator[str]:
    lines = page.read_text(encoding="utf-8").splitlines()
    starts = [token.map[0] for token in tokens(page) if token.type == "heading_open" and token.map]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield "\n".join(lines[start:end])


def test_the_guide_has_at_least_25_pages() -> None:
    assert len(PAGES) >= 25


@every_page
def test_a_page_has_one_title_and_begins_with_it(page: Path) -> None:
    titles = [token for token in tokens(page) if token.type == "heading_open" and token.tag == "h1"]
    assert len(titles) == 1
    assert page.read_text(encoding="utf-8").startswith("# ")


def test_no_two_pages_have_the_same_title() -> None:
    titles = [page.read_text(encoding="utf-8").splitlines()[0] for page in PAGES]
    assert len(set(titles)) == len(titles)


@every_page
def test_a_page_has_sections_and_none_is_empty(page: Path) -> None:
    texts = list(sections(page))
    assert len(texts) >= 4
    for text in texts:
        heading, _, body = text.partition("\n")
        assert body.strip(), heading


@every_page
def test_a_section_is_short_enough_for_one_chunk(page: Path) -> None:
    for section in sections(page):
        prose = [line for line in section.splitlines() if not line.startswith("|")]
        assert len(" ".join(prose).split()) <= LONGEST_SECTION, prose[0]


@every_page
def test_its_links_lead_to_pages_of_the_guide(page: Path) -> None:
    for link in links(page):
        assert (CORPUS / link).is_file(), link


def test_the_contents_list_every_other_page_once() -> None:
    listed = list(links(CONTENTS))
    assert sorted(listed) == sorted({page.name for page in PAGES} - {CONTENTS.name})


@every_page
def test_it_names_no_path_of_a_machine(page: Path) -> None:
    assert not MACHINE_PATH.search(page.read_text(encoding="utf-8"))


@every_page
def test_its_code_blocks_are_closed_and_console_blocks_have_prompts(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.count("\n```") % 2 == 0
    for token in tokens(page):
        if token.type == "fence" and token.info == "console":
            assert token.content.startswith("$ ")
