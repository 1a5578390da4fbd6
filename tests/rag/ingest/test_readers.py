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
from .extractors.test_pdf import pdf as drawn

MAIL = "a mail or a web archive is not read; save it as text, HTML or PDF"


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
    [entry] = entries(workplace, sandbox, "c.html", "<!-- nothing -->")
    assert isinstance(entry, Flaw) or entry.text == ""


def test_pages_of_a_pdf_are_parted_by_form_feeds(workplace: Workplace, sandbox: Sandbox) -> None:
    [entry] = entries(workplace, sandbox, "a.pdf", pdf("First page.\nSecond line.", "Second page.", title="Paper"))
    assert entry.title == "Paper"
    assert entry.text == "First page.\nSecond line.\fSecond page."
    assert entry.media_type == "application/pdf"


def test_a_pdf_with_a_password_is_told(workplace: Workplace, sandbox: Sandbox) -> None:
    [flaw] = entries(workplace, sandbox, "a.pdf", pdf("Secret.", password="secret"))
    assert (flaw.reason, flaw.detail) == (Reason.UNREADABLE, "a.pdf: it needs a password; save it without one")


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
        (
            b"{not json",
            "not JSON (Expecting property name enclosed in double quotes at column 2); write one object on each line",
        ),
        (b'{"text": "a\xff"}', "not UTF-8 at byte 12 of the line; convert it"),
        (b"[1]", 'not a JSON object; write {"text": "..."} on the line'),
        (b'{"id": "a"}', 'no "text", or one that is not a string; call the field with the text so'),
        (b'{"text": "a", "id": ""}', '"id" is neither a string nor an integer; put it in quotation marks'),
        (b'{"text": "a", "id": 1.5}', '"id" is neither a string nor an integer; put it in quotation marks'),
        (b'{"text": "a", "title": 1}', '"title" is not a string; put it in quotation marks'),
        (b'{"text": "a", "metadata": []}', '"metadata" is not an object; write {"key": "value"}'),
        (b'{"text": "a", "score": NaN}', "NaN is not JSON; write null"),
    ],
)
def test_a_bad_line_is_told_and_the_others_go_on(workplace: Workplace, sandbox: Sandbox, line: bytes, problem: str) -> None:
    before, flaw, after = entries(workplace, sandbox, "a.jsonl", b'{"text": "One."}\n' + line + b'\n{"text": "Two."}\n')
    assert (before.text, after.text) == ("One.", "Two.")
    assert flaw == Flaw(source="a.jsonl", reason=Reason.BAD_ROW, detail=f"a.jsonl:2: {problem}")


def test_a_line_nested_too_deeply_is_told(workplace: Workplace, sandbox: Sandbox) -> None:
    [flaw] = entries(workplace, sandbox, "a.jsonl", '{"text": "a", "b": ' + "[" * 100_000)
    assert (flaw.reason, flaw.detail) == (Reason.BAD_ROW, "a.jsonl:1: nested too deeply; write its text as one string")


