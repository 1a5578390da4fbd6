"""A PDF reads as its pages are meant: tables by rows, words whole, and without what only frames the pages."""

import io
from collections.abc import Iterable, Sequence

import pytest
from pypdf import PdfWriter
from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, NameObject, NumberObject, TextStringObject

from rag.ingest.extractors import extract
from rag.ingest.extractors import pdf as extractor
from rag.ingest.extractors.base import Extract, UnreadableError
from rag.ingest.extractors.grid import tabled

Shown = tuple[float, float, str]
"""A text and where on the page it stands."""
FONT = DictionaryObject(
    {
        NameObject("/Type"): NameObject("/Font"),
        NameObject("/Subtype"): NameObject("/Type1"),
        NameObject("/BaseFont"): NameObject("/Helvetica"),
        NameObject("/Encoding"): DictionaryObject(
            {
                NameObject("/BaseEncoding"): NameObject("/WinAnsiEncoding"),
                NameObject("/Differences"): ArrayObject([NumberObject(1), NameObject("/fi"), NameObject("/ffi")]),
            }
        ),
    }
)
"""Its first two codes are ligatures."""
PARTS = [["Model", "Power kW", "Weight kg"], ["P-404", "10.6", "50"], ["P-405", "", "55"], ["P-406", "11.9", "60"]]


def pdf(*pages: Iterable[Shown], title: str = "", pictures: Sequence[int] = (), fields: Sequence[tuple[str, str]] = ()) -> bytes:
    """The pages with their texts drawn one after another. `pictures`: the numbers of pages with one; `fields` are on the first."""
    writer = PdfWriter()
    for number, shown in enumerate(pages):
        page = writer.add_blank_page(width=600, height=800)
        resources = DictionaryObject({NameObject("/Font"): DictionaryObject({NameObject("/F1"): FONT})})
        if number in pictures:
            picture = DecodedStreamObject()
            picture.update({NameObject("/Subtype"): NameObject("/Image")})
            resources[NameObject("/XObject")] = DictionaryObject({NameObject("/I"): writer._add_object(picture)})
        page[NameObject("/Resources")] = resources
        stream = DecodedStreamObject()
        stream.set_data("\n".join(f"BT /F1 10 Tf {x} {y} Td ({text}) Tj ET" for x, y, text in shown).encode("cp1252"))
        page[NameObject("/Contents")] = writer._add_object(stream)
    for name, value in fields:
        field = DictionaryObject({NameObject("/Subtype"): NameObject("/Widget"), NameObject("/T"): TextStringObject(name)})
        field[NameObject("/V")] = NameObject(value) if value.startswith("/") else TextStringObject(value)
        annotations = writer.pages[0].setdefault(NameObject("/Annots"), ArrayObject())
        annotations.append(writer._add_object(field))
    if title:
        writer.add_metadata({"/Title": title})
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def lines(*texts: str, x: float = 50, y: float = 700) -> list[Shown]:
    return [(x, y - 20 * number, text) for number, text in enumerate(texts)]


def grid(rows: Sequence[Sequence[str]], y: float = 700, columns: Sequence[float] = (50, 200, 350, 480)) -> list[Shown]:
    """A table drawn row by row, each cell on its own, as report generators do."""
    return [(x, y - 20 * down, cell) for down, row in enumerate(rows) for x, cell in zip(columns, row, strict=False) if cell]


def read(content: bytes) -> Extract:
    return extract(io.BytesIO(content), "application/pdf")


def test_a_table_keeps_its_rows_and_its_header() -> None:
    page = [*lines("Technical data", y=750), *grid(PARTS), *lines("Weights are without oil.", y=600)]
    assert read(pdf(page)).text == (
        "Technical data\n\n| Model | Power kW | Weight kg |\n| --- | --- | --- |\n"
        "| P-404 | 10.6 | 50 |\n| P-405 |  | 55 |\n| P-406 | 11.9 | 60 |\n\nWeights are without oil."
    )


def test_cells_that_stand_to_the_right_or_go_on_below_are_whole() -> None:
    page = [
        *grid([["Part", "What it is for", "Price"]]),
        *((50, 680, "A-1"), (200, 680, "Holds the cover of"), (200, 668, "the motor in place"), (362, 680, "3.50")),
        *((50, 640, "B-2"), (200, 640, "Seals the pump"), (362, 640, "7.00")),
    ]
    assert read(pdf(page)).text == (
        "| Part | What it is for | Price |\n| --- | --- | --- |\n"
        "| A-1 | Holds the cover of the motor in place | 3.50 |\n| B-2 | Seals the pump | 7.00 |"
    )


