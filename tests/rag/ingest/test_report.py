"""What people see of an ingest."""

import io

from rich.console import Console

from rag.ingest.quality import Flaw, Reason, Report, Skipped
from rag.ingest.report import MOST_ROWS, shown, watched
from rag.progress import Stage

REPORT = Report(
    collection="guide",
    generation="g1",
    files=4,
    files_unchanged=1,
    skipped=(Skipped(source="a.png", detail="not a type that is read"),),
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
    console.print(shown(report))
    return console.export_text()


def test_a_report_tells_counts_and_reasons() -> None:
    text = text_of(REPORT)
    for part in ["guide", "1,234", "x.jsonl:3: not JSON [here]", "bad row", "a.png", "10% of the new documents", "en 90, de 10"]:
        assert part in text


def test_a_clean_report_has_no_quarantine() -> None:
    text = text_of(REPORT.model_copy(update={"quarantined": (), "skipped": (), "languages": {"en": 3, "und": 2}}))
    assert "Quarantined" not in text
    assert "skipped" not in text
    assert "language" not in text


def test_a_long_quarantine_is_counted() -> None:
    text = text_of(REPORT.model_copy(update={"quarantined": REPORT.quarantined * (MOST_ROWS + 7)}))
    assert "and 7 more" in text


def test_bars_show_each_stage() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    with watched(console) as draw:
        draw(Stage.READ, 1, 2)
        draw(Stage.READ, 2, 2)
        draw(Stage.EMBED, 5, 10)
    output = console.file.getvalue()
    assert "files read" in output
    assert "2/2" in output
    assert "chunks embedded" in output
