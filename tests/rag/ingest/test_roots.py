"""What an ingest leaves alone: documents of other folders, and those whose folder may only be out of reach."""

import os
import shutil
from pathlib import Path

import pytest
from sqlalchemy import update

from rag.errors import GroundwireError
from rag.ingest.quality import Reason
from rag.ledger.schema import sources

from .conftest import Workplace


@pytest.fixture
def other(workplace: Workplace, tmp_path: Path) -> Path:
    """A second folder, beside one from which `policy.md` and `terms.md` were ingested."""
    workplace.write("policy.md", "The notice period is four weeks.")
    workplace.write("terms.md", "Goods can be returned.")
    workplace.ingest()
    folder = tmp_path / "other"
    folder.mkdir()
    return folder


def forget_roots(workplace: Workplace) -> None:
    """As in a ledger of an earlier version."""
    with workplace.runtime.engine.begin() as connection:
        connection.execute(update(sources).values(root=None))


def test_a_file_never_takes_the_place_of_another_folders(
    workplace: Workplace, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = workplace.texts()
    monkeypatch.chdir(other)
    (other / "policy.md").write_text("Employees have 30 days of leave.")
    for prune in (False, True):
        with pytest.raises(GroundwireError) as refused:
            workplace.ingest(prune=prune)
        assert f"policy.md is in collection guide already, from {workplace.folder}, and is another file" in str(refused.value)
    assert workplace.texts() == before


def test_prune_leaves_the_documents_of_other_folders(workplace: Workplace, other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(other)
    (other / "leave.md").write_text("Employees have 30 days of leave.")
    assert workplace.ingest(prune=True).vanished == ()
    assert set(workplace.texts()) == {"policy.md", "terms.md", "leave.md"}


def test_the_same_file_in_another_folder_changes_nothing(
    workplace: Workplace, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(workplace.folder / "policy.md", other)
    monkeypatch.chdir(other)
    assert workplace.ingest(prune=True).files_unchanged == 1
    monkeypatch.chdir(workplace.folder)
    assert workplace.ingest(prune=True).removed == 0
    assert set(workplace.texts()) == {"policy.md", "terms.md"}


def test_a_folder_that_moved_takes_its_documents_along(
    workplace: Workplace, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(other)
    (other / "policy.md").write_text("The notice period is three months.")
    (workplace.folder / "terms.md").unlink()
    report = workplace.ingest(prune=True, moved=True)
    assert (report.changed, report.removed) == (1, 1)
    assert workplace.texts() == {"policy.md": "The notice period is three months.\n"}
    assert workplace.ingest(prune=True).files_unchanged == 1


def test_a_row_whose_id_another_folder_has_is_told(workplace: Workplace, other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workplace.write("rows.jsonl", '{"id": "x", "text": "One."}')
    workplace.ingest()
    monkeypatch.chdir(other)
    (other / "more.jsonl").write_text('{"id": "x", "text": "Two."}')
    assert [flaw.reason for flaw in workplace.ingest().quarantined] == [Reason.REPEATED_ID]
    assert workplace.texts()["x"] == "One.\n"


def test_an_older_ledger_takes_its_files_for_those_that_are_as_they_were(
    workplace: Workplace, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_roots(workplace)
    (workplace.folder / "terms.md").unlink()
    monkeypatch.chdir(other)
    (other / "leave.md").write_text("Employees have 30 days of leave.")
    workplace.ingest(prune=True)
    assert set(workplace.texts()) == {"policy.md", "terms.md", "leave.md"}, "nothing says that they are of this folder"
    monkeypatch.chdir(workplace.folder)
    assert workplace.ingest(prune=True).removed == 1
    assert {row.root for row in workplace.corpus.sources("guide").values()} == {str(workplace.folder), str(other)}


def test_an_older_ledger_takes_a_file_by_its_name(workplace: Workplace, other: Path) -> None:
    forget_roots(workplace)
    workplace.write("policy.md", "The notice period is three months.")
    assert workplace.ingest("policy.md").changed == 1
    roots = {source: row.root for source, row in workplace.corpus.sources("guide").items()}
    assert roots == {"policy.md": str(workplace.folder), "terms.md": None}


@pytest.mark.parametrize("path", [".", "share", "share/*.md", "share/a.md"])
@pytest.mark.parametrize("there", [True, False])
def test_prune_leaves_what_may_only_be_out_of_reach(workplace: Workplace, path: str, there: bool) -> None:
    workplace.write("image.png", b"\x89PNG\r\n\x1a\n\0\0\0")
    if path == ".":
        (workplace.folder / "image.png").unlink()
    workplace.write("share/a.md", "Page one.")
    workplace.ingest()
    shutil.rmtree(workplace.folder / "share")
    if there:
        (workplace.folder / "share").mkdir()
    with pytest.raises(GroundwireError, match="where share/a.md was read for collection guide; nothing was removed"):
        workplace.ingest(path, prune=True)
    assert set(workplace.texts()) == {"share/a.md"}


def test_a_folder_that_was_removed_is_pruned_from_the_one_above(workplace: Workplace) -> None:
    workplace.write("a.md", "Page one.")
    workplace.write("share/b.md", "Page two.")
    workplace.ingest()
    shutil.rmtree(workplace.folder / "share")
    assert workplace.ingest(prune=True).removed == 1


def test_prune_leaves_files_that_a_glob_does_not_find(workplace: Workplace) -> None:
    workplace.write("docs/a.md", "Page one.")
    workplace.write("docs/sub/b.md", "Page two.")
    workplace.ingest()
    assert workplace.ingest("docs/*.md", prune=True).removed == 0


def test_a_name_that_is_not_utf8_is_skipped_and_told(workplace: Workplace) -> None:
    Path(os.fsdecode(b"caf\xe9.txt")).write_text("Hidden by its name.")
    folder = Path(os.fsdecode(b"d\xe9p\xf4t"))
    folder.mkdir()
    (folder / "b.txt").write_text("Hidden by its folder's name.")
    workplace.write("a.md", "Page one.")
    report = workplace.ingest()
    assert report.added == 1
    told = {skipped.source: skipped.detail for skipped in report.skipped}
    assert told == dict.fromkeys([r"caf\xe9.txt", r"d\xe9p\xf4t/b.txt"], "its name is not UTF-8: rename it")
    assert r"caf\xe9.txt" in report.model_dump_json().replace(r"\\", "\\")


def test_locks_of_an_office_program_are_left_out(workplace: Workplace) -> None:
    workplace.write("~$report.docx", b"\0" * 162)
    workplace.write("a.md", "Page one.")
    assert workplace.ingest().files == 1


def test_a_renamed_file_is_known_by_its_text(workplace: Workplace) -> None:
    path = workplace.write("a.md", "# Leave\n\nEmployees have 30 days.")
    workplace.write("b.md", "Another page.")
    workplace.ingest()
    path.rename(workplace.folder / "new.md")
    report = workplace.ingest()
    assert (report.renamed, report.added, report.removed, report.vanished) == ({"a.md": "new.md"}, 0, 0, ())
    assert report.quarantined == ()
    assert set(workplace.texts()) == {"new.md", "b.md"}
    again = workplace.ingest()
    assert (again.files_unchanged, again.renamed, again.vanished) == (2, {}, ())


def test_the_report_lists_what_is_wrong_in_the_same_order_each_time(workplace: Workplace) -> None:
    for name in ("a.txt", "b.txt", "d.txt"):
        workplace.write(name, "The same text.")
    for name in ("c.txt", "e.txt"):
        workplace.write(name, "")
    first = workplace.ingest().quarantined
    assert [flaw.source for flaw in first] == ["b.txt", "c.txt", "d.txt", "e.txt"]
    assert [flaw.source for flaw in workplace.ingest().quarantined] == ["b.txt", "c.txt", "d.txt", "e.txt"]


def test_an_older_generation_stays_the_chosen_one_and_the_report_says_so(workplace: Workplace) -> None:
    workplace.write("a.md", "Page one.")
    first = workplace.ingest()
    workplace.write("a.md", "Page two.")
    second = workplace.ingest()
    assert first.generation is not None
    assert not second.outdated
    workplace.corpus.use(workplace.corpus.collection("guide"), first.generation)
    again = workplace.ingest()
    assert (again.generation, again.outdated) == (first.generation, True)


def test_an_older_ledger_keeps_apart_what_two_folders_had(
    workplace: Workplace, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(other)
    note = other / "note.md"
    note.write_text("Offices close at six.")
    workplace.ingest()
    forget_roots(workplace)
    monkeypatch.chdir(workplace.folder)
    workplace.ingest()
    note.write_text("Offices close at seven.")
    monkeypatch.chdir(other)
    assert workplace.ingest("note.md").changed == 1


def test_files_that_are_still_where_they_were_read_do_not_move(
    workplace: Workplace, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(workplace.folder / "policy.md", other)
    monkeypatch.chdir(other)
    workplace.ingest(moved=True)
    assert workplace.ingest(prune=True).removed == 0
    monkeypatch.chdir(workplace.folder)
    workplace.write("terms.md", "Goods can be exchanged.")
    assert workplace.ingest("terms.md").changed == 1


def test_a_folder_that_is_no_more_is_where_its_files_are_now(
    workplace: Workplace, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(workplace.folder / "policy.md", other)
    monkeypatch.chdir(other)
    shutil.rmtree(workplace.folder)
    assert workplace.ingest(prune=True).removed == 1
    assert set(workplace.texts()) == {"policy.md"}


def test_a_file_is_the_same_by_whatever_folder_it_is_named_from(
    workplace: Workplace, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("left", "right"):
        (other / name).mkdir()
    page = other / "docs" / "leave.md"
    page.parent.mkdir()
    page.write_text("Employees have 30 days of leave.")
    monkeypatch.chdir(other / "left")
    workplace.ingest("../docs")
    page.write_text("Employees have 31 days of leave.")
    monkeypatch.chdir(other / "right")
    assert workplace.ingest("../docs", prune=True).changed == 1


def test_a_folder_that_is_gone_for_good_is_pruned_if_its_owner_says_so(workplace: Workplace) -> None:
    workplace.write("share/a.md", "Page one.")
    workplace.ingest()
    shutil.move(workplace.folder / "share", workplace.folder / "moved")
    assert workplace.ingest("share", "moved", prune=True, moved=True).removed == 1
    assert set(workplace.texts()) == {"moved/a.md"}
