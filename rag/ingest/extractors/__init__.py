"""Extracts text from HTML, PDF and DOCX: headings, lists, tables and code as Markdown, the pages of a PDF separated
by form feeds.

Knows which module reads which format; relies on its caller to limit what a hostile file can cost.
"""

from typing import IO

from rag.ingest.extractors.base import Extract


def extract(stream: IO[bytes], media_type: str) -> Extract:
    """Raises `UnreadableError` for what people can mend, `UnicodeError`, and whatever else the parser of the format raises."""
    if media_type == "text/html":
        from rag.ingest.extractors.html import extract as extract_html

        return extract_html(stream)
    if media_type == "application/pdf":
        from rag.ingest.extractors.pdf import extract as extract_pdf

        return extract_pdf(stream)
    from rag.ingest.extractors.docx import extract as extract_docx

    return extract_docx(stream)
