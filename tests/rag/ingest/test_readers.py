"""Files of every type as entries."""

import io
import json
from collections.abc import Iterator

import docx
import pytest
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from rag.ingest.quality import Flaw, Reason
from rag.ingest.readers import DOCX, Entry, media_type, read
from rag.ingest.sandbox import Sandbox
from rag.ingest.sources import discover

from .conftest import Workplace


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


def entries(workplace: Workplace, sandbox: Sandbox, name: str, content: str | bytes) -> list[Entry | Flaw]:
    workplace.write(name, content)
    [file] = discover([name])
    kind = media_type(file)
    assert kind is not None
    return list(read(file, kind, sandbox))


def pdf(*pages: str, title: str | None = None, password: str | None = None) -> bytes:
    """A PDF that shows each line of each page in Helvetica."""
    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    reference = writer._add_object(font)
    for text in pages:
        page = writer.add_blank_page(width=600, height=800)
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): DictionaryObject({NameObject("/F1"): reference})})
        stream = DecodedStreamObject()
        lines = " ".join(f"({line}) Tj 0 -20 Td" for line in text.splitlines())
        stream.set_data(f"BT /F1 12 Tf 50 700 Td {lines} ET".encode())
        page[NameObject("/Contents")] = writer._add_object(stream)
    if title:
        writer.add_metadata({"/Title": title})
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def test_markdown_keeps_its_offsets_behind_front_matter(workplace: Workplace, sandbox: Sandbox) -> None:
    source = "---\ntitle: The guide\ntags: [a, b]\ndate: 2026-01-02\ndraft: false\nnested: {x: 1}\n---\n# Heading\n\nText.\n"
    [entry] = entries(workplace, sandbox, "a.md", source)
    assert entry.title == "The guide"
    assert entry.metadata == {"tags": "a, b", "date": "2026-01-02", "draft": False}
    assert entry.text.index("Text.") == source.index("Text.")
    assert entry.text.strip().startswith("# Heading")


@pytest.mark.parametrize(
    "source",
    [
        "---\nno mapping\n---\ntext",
        "---\n: : :\n- [\n---\ntext",
        "---\ndate: 2026-13-45\n---\ntext",
        "---\n\nnever closed",
        "text\n---\na: b\n---\n",
    ],
)
def test_what_is_no_front_matter_is_text(workplace: Workplace, sandbox: Sandbox, source: str) -> None:
    [entry] = entries(workplace, sandbox, "a.md", source)
    assert (entry.text, entry.metadata) == (source, {})


def test_a_title_is_the_first_heading(workplace: Workplace, sandbox: Sandbox) -> None:
    [entry] = entries(workplace, sandbox, "a.md", "```\n# code\n```\n\n# The *title*\n\n## Other\n")
    assert entry.title == "The title"
    [entry] = entries(workplace, sandbox, "a.txt", "# a comment")
    assert entry.title == ""


def test_html_becomes_markdown(workplace: Workplace, sandbox: Sandbox) -> None:
    page = """<!doctype html><html><head><title>The
      page</title><style>x {}</style></head><body><nav>Menu</nav><h1>Guide &amp; <b>more</b></h1><p>One <i>two</i>
      three.<br>Four</p><ul><li>a<ul><li>b</li></ul></li><li>c</li></ul><pre>def f():\n    return 1</pre>
      <table><tr><th>k</th><th>v</th></tr><tr><td>1|2</td><td>3</td></tr></table><script>bad()</script><p hidden>no</p></body></html>"""
    [entry] = entries(workplace, sandbox, "a.html", page)
    assert entry.title == "The page"
    assert entry.text == (
        "# Guide & more\n\nOne two three.\nFour\n\n- a\n  - b\n- c\n\n```\ndef f():\n    return 1\n```\n\n"
        "| k | v |\n| --- | --- |\n| 1\\|2 | 3 |"
    )