def test_csv_rows_with_a_text_column(workplace: Workplace, sandbox: Sandbox) -> None:
    table = 'ID;Title;Text;Topic\nx;T;"One;\ntwo.";a\n;;Three.;\n'
    assert entries(workplace, sandbox, "a.csv", table) == [
        Entry("x", "T", "One;\ntwo.\n\nTopic: a", "text/csv", {"Topic": "a"}, named=True),
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
    assert (good.text, last.text) == ("One.\n\ntopic: a", "Three.\n\ntopic: b")
    assert flaw.detail == "a.csv:3: 1 columns where the header has 2; put values with a delimiter in quotation marks"
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
    assert good.text == "One.\n\ntopic: a"
    mend = "; close each quotation mark, and double those inside a value"
    assert (flaw.reason, flaw.detail) == (Reason.BAD_ROW, problem + mend)


def test_columns_of_the_same_name_are_told(workplace: Workplace, sandbox: Sandbox) -> None:
    [flaw] = entries(workplace, sandbox, "a.csv", "Text,topic,text\nOne.,a,b\n")
    assert flaw.detail == "a.csv:1: more than one column is called text; call one of them otherwise"


def read_rows(workplace: Workplace, sandbox: Sandbox, content: str) -> list[str]:
    """The texts of a table, and what is wrong with it."""
    return [found.detail if isinstance(found, Flaw) else found.text for found in entries(workplace, sandbox, "a.csv", content)]


@pytest.mark.parametrize(
    "content",
    [
        "sep=;\nregion;amount\nNorth;10\nSouth;20\n",
        '"sep=;"\r\nregion;amount\r\nNorth;10\r\nSouth;20\r\n',
        "Report of sales 2024\n\nregion,amount\nNorth,10\nSouth,20\n",
        "Report of sales,\nregion,amount\nNorth,10\nSouth,20\n",
        "Sales of May; net\nregion;amount\nNorth;10\nSouth;20\n".replace("; net", ""),
        "region,amount\nNorth,10,\nSouth,20,,\n",
        "region,amount,,\nNorth,10\nSouth,20,,\n",
    ],
    ids=["sep", "quoted sep", "preamble", "preamble with comma", "preamble and semicolons", "trailing commas", "no commas"],
)
def test_what_spreadsheets_add_to_a_table_is_none_of_it(workplace: Workplace, sandbox: Sandbox, content: str) -> None:
    assert read_rows(workplace, sandbox, content) == ["region: North\namount: 10", "region: South\namount: 20"]


def test_lines_keep_their_numbers_below_what_is_left_out(workplace: Workplace, sandbox: Sandbox) -> None:
    [flaw, _] = read_rows(workplace, sandbox, "sep=;\na;b\n1;2;3\nx;y\n")
    assert flaw.startswith("a.csv:3: 3 columns where the header has 2; ")
    [flaw, _] = read_rows(workplace, sandbox, "Report of May\n\na,b\nx,y,z\nx,y\n")
    assert flaw.startswith("a.csv:4: 3 columns where the header has 2; ")


@pytest.mark.parametrize("content", ["text\nHello, world\nFoo, bar\n", "question\nWhere, and when?\nWhy, then?\n"])
def test_commas_in_the_only_column_are_no_delimiters(workplace: Workplace, sandbox: Sandbox, content: str) -> None:
    assert [text.removeprefix("question: ") for text in read_rows(workplace, sandbox, content)] == content.splitlines()[1:]


@pytest.mark.parametrize("content", ["North,10\nSouth,20\n", "2024-01-03,4.5,x\n2024-01-04,4.7,y\n", "a,7,9\nb,7,12\n"])
def test_a_table_without_names_is_told(workplace: Workplace, sandbox: Sandbox, content: str) -> None:
    [flaw] = read_rows(workplace, sandbox, content)
    assert flaw == "a.csv:1: values where the names of the columns should be; put a line with the names above it"


@pytest.mark.parametrize("header", ["region,2023,2024", "region,1,2", "region,Q1,H2"])
def test_years_and_counts_can_be_names(workplace: Workplace, sandbox: Sandbox, header: str) -> None:
    _, first, second = header.split(",")
    assert read_rows(workplace, sandbox, f"{header}\nNorth,10,20\n") == [f"region: North\n{first}: 10\n{second}: 20"]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", "a,b\n", "no rows; if it should have some, export it again"),
        ("a.csv", "\n\n", "no rows; if it should have some, export it again"),
        ("a.jsonl", "\n", "no rows; if it should have some, export it again"),
        *((f"a{ending}", "", "no text; the file has 0 bytes") for ending in (".csv", ".jsonl", ".pdf", ".docx", ".md", ".html")),
    ],
)
def test_nothing_is_told(workplace: Workplace, sandbox: Sandbox, name: str, content: str, told: str) -> None:
    assert entries(workplace, sandbox, name, content) == [
        Flaw(source=name, reason=Reason.EMPTY, detail=f"{name}: {told}", document_id=name)
    ]


def test_an_array_of_objects_has_a_document_for_each(workplace: Workplace, sandbox: Sandbox) -> None:
    rows = [{"id": 1, "question": "What is the VAT?", "answer": 19, "more": [1], "no": None}, {"text": "T.", "year": 2024}]
    assert entries(workplace, sandbox, "a.json", json.dumps(rows)) == [
        Entry("1", "", "question: What is the VAT?\nanswer: 19\nmore: [1]", "application/jsonl", {}, named=True),
        Entry("a.json#2", "", "T.", "application/jsonl", {"year": 2024}),
    ]
    good, flaw = entries(workplace, sandbox, "a.json", '[{"text": "T."}, {"text": 5}]')
    assert isinstance(good, Entry)
    assert flaw.detail == 'a.json#2: no "text", or one that is not a string; call the field with the text so'


