"""The `api keys` commands: create, list, revoke.

Knows options and output. Knows nothing of how keys are stored or checked.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated

import typer

from prompts.command import show
from prompts.errors import GroundwireError

if TYPE_CHECKING:
    from rich.table import Table
    from sqlalchemy import Engine

    from api.access.keys import Key

MOST_DOLLARS = 1_000_000_000
"""The largest budget: in nano-dollars it fits into 64 bits."""

app = typer.Typer(no_args_is_help=True, help="The keys that requests show: what each may use, and how much of it.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who uses the key, for lists and messages.")],
    collection: Annotated[
        list[str] | None, typer.Option("--collection", "-c", metavar="NAME", help="Only this collection; repeat for more.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", metavar="NAME", help="Only this variant or rollout; repeat for more.")
    ] = None,
    admin: Annotated[bool, typer.Option("--admin", help="Let it see the traces of all keys, and all pages.")] = False,
    per_minute: Annotated[int | None, typer.Option(min=1, help="Requests a minute.")] = None,
    concurrent: Annotated[int | None, typer.Option(min=1, help="Requests under way at once.")] = None,
    daily_budget: Annotated[str | None, typer.Option(metavar="DOLLARS", help="To spend on a day of UTC, as in 2.50.")] = None,
    json: Json = False,
) -> None:
    """Make a key, and print its secret, this once."""
    from api.access.keys import Keys

    if not 0 < len(name.strip()) <= 100:
        raise GroundwireError("the name of a key has 1 to 100 characters", "say who uses it, as in `api keys create website`")
    budget = None if daily_budget is None else nanodollars(daily_budget)
    with _ledger() as engine:
        key, secret = Keys(engine).create(
            name.strip(),
            collections=tuple(collection) if collection else None,
            models=tuple(model) if model else None,
            admin=admin,
            per_minute=per_minute,
            concurrent=concurrent,
            daily_nanodollars=budget,
        )
        unknown = _unknown(engine, key)
    if json:
        show(_dumped(key, secret=secret))
    else:
        show(secret)
        typer.echo(f"This is the key of {key.name}, id {key.id}. It is not shown again.", err=True)
    for note in unknown:
        typer.echo(f"note: {note}", err=True)


@app.command("list")
def list_keys(json: Json = False) -> None:
    """List the keys, what each may use, and what it spent today."""
    from api.access.keys import Keys
    from api.access.spending import spent_today

    with _ledger(existing=True) as engine:
        keys = Keys(engine).all()
        spent = spent_today(engine, keys)
    show(*(_dumped(key, spent_nanodollars=spent[key.id]) for key in keys) if json else (_table(keys, spent),))


@app.command()
def revoke(id: Annotated[str, typer.Argument(help="As `api keys list` shows it.")]) -> None:
    """Refuse a key from now on, within a second in every running server. It stays in the list."""
    from api.access.keys import Keys

    with _ledger(existing=True) as engine:
        key = Keys(engine).revoke(id)
    show(f"{key.name} ({key.id}) was revoked at {key.revoked_at}")


def nanodollars(dollars: str) -> int:
    """Dollars such as `2.50` as nano-dollars, exactly. Raises `GroundwireError` for text that is no such amount."""
    try:
        amount = Decimal(dollars)
        exact = amount.quantize(Decimal("1e-9"))
        inside = 0 <= amount < MOST_DOLLARS
    except InvalidOperation:
        raise GroundwireError(f"--daily-budget {dollars} is no amount of dollars", "write it as in 2.50") from None
    if not inside:
        raise GroundwireError(f"--daily-budget {dollars} is not between 0 and {MOST_DOLLARS} dollars", "write it as in 2.50")
    if amount != exact:
        raise GroundwireError(f"--daily-budget {dollars} is finer than a nano-dollar", "write at most nine decimal places")
    return int(exact.scaleb(9))


def _ledger(*, existing: bool = False) -> "AbstractContextManager[Engine]":
    from rag.ledger.database import opened
    from rag.settings import Settings

    settings = Settings()
    return opened(settings.existing().ledger_url if existing else settings.ledger_url)


def _unknown(engine: "Engine", key: "Key") -> list[str]:
    """Notes on collections, variants and rollouts that the key names but that do not exist (yet)."""
    from api.rollouts.rollouts import Rollouts
    from rag.ledger.corpus import Corpus
    from rag.settings import Settings
    from rag.variant import names

    collections = [collection.name for collection in Corpus(engine).collections()]
    models = [*names(Settings().variants), *Rollouts(engine).names()]
    return [
        f"there is no {kind} {name} yet; there is {', '.join(there) or 'none'}"
        for kind, wanted, there in (("collection", key.collections, collections), ("variant or rollout", key.models, models))
        for name in wanted or ()
        if name not in there
    ]


def _dumped(key: "Key", **more: object) -> str:
    import json

    return json.dumps({**key.model_dump(mode="json"), **more})


def _table(keys: Iterable["Key"], spent: dict[str, int]) -> "Table":
    """Two lines per key: its id and limits, then its name and what it may use."""
    from rich.table import Table
    from rich.text import Text

    from rag.trace import dollars

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("key", overflow="fold")
    table.add_column("may use", min_width=15)
    for name in ("a minute", "at once", "spent today", "a day"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for key in keys:
        table.add_row(
            Text.assemble((key.id, "cyan"), "\n", key.name),
            Text.assemble(_names("collections", key.collections), "\n", _names("models", key.models)),
            *("-" if limit is None else str(limit) for limit in (key.per_minute, key.concurrent)),
            dollars(spent[key.id]),
            "-" if key.daily_nanodollars is None else dollars(key.daily_nanodollars),
            Text("revoked", "red") if key.revoked_at else Text("admin" if key.admin else "", "green"),
        )
    return table


def _names(kind: str, names: tuple[str, ...] | None) -> str:
    return f"all {kind}" if names is None else f"{kind} {', '.join(names)}"
