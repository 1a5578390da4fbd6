"""What callers and documents may not tell a terminal."""

from io import StringIO

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from prompts.command import Command, show
from prompts.errors import GroundwireError
from prompts.terminal import Printable, printable

HARM = "a\x1b[2J\x1b]52;c;cHduZWQ=\x07b\x9b31m\u202e\x00\r\x7f"


def test_controls_go_and_lines_tabs_and_letters_stay() -> None:
    assert printable(HARM) == "a[2J]52;c;cHduZWQ=b31m"
    assert printable("Zoë\t游泳 🎉\nnext") == "Zoë\t游泳 🎉\nnext"


@pytest.mark.parametrize("wrapped", [False, True])
def test_what_is_drawn_moves_no_cursor(capsys: pytest.CaptureFixture[str], wrapped: bool) -> None:
    shown: Table | Text = Text(HARM)
    if wrapped:
        shown = Table(HARM)
        shown.add_row(HARM)
    show(shown)
    out = capsys.readouterr().out
    assert "cHduZWQ=" in out
    assert not set(out) & set("\x1b\x07\x9b\u202e\x00\r\x7f")


def test_colours_are_ours() -> None:
    console = Console(force_terminal=True, color_system="standard", file=StringIO())
    console.print(Printable(Text.assemble(("red", "red"), HARM)))
    assert isinstance(console.file, StringIO)
    assert console.file.getvalue() == "\x1b[31mred\x1b[0ma[2J]52;c;cHduZWQ=b31m\n"


def test_json_in_a_pipe_stays_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    show('{"text": "\x9b"}')
    assert capsys.readouterr().out == '{"text": "\x9b"}\n'


def test_an_error_is_told_without_them(capsys: pytest.CaptureFixture[str]) -> None:
    app = Command()

    @app.command()
    def fail() -> None:
        raise GroundwireError(f"there is no {HARM}x", "name another")

    with pytest.raises(SystemExit):
        app([])
    assert capsys.readouterr().err == "error: there is no a[2J]52;c;cHduZWQ=b31m x: name another\n"