def test_rows_without_a_header_do_not_make_one_of_the_first() -> None:
    page = grid([["Invoice", "2024-113"], ["Due", "3 May 2024"], ["Customer", "Miller Ltd"]])
    assert read(pdf(page)).text == "Invoice | 2024-113\nDue | 3 May 2024\nCustomer | Miller Ltd"
    page = grid([["Anna", "Kiel", "Sales"], ["Bert", "Bonn", "Research"]])
    assert read(pdf(page)).text == "Anna | Kiel | Sales\nBert | Bonn | Research"


def test_columns_of_prose_are_read_one_after_the_other() -> None:
    left = lines("The pump is started with", "the green button. It runs", "for an hour at most.")
    right = lines("Warranty lasts a year and", "begins with the delivery", "of the unit.", x=320)
    assert read(pdf([*left, *right])).text == "\n".join(text for _, _, text in [*left, *right])


def test_a_table_drawn_by_columns_is_left_as_it_is() -> None:
    """What belongs to which row is then a guess."""
    columns = [lines(*column, x=x) for x, column in zip((50, 200, 350), zip(*grid_of("A", "B", "C"), strict=True), strict=True)]
    shown = [cell for column in columns for cell in column]
    assert read(pdf(shown)).text == "\n".join(text for _, _, text in shown)


def grid_of(*names: str) -> list[list[str]]:
    return [[name, f"{number}", f"{number}0"] for number, name in enumerate(names, 1)]


def test_lines_that_run_through_the_pages_stand_on_the_first_alone() -> None:
    heads = ["Pump manual, revision 7", "Page {} of 4   printed 2024-03-01"]
    pages = [
        lines(*(head.format(number) for head in heads), f"Chapter {number} begins.", f"Chapter {number} ends.", str(number + 2))
        for number in range(1, 5)
    ]
    first, *others = read(pdf(*pages)).text.split("\f")
    assert first == "\n".join(text for _, _, text in pages[0])
    assert others == [f"Chapter {number} begins.\nChapter {number} ends." for number in (2, 3, 4)]


def test_numbers_that_are_none_of_pages_stay() -> None:
    pages = [lines("Sum", str(number * 7), f"Step {number}") for number in range(1, 5)]
    assert read(pdf(*pages)).text == "Sum\n7\nStep 1\f14\nStep 2\f21\nStep 3\f28\nStep 4"


def test_words_cut_at_the_end_of_a_line_are_whole() -> None:
    page = lines(
        "Die Kündigungs-",
        "frist, zum Quartals-",
        "ende. A long-",
        "term plan of a term that is long. The P-",
        "400 and Anna-",
        "Lena.",
    )
    assert read(pdf(page)).text == (
        "Die Kündigungsfrist,\nzum Quartalsende.\nA long-term\nplan of a term that is long. The P-\n400 and Anna-\nLena."
    )


@pytest.mark.parametrize(
    ("title", "kept"),
    [
        ("(anonymous)", ""),
        ("untitled", ""),
        ("Microsoft Word - final_v3 (2).doc", ""),
        ("report.indd", ""),
        ("Untitled document", ""),
        ("PowerPoint Presentation", ""),
        ("Document 3", ""),
        ("Document retention", "Document retention"),
        ("Untitled: a film", "Untitled: a film"),
    ],
)
def test_what_a_program_calls_a_document_is_no_title(title: str, kept: str) -> None:
    assert read(pdf(lines("Text."), title=title)).title == kept


def test_pages_without_text_are_told() -> None:
    letter = lines("The contract is attached.")
    assert read(pdf(letter, [], [], pictures=[1, 2])).lost == (
        "2 of 3 pages have pictures and no text; scanned pages need OCR first, the others are read"
    )
    assert read(pdf(letter, letter, [], pictures=[0])).lost == "", "an empty page has nothing to read"
    assert read(pdf([], pictures=[0])) == Extract("", "")


def test_what_was_filled_in_stands_on_its_page() -> None:
    fields = [("IBAN", "DE89 3704"), ("Member", "/Yes"), ("News", "/Off"), ("Empty", "")]
    assert (
        read(pdf(lines("Registration"), lines("Terms"), fields=fields)).text
        == "Registration\nIBAN: DE89 3704\nMember: Yes\fTerms"
    )


def test_ligatures_are_letters() -> None:
    assert read(pdf(lines("E\x02cient \x01ne floors"))).text == "Efficient fine floors"


def test_what_is_no_pdf_is_told() -> None:
    with pytest.raises(UnreadableError, match="not a PDF"):
        read(b"<html><body>login required</body></html>")


def test_tables_do_not_cost_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extractor, "TABLE_SECONDS", 0.0)
    assert read(pdf(grid(PARTS))).text == "\n".join(" ".join(filter(None, row)) for row in PARTS)


def test_a_page_of_nothing_but_cells_is_left_as_it_is() -> None:
    page = "\n".join("  ".join("0" * 60) for _ in range(300))
    assert tabled(page, page) == page
