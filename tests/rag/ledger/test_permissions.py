"""Who may read a home: the user who made it, whatever the umask."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.ingest.ingest import ingest
from rag.ledger.database import opened
from rag.runtime import Runtime
from rag.settings import Settings


@pytest.fixture(autouse=True)
def open_to_all() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


def test_a_home_is_for_its_user_alone(tmp_path: Path) -> None:
    home, page = tmp_path / "home", tmp_path / "page.md"
    page.write_text("The tulip is red.")
    with Runtime(Settings(home=home, embedder="hash")) as runtime:
        ingest([str(page)], "garden", runtime)
        assert {mode(path) for path in home.glob("ledger.db*")} == {"0o600"}
    assert mode(home) == mode(home / "index/garden") == "0o700"


def test_a_folder_that_is_there_stays_as_it_was_made(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    for _ in range(2):
        with opened(f"sqlite:///{tmp_path / 'ledger.db'}"):
            pass
    assert (mode(tmp_path), mode(tmp_path / "ledger.db")) == ("0o750", "0o600")
