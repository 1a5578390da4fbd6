"""What people see of an ingest."""

import io

from rich.console import Console

from rag.ingest.quality import Flaw, Reason, Skipped
from rag.ingest.report import Report
from rag.ingest.terminal import MOST_ROWS, render

REPORT = Report(
    collection="guide",
    generation="g1",
    files=4,
    files_unchanged=1,
    skipped=(Skipped(source="a.png", detail="not a type that is read"),),
    vanished=("gone.md", "lost.md"),
    renamed={},
    outdated=False,
    documents=1500,
    added=1234,
    changed=0,
    unchanged=3,
    removed=0,
    kept=1,
    twins=0,
    chunks=2000,
    embedded=1500,
    reused=500,
    languages={"en": 90, "de": 10},
    quarantined=(Flaw(source="x.jsonl", reason=Reason.BAD_ROW, detail="x.jsonl:3: not JSON [here]"),),
    seconds=1.25,
)


def text_of(report: Report) -> str:
    console = Console(file=io.StringIO(), width=100, record=True)
    console.print(render(report))
    return console.export_text()


def test_a_report_tells_counts_and_reasons() -> None:
    text = text_of(REPORT)
    for part in [
        *("guide", "1,234", "x.jsonl:3: not JSON [here]", "bad row", "a.png", "10% of the new documents", "en 90, de 10"),
        *("1 file skipped", "2 files gone since the last ingest: gone.md, lost.md"),
    ]:
        assert part in text


def test_what_is_skipped_is_told_by_its_reason() -> None:
    links = tuple(Skipped(source=f"{number}.md", detail="a link that leads out") for number in range(MOST_ROWS + 2))
    text = text_of(REPORT.model_copy(update={"skipped": (*REPORT.skipped, *links)}))
    lines = text.splitlines()
    assert "1 file skipped (not a type that is read): a.png" in lines
    assert any(line.startswith("22 files skipped (a link that leads out): 0.md, 1.md") for line in lines)
    assert "19.md and 2 more, which --json lists" in " ".join(text.split())


def test_a_clean_report_has_no_quarantine() -> None:
    text = text_of(REPORT.model_copy(update={"quarantined": (), "skipped": (), "vanished": (), "languages": {"en": 3, "und": 2}}))
    assert "Quarantined" not in text
    assert "skipped" not in text
    assert "--prune" not in text
    assert "language" not in text


def test_a_long_quarantine_is_counted() -> None:
    text = text_of(REPORT.model_copy(update={"quarantined": REPORT.quarantined * (MOST_ROWS + 7)}))
    assert "and 7 more, which --json lists" in text


def test_documents_whose_language_cannot_be_told_are_in_no_share() -> None:
    text = " ".join(text_of(REPORT.model_copy(update={"languages": {"und": 26, "en": 15, "de": 5}})).split())
    assert (
        "25% of the new documents are not in en, the most frequent language: en 15, de 5; 26 more are too short to tell" in text
    )


def test_an_older_generation_that_was_chosen_is_told() -> None:
    assert "rag index rebuild" not in text_of(REPORT)
    assert "`rag index rebuild --collection guide`" in " ".join(text_of(REPORT.model_copy(update={"outdated": True})).split())
