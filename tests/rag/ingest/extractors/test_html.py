"""What a page shows is read, as it is meant, and what it does not show is not."""

import io

import pytest

from rag.ingest.extractors import extract


def text(page: str | bytes) -> str:
    return extract(io.BytesIO(page.encode() if isinstance(page, str) else page), "text/html").text


@pytest.mark.parametrize("label", ["iso-8859-1", "latin-1", "us-ascii", "ISO_8859-1", "windows-1252"])
def test_latin_1_is_read_as_browsers_do(label: str) -> None:
    page = f'<meta charset="{label}"><p>The “gold” plan costs €50 – always.</p>'.encode("cp1252")
    assert text(page) == "The “gold” plan costs €50 – always."


def test_an_empty_main_element_is_not_all_there_is() -> None:
    assert text("<body><main id=app></main><div>Open from 9 to 17.</div></body>") == "Open from 9 to 17."


def test_an_aside_belongs_to_the_main_element_that_it_stands_beside() -> None:
    page = "<main><p>The fee is 12 euros.</p><aside>Inside.</aside></main><div>Ads</div><aside><p>Students pay 6.</p></aside>"
    assert text(page) == "The fee is 12 euros.\n\nInside.\n\nStudents pay 6."


@pytest.mark.parametrize(
    "hidden",
    [
        '<p style="color: red; display : none">promo</p>',
        '<p style="VISIBILITY:hidden">promo</p>',
        "<div hidden>promo</div>",
        '<div id="cookie-banner"><p>We use cookies.</p></div>',
        '<section class="box gdpr_notice">We use cookies.</section>',
        '<div id="onetrust-consent-sdk">We use cookies.</div>',
    ],
)
def test_what_is_not_shown_is_not_read(hidden: str) -> None:
    assert text(f"<p>Before.</p>{hidden}<p>After.</p>") == "Before.\n\nAfter."


@pytest.mark.parametrize(
    "shown",
    [
        '<div class="cookies"><p>Bake for ten minutes.</p></div>',
        '<div class="cookie-consent-off"><h1>Baking</h1><p>Bake for ten minutes.</p></div>',
        '<p style="display:inline">Bake for ten minutes.</p>',
    ],
)
def test_what_only_sounds_hidden_is_read(shown: str) -> None:
    assert text(shown).endswith("Bake for ten minutes.")


def test_ordered_lists_keep_their_numbers() -> None:
    page = "<ol><li>Print<ol type=a><li>Log in</ol><li value=5>Pack<ul><li>well</ul><li>Send</ol><ol start=9><li>Wait<li>Ask</ol>"
    assert text(page) == "1. Print\n   a. Log in\n5. Pack\n   - well\n6. Send\n\n9. Wait\n10. Ask"


def test_a_term_stands_before_its_description() -> None:
    page = "<dl><dt>Refund</dt><dd>in 14 days</dd><dt>Why?</dt><dd>The law.</dd><dd>Our word.</dd><dt>A<dt>B<dd>both</dl>"
    assert text(page) == "Refund: in 14 days\n\nWhy? The law.\n\nOur word.\n\nA\nB: both"


def test_raised_numbers_stay_raised() -> None:
    assert text("<p>10<sup>3</sup> m<sup>-2</sup>, the 1<sup>st</sup>, H<sub>2</sub>O</p>") == "10³ m⁻², the 1st, H2O"


def test_a_cell_that_spans_several_is_in_each_of_them() -> None:
    page = """<table><caption>Fees</caption><tr><th rowspan=2>Country<th colspan=2>Fee<tr><th>Slow<th>Fast
      <tr><td>Germany<td>3.90<td>9.90<tr><td rowspan=2>France<td>4.90<td>12.90<tr><td>5.50<td>14.90</table>"""
    assert text(page) == (
        "Fees\n\n| Country | Fee Slow | Fee Fast |\n| --- | --- | --- |\n"
        "| Germany | 3.90 | 9.90 |\n| France | 4.90 | 12.90 |\n| France | 5.50 | 14.90 |"
    )


@pytest.mark.parametrize("span", ["0", "-1", "x", "99999999999", "3"])
def test_a_span_beyond_the_table_ends_with_it(span: str) -> None:
    rows = text(f"<table><tr><td>k<td>v<tr><td rowspan={span}>a<td>1<tr><td>2</table>").splitlines()
    assert rows[2:] == ["| a | 1 |", "| a | 2 |" if span in ("0", "3") else "| 2 |"]


def test_a_list_in_a_cell_leaves_the_table_one() -> None:
    page = "<table><tr><th>Plan<th>Includes<tr><td>Pro<td><ul><li>10 users<li>500 GB</ul></table>"
    assert text(page) == "| Plan | Includes |\n| --- | --- |\n| Pro | 10 users; 500 GB |"


def test_a_span_ends_with_its_group_of_rows() -> None:
    page = "<table><thead><tr><th rowspan={}>Name<th>2023<th>2024</thead><tbody><tr><td>Pen<td>10<td>20</table>"
    for span in (0, 2):
        assert text(page.format(span)) == "| Name | 2023 | 2024 |\n| --- | --- | --- |\n| Pen | 10 | 20 |"


def test_a_cell_across_the_whole_table_is_no_wider_than_the_table() -> None:
    page = "<table><tr><th>A<th>B<th>C<tr><td colspan=100000>Fees<tr><td>1<td>2<td>3</table>"
    assert text(page).splitlines()[2:] == ["| Fees | Fees | Fees |", "| 1 | 2 | 3 |"]


@pytest.mark.parametrize("part", ["<div hidden>{}</div>", "<nav>{}</nav>"])
def test_an_aside_that_is_not_shown_is_not_read(part: str) -> None:
    assert text("<main>Open.</main>" + part.format("<div><aside>promo</aside></div>")) == "Open."
