"""All that Word shows is read, and as it stands once every change is accepted."""

import io
import zipfile
from collections.abc import Callable

import docx
import pytest
from docx.document import Document
from docx.oxml.ns import nsdecls
from docx.oxml.parser import parse_xml

from rag.ingest.extractors import extract
from rag.ingest.extractors.base import UnreadableError
from rag.ingest.readers import DOCX

RUN = "<w:r><w:t>{}</w:t></w:r>"
NOTES = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"


def saved(document: Document) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def text(document: Document) -> str:
    return extract(io.BytesIO(saved(document)), DOCX).text


def with_xml(before: str, xml: str, after: str = "") -> Document:
    """A document of one paragraph with this in the middle."""
    document = docx.Document()
    paragraph = document.add_paragraph(before)
    for part in parse_xml(f'<w:p {nsdecls("w")} xmlns:v="urn:schemas-microsoft-com:vml">{xml}</w:p>'):
        paragraph._p.append(part)
    paragraph.add_run(after)
    return document


@pytest.mark.parametrize(
    ("xml", "shown"),
    [
        ('<w:del w:id="1"><w:r><w:delText>four weeks</w:delText></w:r></w:del><w:ins w:id="2">' + RUN + "</w:ins>", "{}"),
        ('<w:moveFrom w:id="1">' + RUN.format("gone") + "</w:moveFrom>" + RUN, "{}"),
        ("<w:sdt><w:sdtPr/><w:sdtContent>" + RUN + "</w:sdtContent></w:sdt>", "{}"),
        ('<w:fldSimple w:instr="DATE">' + RUN + "</w:fldSimple>", "{}"),
        ('<w:hyperlink w:anchor="a">' + RUN + "</w:hyperlink>", "{}"),
        ('<w:r><w:fldChar w:fldCharType="begin"/><w:instrText>DATE</w:instrText></w:r>' + RUN, "{}"),
        ("<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r>" + RUN, "{}"),
        ("<w:r><w:t>three</w:t><w:noBreakHyphen/><w:t>fold</w:t><w:tab/></w:r>" + RUN, "three-fold {}"),
    ],
)
def test_what_is_shown_in_a_paragraph_is_read(xml: str, shown: str) -> None:
    document = with_xml("The notice period is ", xml.replace("{}", "three months"), " from today.")
    assert text(document) == f"The notice period is {shown.format('three months')} from today."


def test_paragraphs_that_were_inserted_or_stand_in_a_content_control_are_read() -> None:
    document = with_xml("", f'<w:ins w:id="3">{RUN.format("Remote work is allowed.")}</w:ins>')
    control = f"<w:sdt {nsdecls('w')}><w:sdtContent><w:p>{RUN.format('Call 4711.')}</w:p></w:sdtContent></w:sdt>"
    document.element.body.insert(1, parse_xml(control))
    assert text(document) == "Remote work is allowed.\n\nCall 4711."


@pytest.mark.parametrize(
    "box",
    [
        "<w:r><w:pict><v:shape><v:textbox>{}</v:textbox></v:shape></w:pict></w:r>",
        '<w:r><mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
        "<mc:Choice>{0}</mc:Choice><mc:Fallback>{0}</mc:Fallback></mc:AlternateContent></w:r>",
    ],
)
def test_a_text_box_follows_its_paragraph_once(box: str) -> None:
    content = f"<w:txbxContent><w:p>{RUN.format('High voltage.')}</w:p></w:txbxContent>"
    assert text(with_xml("Mind the cover", box.format(content), ".")) == "Mind the cover.\n\nHigh voltage."


def test_a_footnote_follows_its_paragraph() -> None:
    document = with_xml("The discount is 17 percent", '<w:r><w:footnoteReference w:id="2"/></w:r>', " for partners.")
    document.add_paragraph("More.")
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(document))) as plain, zipfile.ZipFile(buffer, "w") as noted:
        for name in plain.namelist():
            content = plain.read(name)
            if name == "[Content_Types].xml":
                part = f'<Override PartName="/word/footnotes.xml" ContentType="{NOTES}"/></Types>'
                content = content.replace(b"</Types>", part.encode())
            if name == "word/_rels/document.xml.rels":
                link = f'<Relationship Id="rId99" Type="{RELATION}" Target="footnotes.xml"/></Relationships>'
                content = content.replace(b"</Relationships>", link.encode())
            noted.writestr(name, content)
        note = f'<w:footnote w:id="2"><w:p>{RUN.format("In Norway 5 percent.")}</w:p></w:footnote>'
        noted.writestr("word/footnotes.xml", f"<w:footnotes {nsdecls('w')}>{note}</w:footnotes>")
    buffer.seek(0)
    found = extract(buffer, DOCX).text
    assert found == "The discount is 17 percent¹ for partners.\n\n¹ In Norway 5 percent.\n\nMore."


def test_headings_are_known_by_the_style_that_theirs_is_based_on_and_by_their_level() -> None:
    document = docx.Document()
    style = document.styles.add_style("Corporate", 1)
    style.base_style = document.styles["Heading 2"]
    document.add_paragraph("The rules", "Title")
    document.add_paragraph("Safety", "Corporate")
    levelled = document.add_paragraph("Helmets")
    levelled._p.get_or_add_pPr().append(parse_xml(f'<w:outlineLvl {nsdecls("w")} w:val="2"/>'))
    body = document.add_paragraph("No heading", "Corporate")
    body._p.get_or_add_pPr().append(parse_xml(f'<w:outlineLvl {nsdecls("w")} w:val="9"/>'))
    assert text(document) == "# The rules\n\n## Safety\n\n### Helmets\n\nNo heading"


