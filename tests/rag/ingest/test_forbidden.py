"""What is found below a named folder and must not be read: links that lead out of it, and what is no file."""

import os
import socket
from pathlib import Path

import pytest

from rag.ingest.sources import discover

from .conftest import Workplace

OUT = "a link that leads out of docs: name the file that it leads to"
NO_FILE = "not a file but a pipe, a device or a socket"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "elsewhere" / "secret.md"
    path.parent.mkdir()
    path.write_text("The gate code is 4711.")
    return path


def test_a_link_out_of_the_folder_is_skipped_with_the_reason(workplace: Workplace, secret: Path) -> None:
    workplace.write("docs/tulips.md", "The tulip is red.")
    workplace.folder.joinpath("docs/notes.md").symlink_to(secret)
    report = workplace.ingest("docs")
    assert workplace.texts() == {"docs/tulips.md": "The tulip is red.\n"}
    assert [(skipped.source, skipped.detail) for skipped in report.skipped] == [("docs/notes.md", OUT)]


@pytest.mark.parametrize("path", ["docs/*.md", "docs/**/*.md", "docs/*"])
def test_a_glob_is_within_the_folder_before_it(workplace: Workplace, secret: Path, path: str) -> None:
    workplace.write("docs/sub/tulips.md", "The tulip is red.")
    workplace.folder.joinpath("docs/notes.md").symlink_to(secret)
    workplace.folder.joinpath("docs/other").symlink_to(secret.parent)
    assert {file.source for file in discover([path]) if not file.forbidden} <= {"docs/sub/tulips.md"}
    assert {file.forbidden for file in discover([path]) if file.source == "docs/notes.md"} == {OUT}


def test_links_within_the_folder_are_followed(workplace: Workplace) -> None:
    there = workplace.write("docs/sub/tulips.md", "The tulip is red.")
    workplace.folder.joinpath("docs/flowers.md").symlink_to(there)
    workplace.folder.joinpath("alias").symlink_to("docs")
    assert [file.forbidden for path in ("docs", "alias") for file in discover([path])] == [""] * 4


def test_a_link_that_is_named_itself_is_followed(workplace: Workplace, secret: Path) -> None:
    workplace.folder.joinpath("notes.md").symlink_to(secret)
    workplace.ingest("notes.md")
    assert workplace.texts() == {"notes.md": "The gate code is 4711.\n"}


def test_what_was_read_through_a_link_goes_with_prune(workplace: Workplace, secret: Path) -> None:
    notes = workplace.write("docs/notes.md", "The gate code is 4711.")
    workplace.ingest("docs")
    notes.unlink()
    notes.symlink_to(secret)
    stays, goes = workplace.ingest("docs"), workplace.ingest("docs", prune=True)
    assert [skipped.detail for skipped in (*stays.skipped, *goes.skipped)] == [
        f"{OUT}; what was read of it earlier stays, unless --prune is given",
        f"{OUT}; what was read of it earlier was removed",
    ]
    assert stays.vanished == goes.vanished == (), "the file is there"
    assert goes.removed == 1
    assert workplace.texts() == {}


def test_pipes_devices_and_sockets_are_never_opened(workplace: Workplace) -> None:
    """To open a pipe would wait for ever, for nobody writes."""
    workplace.write("docs/tulips.md", "The tulip is red.")
    os.mkfifo(workplace.folder / "docs/pipe.md")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("docs/socket.md")
        report = workplace.ingest("docs", "/dev/zero")
    assert workplace.texts() == {"docs/tulips.md": "The tulip is red.\n"}
    assert {Path(skipped.source).name: skipped.detail for skipped in report.skipped} == dict.fromkeys(
        ("pipe.md", "socket.md", "zero"), NO_FILE
    )