def test_html_reads_its_main_part_and_its_declared_encoding(workplace: Workplace, sandbox: Sandbox) -> None:
    page = '<html><meta charset="windows-1251"><body><p>Header</p><main><p>Привет</p></main><footer>Foot</footer>'
    [entry] = entries(workplace, sandbox, "a.htm", page.encode("cp1251"))
    assert entry.text == "Привет"


def test_html_with_an_xml_declaration_and_none_at_all(workplace: Workplace, sandbox: Sandbox) -> None:
    [entry] = entries(workplace, sandbox, "a.xhtml", '<?xml version="1.0" encoding="utf-8"?><html><body><p>Öl</p></body></html>')
    assert entry.text == "Öl"
    [entry] = entries(workplace, sandbox, "b.html", "")
    assert entry.text == ""
    [entry] = entries(workplace, sandbox, "c.html", "<!-- nothing -->")
    assert isinstance(entry, Flaw) or entry.text == ""


def test_pages_of_a_pdf_are_parted_by_form_feeds(workplace: Workplace, sandbox: Sandbox) -> None:
    [entry] = entries(workplace, sandbox, "a.pdf", pdf("First page.\nSecond line.", "Second page.", title="Paper"))
    assert entry.title == "Paper"
    assert entry.text == "First page.\nSecond line.\fSecond page."
    assert entry.media_type == "application/pdf"


def test_a_pdf_with_a_password_is_told(workplace: Workplace, sandbox: Sandbox) -> None:
    [flaw] = entries(workplace, sandbox, "a.pdf", pdf("Secret.", password="secret"))
    assert (flaw.reason, flaw.detail) == (Reason.UNREADABLE, "a.pdf: ValueError: it needs a password")


def test_docx_becomes_markdown(workplace: Workplace, sandbox: Sandbox) -> None:
    document = docx.Document()
    document.core_properties.title = "The report"
    document.add_heading("Results", 1)
    document.add_paragraph("They were good.")
    document.add_heading("Detail", 2)
    document.add_paragraph("one", style="List Bullet")
    document.add_paragraph("two", style="List Bullet")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(table._cells, ["k", "v", "1", "2"], strict=True):
        cell.text = text
    buffer = io.BytesIO()
    document.save(buffer)
    [entry] = entries(workplace, sandbox, "a.docx", buffer.getvalue())
    assert entry.title == "The report"
    assert entry.media_type == DOCX
    assert entry.text == ("# Results\n\nThey were good.\n\n## Detail\n\n- one\n- two\n\n| k | v |\n| --- | --- |\n| 1 | 2 |")


def test_jsonl_rows_are_documents(workplace: Workplace, sandbox: Sandbox) -> None:
    rows = [
        {
            "id": "x",
            "title": "T",
            "text": "One.",
            "metadata": {"year": 2020},
            "topic": "a",
            "tags": ["p", "q"],
            "deep": {"z": 1},
            "no": None,
        },
        {"id": 7, "text": "Two."},
        {"text": "Three\u0000 \ud800."},
    ]
    found = entries(workplace, sandbox, "a.jsonl", "\ufeff" + "\n\n".join(json.dumps(row) for row in rows))
    assert found == [
        Entry("x", "T", "One.", "application/jsonl", {"topic": "a", "tags": "p, q", "year": 2020}, named=True),
        Entry("7", "", "Two.", "application/jsonl", {}, named=True),
        Entry("a.jsonl#5", "", "Three\ufffd \ufffd.", "application/jsonl", {}),
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{not json", "not JSON (Expecting property name enclosed in double quotes at column 2)"),
        (b'{"text": "a\xff"}', "not UTF-8 at byte 12 of the line"),
        (b"[1]", "not a JSON object"),
        (b'{"id": "a"}', 'no "text", or one that is not a string'),
        (b'{"text": "a", "id": ""}', '"id" is neither a string nor an integer'),
        (b'{"text": "a", "id": 1.5}', '"id" is neither a string nor an integer'),
        (b'{"text": "a", "title": 1}', '"title" is not a string'),
        (b'{"text": "a", "metadata": []}', '"metadata" is not an object'),
        (b'{"text": "a", "score": NaN}', "NaN is not JSON"),
    ],
)
def test_a_bad_line_is_told_and_the_others_go_on(workplace: Workplace, sandbox: Sandbox, line: bytes, problem: str) -> None:
    before, flaw, after = entries(workplace, sandbox, "a.jsonl", b'{"text": "One."}\n' + line + b'\n{"text": "Two."}\n')
    assert (before.text, after.text) == ("One.", "Two.")
    assert flaw == Flaw(source="a.jsonl", reason=Reason.BAD_ROW, detail=f"a.jsonl:2: {problem}")


