"""Folders are whole or not there, whoever else writes beside them."""

from pathlib import Path

from rag.stores.faiss import sealed


def test_leftovers_go_but_not_what_is_being_built(tmp_path: Path) -> None:
    leftover = tmp_path / "guide" / ".unsealed-of-the-dead"
    leftover.mkdir(parents=True)
    (leftover / "vectors.faiss").write_bytes(b"half")
    with sealed.unsealed(tmp_path / "guide") as building:
        assert not leftover.exists()
        (building / "file").write_text("first")
        with sealed.unsealed(tmp_path / "guide") as other:
            assert building.is_dir()
            (other / "file").write_text("second")
            sealed.seal(other, "2")
        sealed.seal(building, "1")
    assert sealed.names(tmp_path / "guide") == ["1", "2"]
    assert (tmp_path / "guide" / "1" / "file").read_text() == "first"
