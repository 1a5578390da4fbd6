"""What the commands of `rag` have in common: options, spans of time, and the runtime of what is there.

Knows no command.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from prompts.errors import GroundwireError

if TYPE_CHECKING:
    from datetime import datetime

    from rag.runtime import Runtime

CollectionName = Annotated[str, typer.Option("--collection", "-c", help="The collection.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print JSON instead, a line for each.")]


def existing() -> "Runtime":
    """Of what is there: only an ingest makes a home."""
    from rag.runtime import Runtime
    from rag.settings import Settings

    return Runtime(Settings().existing())


def ago(option: str, age: str) -> "datetime":
    """`30m`, `12h` or `1d` before now; what is before all time is its beginning."""
    from datetime import UTC, datetime, timedelta

    units = {"m": "minutes", "h": "hours", "d": "days"}
    if not age[:-1].isdecimal() or age[-1:] not in units:
        raise GroundwireError(f"{option} {age} is no time span", "write it as in 30m, 12h or 1d")
    try:
        return datetime.now(UTC) - timedelta(**{units[age[-1]]: int(age[:-1])})
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