def test_a_line_nested_too_deeply_is_told(workplace: Workplace, sandbox: Sandbox) -> None:
    [flaw] = entries(workplace, sandbox, "a.jsonl", '{"text": "a", "b": ' + "[" * 100_000)
    assert flaw.reason is Reason.BAD_ROW


def test_csv_rows_with_a_text_column(workplace: Workplace, sandbox: Sandbox) -> None:
    table = 'ID;Title;Text;Topic\nx;T;"One;\ntwo.";a\n;;Three.;\n'
    assert entries(workplace, sandbox, "a.csv", table) == [
        Entry("x", "T", "One;\ntwo.", "text/csv", {"Topic": "a"}, named=True),
        Entry("a.csv#2", "", "Three.", "text/csv", {}),
    ]


def test_csv_rows_without_a_text_column(workplace: Workplace, sandbox: Sandbox) -> None:
    found = entries(workplace, sandbox, "a.tsv", "name\tprice\nBolt\t3\n\nNut\t\n")
    assert found == [
        Entry("a.tsv#1", "", "name: Bolt\nprice: 3", "text/csv", {}),
        Entry("a.tsv#2", "", "name: Nut", "text/csv", {}),
    ]


def test_a_csv_row_of_another_length_is_told(workplace: Workplace, sandbox: Sandbox) -> None:
    good, flaw, last = entries(workplace, sandbox, "a.csv", "text,topic\nOne.,a\nTwo.\nThree.,b\n")
    assert (good.text, last.text) == ("One.", "Three.")
    assert flaw.detail == "a.csv:3: 1 columns where the first line has 2"
    assert flaw.document_id == "a.csv#2"


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ('One.,a\n"Two.,b\nThree.,c\n', "a.csv:3: unexpected end of data"),
        ('One.,a\n"Tw"o.,b\n', "a.csv:3: ',' expected after '\"'"),
    ],
)
def test_bad_quoting_in_csv_is_told(workplace: Workplace, sandbox: Sandbox, rows: str, problem: str) -> None:
    good, flaw = entries(workplace, sandbox, "a.csv", f"text,topic\n{rows}")
    assert good.text == "One."
    assert (flaw.reason, flaw.detail) == (Reason.BAD_ROW, problem)


def test_columns_of_the_same_name_are_told(workplace: Workplace, sandbox: Sandbox) -> None:
    [flaw] = entries(workplace, sandbox, "a.csv", "Text,topic,text\nOne.,a,b\n")
    assert flaw.detail == "a.csv:1: more than one column is called text"


def test_unknown_types_are_text_or_skipped(workplace: Workplace) -> None:
    for name, content in {"LICENSE": b"Text.", "main.py": "print('ö')".encode(), "a.bin": b"a\0b", "b.bin": b"\xff\xd8"}.items():
        workplace.write(name, content)
    kinds = {file.source: media_type(file) for file in discover(["."])}
    assert kinds == {"LICENSE": "text/plain", "main.py": "text/plain", "a.bin": None, "b.bin": None}


def test_a_text_file_that_is_too_long_is_not_read(workplace: Workplace, sandbox: Sandbox) -> None:
    path = workplace.write("a.txt", "")
    with path.open("wb") as stream:
        stream.truncate(20_000_001)
    [file] = discover(["a.txt"])
    [flaw] = read(file, "text/plain", sandbox)
    assert flaw.reason is Reason.TOO_LONG
