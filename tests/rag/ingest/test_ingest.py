"""What changes in files changes in the collection, no more and no less."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from rag.embedders.base import Vectors
from rag.errors import GroundwireError
from rag.ingest.ingest import ingest, rebuild
from rag.ingest.quality import Reason
from rag.ingest.report import Report
from rag.ingest.survey import UNIQUE
from rag.progress import Stage

from .conftest import Counting, Workplace

SENTENCES = [f"Sentence number {number} of the guide says what step {number} does and why it is needed." for number in range(60)]


def reasons(report: Report) -> list[tuple[Reason, str]]:
    return [(flaw.reason, flaw.detail) for flaw in report.quarantined]


def test_a_first_ingest_reads_everything(workplace: Workplace) -> None:
    workplace.write("a.md", "# Alpha\n\nThe first page.")
    workplace.write("sub/b.txt", "The second page.")
    report = workplace.ingest()
    assert (report.files, report.added, report.chunks, report.embedded) == (2, 2, 2, 2)
    assert workplace.texts() == {"a.md": "# Alpha\n\nThe first page.\n", "sub/b.txt": "The second page.\n"}
    assert report.quarantined == ()


def test_a_second_ingest_does_nothing(workplace: Workplace) -> None:
    workplace.write("a.md", "# Alpha\n\nThe first page.")
    first = workplace.ingest()
    second = workplace.ingest()
    assert second.generation == first.generation
    assert (second.files_unchanged, second.unchanged, second.added, second.changed, second.chunks) == (1, 1, 0, 0, 1)
    assert workplace.embedder.embedded == []
    assert len(list(workplace.store.generations("guide"))) == 1


def test_a_changed_file_embeds_only_what_changed(workplace: Workplace) -> None:
    sections = [f"## Step {number}\n\n{SENTENCES[number]}" for number in range(10)]
    workplace.write("a.md", "\n\n".join(sections))
    workplace.ingest()
    sections[0] = "## Step 0\n\nRewritten, and longer than before, so that every offset behind it moves."
    workplace.write("a.md", "\n\n".join(sections))
    report = workplace.ingest()
    assert (report.changed, report.embedded, report.reused) == (1, 1, 9)
    assert "Rewritten" in workplace.embedder.embedded[0]
    assert "Rewritten" in workplace.texts()["a.md"]
    assert SENTENCES[9] in workplace.texts()["a.md"]


def test_a_touched_file_with_the_same_bytes_is_not_parsed(workplace: Workplace) -> None:
    path = workplace.write("a.md", "Text.")
    workplace.ingest()
    path.touch()
    assert workplace.ingest().files_unchanged == 1


def test_a_vanished_file_goes_only_with_prune(workplace: Workplace) -> None:
    workplace.write("docs/a.md", "Page one.")
    workplace.write("docs/b.md", "Page two.")
    workplace.write("other/c.md", "Page three.")
    workplace.ingest()
    (workplace.folder / "docs/b.md").unlink()
    (workplace.folder / "other/c.md").rename(workplace.folder / "other/image.png")
    kept, pruned = workplace.ingest("docs"), workplace.ingest("docs", prune=True)
    assert (kept.removed, kept.vanished) == (0, ("docs/b.md",))
    assert (pruned.removed, pruned.vanished) == (1, ())
    assert set(workplace.texts()) == {"docs/a.md", "other/c.md"}
    assert workplace.ingest("other/c.md", prune=True).removed == 1
    assert set(workplace.texts()) == {"docs/a.md"}


def test_pruning_the_last_document_leaves_an_empty_collection(workplace: Workplace) -> None:
    path = workplace.write("a.md", "Page one.")
    workplace.write("image.png", b"\x89PNG\r\n\x1a\n\0\0\0")
    workplace.ingest()
    path.unlink()
    report = workplace.ingest(prune=True)
    assert (report.removed, report.generation, report.chunks) == (1, None, 0)
    assert workplace.corpus.documents("guide") == {}


def test_a_row_that_vanished_from_its_file_goes(workplace: Workplace) -> None:
    workplace.write("a.jsonl", '{"id": "x", "text": "One."}\n{"id": "y", "text": "Two."}\n')
    workplace.ingest()
    workplace.write("a.jsonl", '{"id": "y", "text": "Two."}\n')
    report = workplace.ingest()
    assert (report.removed, report.unchanged, report.embedded) == (1, 1, 0)
    assert workplace.texts() == {"y": "Two.\n"}


def test_a_bad_new_version_leaves_the_old_one(workplace: Workplace) -> None:
    workplace.write("a.md", "The good version.")
    workplace.write("rows.jsonl", '{"id": "x", "text": "One."}\n{"id": "y", "text": "Two."}\n')
    first = workplace.ingest()
    workplace.write("a.md", b"\xff\xfe\xfd broken \x80")
    workplace.write("rows.jsonl", '{"id": "x", "text": "Uno."}\n{"id": "y", "text": \n')
    report = workplace.ingest()
    assert (report.kept, report.changed, report.removed) == (2, 1, 0)
    assert report.generation != first.generation
    assert workplace.texts() == {"a.md": "The good version.\n", "x": "Uno.\n", "y": "Two.\n"}
    again = workplace.ingest()
    assert again.generation == report.generation
    assert sorted(reasons(again)) == sorted(reasons(report))


def test_what_is_wrong_is_quarantined_and_named(workplace: Workplace) -> None:
    workplace.write("zero.txt", b"")
    workplace.write("blank.md", " \n\t\n")
    workplace.write("bytes.txt", b"abc \xff\xfe def")
    workplace.write("corrupt.pdf", b"%PDF-1.7 nothing of the kind")
    workplace.write("rows.jsonl", '{"id": "x", "text": "One."}\nnot json\n{"id": "z"}\n')
    workplace.write("image.png", b"\x89PNG\r\n\x1a\n\0\0\0")
    workplace.write("twin.txt", "The same text.")
    workplace.write("aaa.txt", "The same text.")
    report = workplace.ingest()
    assert {(flaw.source, flaw.reason) for flaw in report.quarantined} == {
        ("zero.txt", Reason.EMPTY),
        ("blank.md", Reason.EMPTY),
        ("bytes.txt", Reason.UNDECODABLE),
        ("corrupt.pdf", Reason.UNREADABLE),
        ("rows.jsonl", Reason.BAD_ROW),
        ("twin.txt", Reason.DUPLICATE),
    }
    details = {flaw.detail for flaw in report.quarantined}
    assert "twin.txt: same title, text and metadata as aaa.txt" in details
    for problem in (
        "rows.jsonl:2: not JSON (Expecting value at column 1)",
        'rows.jsonl:3: no "text", or one that is not a string',
    ):
        assert any(detail.startswith(problem) for detail in details)
    assert [skipped.source for skipped in report.skipped] == ["image.png"]
    assert set(workplace.texts()) == {"x", "aaa.txt"}
    assert len(workplace.corpus.quarantined("guide")) == 7


def test_only_bad_files_make_a_collection_without_generation(workplace: Workplace) -> None:
    workplace.write("zero.txt", b"")
    report = workplace.ingest()
    assert (report.generation, report.chunks, len(report.quarantined)) == (None, 0, 1)
    assert workplace.corpus.collection("guide").generation is None


def test_a_duplicate_takes_the_place_of_its_twin(workplace: Workplace) -> None:
    first = workplace.write("a.txt", "The same text.")
    workplace.write("b.txt", "The same text.")
    assert [reason for reason, _ in reasons(workplace.ingest())] == [Reason.DUPLICATE]
    first.unlink()
    report = workplace.ingest(prune=True)
    assert (report.added, report.removed, report.embedded, report.quarantined) == (1, 1, 0, ())
    assert set(workplace.texts()) == {"b.txt"}


def test_an_id_in_two_files_is_told(workplace: Workplace) -> None:
    workplace.write("a.jsonl", '{"id": "x", "text": "One."}')
    workplace.write("b.jsonl", '{"id": "x", "text": "Two."}')
    assert reasons(workplace.ingest()) == [(Reason.REPEATED_ID, f"b.jsonl: x: this id is also in a.jsonl: {UNIQUE}")]
    assert workplace.texts() == {"x": "One.\n"}


def test_an_id_stays_with_the_file_that_had_it_first(workplace: Workplace) -> None:
    workplace.write("a.jsonl", '{"id": "x", "text": "One."}')
    workplace.ingest()
    workplace.write("b.jsonl", '{"id": "x", "text": "Two."}')
    assert reasons(workplace.ingest()) == [(Reason.REPEATED_ID, f"b.jsonl: x: this id is also in a.jsonl: {UNIQUE}")]
    assert workplace.texts() == {"x": "One.\n"}


def test_rows_with_ids_of_their_own_may_repeat_each_other(workplace: Workplace) -> None:
    workplace.write("a.jsonl", '{"id": "x", "text": "One."}\n{"id": "y", "text": "One."}\n{"text": "One."}\n')
    report = workplace.ingest()
    assert (report.added, report.twins) == (2, 1)
    assert reasons(report) == [(Reason.DUPLICATE, "a.jsonl#3: same title, text and metadata as x")]
    assert workplace.texts() == {"x": "One.\n", "y": "One.\n"}


def test_an_unreadable_file_is_quarantined_and_tried_again(workplace: Workplace) -> None:
    target = workplace.folder / "target.txt"
    (workplace.folder / "link.txt").symlink_to(target)
    (workplace.folder / "loop.txt").symlink_to(workplace.folder / "loop.txt")
    workplace.write("a.txt", "Text.")
    report = workplace.ingest()
    assert {flaw.source for flaw in report.quarantined} == {"link.txt", "loop.txt"}
    assert ("unreadable", "link.txt: No such file or directory") in reasons(report)
    target.write_text("Now it is there.")
    assert workplace.ingest().added == 1


def test_a_renamed_file_keeps_its_rows(workplace: Workplace) -> None:
    path = workplace.write("a.jsonl", '{"id": "x", "text": "One."}')
    workplace.ingest()
    path.rename(workplace.folder / "b.jsonl")
    report = workplace.ingest(prune=True)
    assert (report.changed, report.removed, report.embedded) == (1, 0, 0)
    assert workplace.corpus.documents("guide")["x"][0] == "b.jsonl"


def test_languages_are_shares(workplace: Workplace) -> None:
    rows = ["The weather in the mountains was very cold this morning."] * 2
    rows += [
        "Das Wetter in den Bergen war heute Morgen sehr kalt und windig.",
        "Il faisait très froid ce matin dans les montagnes.",
    ]
    workplace.write(
        "a.jsonl", "\n".join(json.dumps({"id": str(id), "title": str(id), "text": row}) for id, row in enumerate(rows))
    )
    report = workplace.ingest()
    assert report.languages == {"en": 2, "de": 1, "fr": 1}
    assert report.foreign_share == 0.5


def test_a_path_that_is_not_there_changes_nothing(workplace: Workplace) -> None:
    workplace.write("a.md", "Text.")
    with pytest.raises(GroundwireError, match=r"missing\.md does not exist"):
        workplace.ingest("a.md", "missing.md")
    assert workplace.corpus.collections() == []


def test_other_vectors_under_the_same_name_make_a_new_generation(workplace: Workplace) -> None:
    workplace.write("a.md", "Text.")
    first = workplace.ingest()

    class Other(Counting):
        identity = "hash:other@2"

    workplace.use(Other())
    report = workplace.ingest()
    assert report.generation != first.generation
    assert workplace.embedder.embedded[0] == "Text."
    assert workplace.ingest().generation == report.generation


def test_a_lost_generation_is_built_again(workplace: Workplace) -> None:
    workplace.write("a.md", "Text.")
    first = workplace.ingest()
    assert first.generation is not None
    workplace.store.drop("guide", first.generation)
    assert workplace.ingest().generation != first.generation
    assert workplace.texts() == {"a.md": "Text.\n"}


def test_an_embedder_that_fails_leaves_everything_as_it_was(workplace: Workplace) -> None:
    workplace.write("a.md", "Text.")
    first = workplace.ingest()
    workplace.write("a.md", "Other text.")

    class Failing(Counting):
        def embed(self, texts: Sequence[str]) -> Vectors:
            raise MemoryError

    workplace.use(Failing())
    with pytest.raises(MemoryError):
        workplace.ingest()
    workplace.use(Counting())
    assert workplace.texts() == {"a.md": "Text.\n"}
    assert workplace.corpus.collection("guide").generation == first.generation
    assert workplace.ingest().changed == 1


def test_a_transaction_that_loses_the_race_drops_its_generation(workplace: Workplace) -> None:
    workplace.write("a.md", "Text.")
    workplace.ingest()
    workplace.write("a.md", "Other text.")
    corpus = workplace.corpus

    def meddle(stage: Stage, done: int, total: int) -> None:
        if stage is Stage.INDEX:
            corpus.use(corpus.collection("guide"), "somebody-elses")

    with pytest.raises(GroundwireError, match="changed by another process"):
        ingest(["."], "guide", workplace.runtime, progress=meddle)
    assert len(list(workplace.store.generations("guide"))) == 1
    assert corpus.collection("guide").generation == "somebody-elses"


def test_a_rebuild_embeds_nothing_and_holds_the_same(workplace: Workplace) -> None:
    for number, sentence in enumerate(SENTENCES):
        workplace.write(f"{number:02}.md", f"# Step {number}\n\n{sentence}")
    first = workplace.ingest()
    workplace.write("30.md", "Changed since.")
    second = workplace.ingest()
    before = workplace.texts()
    workplace.embedder.embedded.clear()
    generation = rebuild("guide", workplace.runtime).id
    assert generation not in (first.generation, second.generation)
    assert workplace.corpus.collection("guide").generation == generation
    assert not [text for text in workplace.embedder.embedded if text.startswith("Step")]
    assert list(workplace.texts().items()) == list(before.items())


def test_progress_counts_up_to_its_total(workplace: Workplace) -> None:
    for number, sentence in enumerate(SENTENCES):
        workplace.write(f"{number:02}.txt", sentence)
    last: dict[Stage, tuple[int, int]] = {}

    def progress(stage: Stage, done: int, total: int) -> None:
        assert done >= last.get(stage, (0, 0))[0]
        last[stage] = (done, total)

    ingest(["."], "guide", workplace.runtime, progress=progress)
    assert set(last.values()) == {(60, 60)}
    assert len(last) == 4


def test_the_same_folder_by_another_name_is_the_same(workplace: Workplace) -> None:
    workplace.write("docs/a.md", "Text.")
    workplace.ingest("docs")
    assert workplace.ingest(str(Path("docs").absolute())).files_unchanged == 1
    assert workplace.ingest("./docs/*.md").files_unchanged == 1
