"""A command line of ours: typer, with our errors told as one line.

Knows exit codes (0 done, 1 the answer is no, 2 it could not be done, 70 a fault of ours) and how parts of an answer are printed. Knows no command.
"""

import gc
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any, cast

import typer

from prompts.errors import GroundwireError
from prompts.terminal import Printable, printable

if TYPE_CHECKING:
    from rich.console import RenderableType

INTERNAL_ERROR = 70
"""As sysexits.h names it: a fault of ours."""


class Command(typer.Typer):
    """A typer application that ends a `GroundwireError` as one line on stderr and exit code 2."""

    def __init__(self, **options: Any) -> None:
        super().__init__(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, **options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().__call__(*args, **kwargs)
        except GroundwireError as error:
            typer.echo(printable(f"error: {error}"), err=True)
            raise SystemExit(2) from None
        except Exception:  # noqa: BLE001 - whatever it is, its exit code must not read as an answer
            traceback.print_exc()
            raise SystemExit(INTERNAL_ERROR) from None
        finally:
            # All that is left goes with the process; without this the interpreter looks through it once more, which takes seconds.
            gc.freeze()


def show(*parts: object) -> None:
    """Print tables and styled text through rich; strings as they are, so that JSON stays JSON, but for what harms a terminal.

    Who reads it may leave before its end, as `head` does: the rest is dropped, and the exit code stays the answer.
    """
    from rich.console import Console

    console = Console()
    for part in parts:
        if isinstance(part, str) and console.is_terminal:
            part = printable(part)
        with console.capture() as rich:
            if not isinstance(part, str):
                console.print(Printable(cast("RenderableType", part)))
        try:
            typer.echo(part if isinstance(part, str) else rich.get(), nl=isinstance(part, str))
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
