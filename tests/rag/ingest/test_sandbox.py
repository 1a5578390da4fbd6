"""A file that misbehaves costs itself and nothing else."""

import io
import zipfile
from pathlib import Path

import docx

from rag.ingest.quality import Reason
from rag.ingest.readers import DOCX
from rag.ingest.sandbox import Failure, Parsed, Sandbox


def page(tmp_path: Path, content: str, name: str = "a.html") -> Path:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    return path


def bomb(tmp_path: Path) -> Path:
    """A DOCX of a few hundred kilobytes whose one part unpacks to 200 MB."""
    buffer = io.BytesIO()
    docx.Document().save(buffer)
    path = tmp_path / "bomb.docx"
    with zipfile.ZipFile(buffer) as good, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bad:
        for name in good.namelist():
            if name != "word/document.xml":
                bad.writestr(name, good.read(name))
        with bad.open("word/document.xml", "w") as part:
            for _ in range(200):
                part.write(b" " * (1 << 20))
    return path


def test_memory_is_bounded_and_the_next_file_is_read(tmp_path: Path) -> None:
    good = page(tmp_path, "<p>Good.</p>")
    with Sandbox(memory=250 << 20) as sandbox:
        failure = sandbox.parse(bomb(tmp_path), DOCX)
        assert isinstance(failure, Failure)
        assert failure.reason is Reason.OUT_OF_MEMORY
        assert sandbox.parse(good, "text/html") == Parsed("", "Good.")


def test_time_is_bounded_and_the_next_file_is_read(tmp_path: Path) -> None:
    # Tables in tables cost the square of their depth: a page that is slow rather than broken.
    slow = page(tmp_path, ("<table>" * 1900 + "x" + "</table>" * 1900) * 20)
    good = page(tmp_path, "<p>Good.</p>", "good.html")
    with Sandbox(seconds=1.5) as sandbox:
        failure = sandbox.parse(slow, "text/html")
        assert failure == Failure(Reason.TIMED_OUT, "parsing it took more than 1.5 s; split it, or save it as plain text")
        assert sandbox.parse(good, "text/html") == Parsed("", "Good.")


def test_a_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    good = page(tmp_path, "<p>Good.</p>")
    with Sandbox() as sandbox:
        assert sandbox.parse(good, "text/html") == Parsed("", "Good.")
        worker = sandbox._worker
        assert worker is not None
        worker.kill()
        worker.wait()
        assert sandbox.parse(good, "text/html") == Parsed("", "Good.")


def test_elements_nested_too_deeply_are_told_not_dropped(tmp_path: Path) -> None:
    with Sandbox() as sandbox:
        failure = sandbox.parse(page(tmp_path, "<div>" * 5000 + "deep"), "text/html")
    assert failure == Failure(Reason.UNREADABLE, "its elements are nested too deeply; save it with fewer levels")