def test_lists_keep_their_numbers_and_levels() -> None:
    document = docx.Document()
    levels = "".join(
        f'<w:lvl w:ilvl="{depth}"><w:start w:val="1"/><w:numFmt w:val="{style}"/><w:lvlText w:val="{marker}"/></w:lvl>'
        for depth, (style, marker) in enumerate([("decimal", "§ %1"), ("lowerLetter", "(%2)"), ("upperRoman", "%1.%3.")])
    )
    numbering = document.part.numbering_part.element
    numbering.insert(0, parse_xml(f'<w:abstractNum {nsdecls("w")} w:abstractNumId="77">{levels}</w:abstractNum>'))
    restart = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride>'
    for id, override in ((77, ""), (78, restart)):
        xml = f'<w:num {nsdecls("w")} w:numId="{id}"><w:abstractNumId w:val="77"/>{override}</w:num>'
        numbering.append(parse_xml(xml))

    def item(content: str, depth: int, id: int = 77, style: str | None = None) -> None:
        xml = f'<w:numPr {nsdecls("w")}><w:ilvl w:val="{depth}"/><w:numId w:val="{id}"/></w:numPr>'
        document.add_paragraph(content, style)._p.get_or_add_pPr().append(parse_xml(xml))

    for content, depth in (("One", 0), ("first", 1), ("second", 1), ("deep", 2), ("Two", 0), ("first", 1)):
        item(content, depth)
    document.add_paragraph("Between.")
    item("Three", 0)
    item("Five", 0, 78)
    item("Six", 0, 78, "Heading 1")
    item("No item", 0, 0)
    assert text(document) == (
        "§ 1 One\n   (a) first\n   (b) second\n      1.I. deep\n§ 2 Two\n   (a) first\n\nBetween.\n\n"
        "§ 3 Three\n§ 5 Five\n\n# § 6 Six\n\nNo item"
    )


def test_the_styles_of_lists_have_numbers_and_levels_too() -> None:
    document = docx.Document()
    for content, style in (("a", "List Bullet"), ("b", "List Bullet 2"), ("Open", "List Number"), ("Press", "List Number")):
        document.add_paragraph(content, style)
    assert text(document) == "- a\n   - b\n1. Open\n2. Press"


def merged(rows: list[list[str]], merge: Callable[..., None]) -> str:
    document = docx.Document()
    table = document.add_table(rows=len(rows), cols=len(rows[0]))
    for row, values in zip(table.rows, rows, strict=True):
        for cell, value in zip(row.cells, values, strict=True):
            cell.text = value
    merge(table.cell)
    return text(document)


def test_merged_cells_are_in_each_place() -> None:
    def merge(cell: Callable[[int, int], docx.table._Cell]) -> None:
        cell(0, 1).merge(cell(0, 2)).text = "2023"
        cell(0, 0).merge(cell(1, 0)).text = "Region"
        cell(2, 0).merge(cell(3, 0)).text = "North"

    rows = [["", "", "", "2024"], ["", "Q1", "Q2", "Q1"], ["", "10", "20", "30"], ["", "", "50", "60"]]
    assert merged(rows, merge) == (
        "| Region | 2023 Q1 | 2023 Q2 | 2024 Q1 |\n| --- | --- | --- | --- |\n| North | 10 | 20 | 30 |\n| North |  | 50 | 60 |"
    )


def test_a_table_in_a_table_is_one_of_its_own() -> None:
    document = docx.Document()
    outer = document.add_table(rows=1, cols=2)
    outer.cell(0, 0).text = "Outer"
    inner = outer.cell(0, 1).add_table(rows=2, cols=2)
    for cell, value in zip(inner._cells, ["Gate", "Code", "East", "5521"], strict=True):
        cell.text = value
    assert text(document) == "Outer\n\n| Gate | Code |\n| --- | --- |\n| East | 5521 |"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 600, "an old Word document, or one with a password"),
        (b"PK\x03\x04garbage", "damaged, or not a DOCX"),
    ],
)
def test_what_is_no_docx_is_told(content: bytes, told: str) -> None:
    with pytest.raises(UnreadableError, match=told):
        extract(io.BytesIO(content), DOCX)


def test_a_cell_across_the_whole_table_is_no_wider_than_the_table() -> None:
    document = docx.Document()
    rows = [[("Fees", 100000)], [("A", 1), ("B", 1)]]
    cell = '<w:tc><w:tcPr><w:gridSpan w:val="{}"/></w:tcPr><w:p>{}</w:p></w:tc>'
    inside = "".join(f"<w:tr>{''.join(cell.format(span, RUN.format(name)) for name, span in row)}</w:tr>" for row in rows)
    document.element.body.insert(0, parse_xml(f"<w:tbl {nsdecls('w')}>{inside}</w:tbl>"))
    assert text(document) == "| Fees | Fees |\n| --- | --- |\n| A | B |"


def test_a_list_with_senseless_numbers_is_read() -> None:
    document = docx.Document()
    level = '<w:lvl w:ilvl="0"><w:start w:val="x"/><w:lvlText w:val="%1."/></w:lvl>'
    numbering = document.part.numbering_part.element
    numbering.insert(0, parse_xml(f'<w:abstractNum {nsdecls("w")} w:abstractNumId="77">{level}</w:abstractNum>'))
    numbering.append(parse_xml(f'<w:num {nsdecls("w")} w:numId="77"><w:abstractNumId w:val="77"/></w:num>'))
    for content, depth in (("One", "0"), ("deep", "9" * 5000)):
        item = f'<w:numPr {nsdecls("w")}><w:ilvl w:val="{depth}"/><w:numId w:val="77"/></w:numPr>'
        document.add_paragraph(content)._p.get_or_add_pPr().append(parse_xml(item))
    assert text(document) == f"1. One\n{' ' * 24}- deep"