@pytest.mark.parametrize("content", ['{"timeout": 30}', "[1, 2]", "[]", '[{"a": 1}, 2]', "// no JSON", "[" * 100_000])
def test_other_json_is_text(workplace: Workplace, sandbox: Sandbox, content: str) -> None:
    assert entries(workplace, sandbox, "a.json", content) == [Entry("a.json", "", content, "text/plain", {})]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("key.pem", "-----BEGIN PRIVATE KEY-----\nMIIabc\n", "a private key; keep it out of the folder"),
        ("id.txt", "\n-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n", "a private key; keep it out of the folder"),
        ("letter.rtf", "{\\rtf1\\ansi M\\'e4rz}", "RTF is not read; save it as DOCX or PDF"),
        ("mail.eml", "From: a@b\nSubject: x\n y\nContent-Transfer-Encoding: base64\n\nRGVy\n", MAIL),
        ("page.mhtml", "MIME-Version: 1.0\r\n\r\n<p>x</p>", MAIL),
        ("box.txt", "From a@b Mon May 1\nReceived: from c by d\n", MAIL),
    ],
)
def test_what_is_not_for_people_to_read_is_told(
    workplace: Workplace, sandbox: Sandbox, name: str, content: str, told: str
) -> None:
    [flaw] = entries(workplace, sandbox, name, content)
    assert (flaw.reason, flaw.detail) == (Reason.UNREADABLE, f"{name}: {told}")


@pytest.mark.parametrize(
    "content", ["Received: the letter.\n", "A key begins with\n-----BEGIN PRIVATE KEY-----\n", "a: b\r\n" * 5_000]
)
def test_what_is_about_them_is_read(workplace: Workplace, sandbox: Sandbox, content: str) -> None:
    assert entries(workplace, sandbox, "a.txt", content) == [Entry("a.txt", "", content, "text/plain", {})]


def test_pages_that_could_not_be_read_are_told_beside_the_others(workplace: Workplace, sandbox: Sandbox) -> None:
    letter = (50, 700, "The contract is attached.")
    entry, flaw = entries(workplace, sandbox, "a.pdf", drawn([letter], [], pictures=[1]))
    assert isinstance(entry, Entry)
    assert entry.text == "The contract is attached.\f"
    assert flaw.detail == "a.pdf: 1 of 2 pages has pictures and no text; scanned pages need OCR first, the others are read"
    report = workplace.ingest("a.pdf")
    assert (report.documents, [flaw.reason for flaw in report.quarantined]) == (1, [Reason.EMPTY])


def test_a_damaged_file_is_told_without_words_of_programs(workplace: Workplace, sandbox: Sandbox) -> None:
    [flaw] = entries(workplace, sandbox, "a.pdf", pdf("Text.")[:300])
    assert flaw.reason is Reason.UNREADABLE
    assert flaw.detail.startswith("a.pdf: damaged")
    assert flaw.detail.endswith("; open it in the program that made it, and save it again")
    assert "Error" not in flaw.detail


def test_unknown_types_are_text_or_skipped(workplace: Workplace) -> None:
    text = {"LICENSE": b"Text.", "main.py": "print('ö')".encode(), "wide.log": "Line.\n".encode("utf-16-le")}
    text["old.log"] = "2024-01-01 Fehler: Gerät überhitzt, Gehäuse geöffnet\n".encode("latin-1") * 400
    text["cut.log"] = b"a" + "ж".encode() * 8192
    other = {"a.bin": b"a\0b", "b.bin": b"\xff\xd8"}
    for name, content in {**text, **other}.items():
        workplace.write(name, content)
    kinds = {file.source: media_type(file) for file in discover(["."])}
    assert kinds == {**dict.fromkeys(text, "text/plain"), **dict.fromkeys(other)}


def test_a_text_file_that_is_too_long_is_not_read(workplace: Workplace, sandbox: Sandbox) -> None:
    path = workplace.write("a.txt", "")
    with path.open("wb") as stream:
        stream.truncate(20_000_001)
    [file] = discover(["a.txt"])
    [flaw] = read(file, "text/plain", sandbox)
    assert (flaw.reason, flaw.detail) == (
        Reason.TOO_LONG,
        "a.txt: 20,000,001 bytes; split it into documents of at most 5,000,000 characters",
    )
    [flaw] = read(file, "text/csv", sandbox)
    assert flaw.detail == "a.txt: 20,000,001 bytes; split it into files of at most 20,000,000 bytes"
