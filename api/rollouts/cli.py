"""The `api rollout` command: start, list, show, promote, rollback, stop, switch.

Knows options and output. Knows nothing of how a rollout is carried out: running servers do that.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prompts.command import Command, show

if TYPE_CHECKING:
    from api.rollouts.rollouts import Rollouts
    from api.rollouts.state import Rollout

app = Command(help="Roll a variant out: A/B, canary, shadow, blue-green.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A rollout: the name of its policy's file.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="For the audit.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]


@app.callback()
def _app() -> None:
    """Roll a variant out: A/B, canary, shadow, blue-green."""


@app.command()
def start(file: Annotated[Path, typer.Argument(metavar="FILE", help="The policy, in TOML.")]) -> None:
    """Start a rollout. Running servers apply it within half a second."""
    from api.rollouts import policy
    from evals.execution.arms import Arm
    from rag import variant as variants
    from rag.settings import Settings

    wanted, settings = policy.load(file), Settings()
    both = (wanted.control, wanted.candidate)
    if wanted.prediction:
        wanted.prediction.require(*(Arm.named(name, settings, base=name, model=None).variant for name in both))
    with _rollouts() as rollouts:
        _print(rollouts.start(wanted, variants.names(settings.variants), _actor()))


@app.command("list")
def list_() -> None:
    """List all rollouts, latest first."""
    from api.rollouts.terminal import listing

    with _rollouts() as rollouts:
        show(listing(rollouts.all()))


@app.command("show")
def show_(name: Name, json: Json = False) -> None:
    """Show a rollout: arms, guardrails, evidence, audit."""
    from api.rollouts.results import results
    from api.rollouts.terminal import page

    with _rollouts() as rollouts:
        found = results(rollouts, name)
    show(found.model_dump_json(indent=1) if json else page(found))


@app.command()
def promote(name: Name, why: Why = "") -> None:
    """End a rollout: the candidate answers all."""
    with _rollouts() as rollouts:
        _print(rollouts.promote(name, _actor(), why))


@app.command()
def rollback(name: Name, why: Why = "") -> None:
    """End a rollout, or take its promotion back: the control answers all."""
    with _rollouts() as rollouts:
        _print(rollouts.rollback(name, _actor(), why))


@app.command()
def stop(name: Name, why: Why = "") -> None:
    """End a rollout without a decision: the control answers all."""
    with _rollouts() as rollouts:
        _print(rollouts.stop(name, _actor(), why))


@app.command()
def switch(name: Name, why: Why = "") -> None:
    """Let the other variant of a blue-green rollout answer all."""
    with _rollouts() as rollouts:
        _print(rollouts.switch(name, _actor(), why))


@contextmanager
def _rollouts() -> "Iterator[Rollouts]":
    from api.rollouts.rollouts import Rollouts
    from rag.ledger.database import opened
    from rag.settings import Settings

    settings = Settings()
    with opened(settings.existing().ledger_url) as engine:
        yield Rollouts(engine, settings)


def _print(rollout: "Rollout") -> None:
    policy = rollout.policy
    answers = f"{rollout.share:g} % {policy.candidate}, {100 - rollout.share:g} % {policy.control}"
    typer.echo(f"{rollout.name}: {rollout.state.status}; readers get {answers}")


def _actor() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, ImportError, OSError):
        return "command line"
