"""What tells languages apart is unpacked into a temporary folder, which there may not be."""

import tempfile
from pathlib import Path

import pytest

from rag.errors import ConfigurationError
from rag.text import analyzer


def test_without_a_temporary_folder_it_is_told_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    analyzer._identifier.cache_clear()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(ConfigurationError, match="set TMPDIR to a folder that can be written"):
        analyzer.load()
    monkeypatch.undo()
    analyzer.load()
