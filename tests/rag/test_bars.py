"""A bar for each stage of long work."""

import io

from rich.console import Console

from rag.bars import progress_bars
from rag.progress import Stage


def test_bars_show_each_stage() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    with progress_bars(console) as draw:
        draw(Stage.READ, 1, 2)
        draw(Stage.READ, 2, 2)
        draw(Stage.EMBED, 5, 10)
    output = console.file.getvalue()
    assert "files read" in output
    assert "2/2" in output
    assert "chunks embedded" in output
