"""The `prompts` command: list, show, render, new, check, release.

Knows how a library is shown to people; knows nothing of files and templates.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from prompts.command import Command
from prompts.errors import GroundwireError
from prompts.library import Library
from prompts.prompt import Prompt

app = Command(help="Versioned prompts: list, show, render, write and check them.")

Reference = Annotated[str, typer.Argument(metavar="REF", help="A prompt, such as answer@2, or answer for its highest version.")]


@app.callback()
def library(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Option("--library", envvar="GROUNDWIRE_PROMPTS", metavar="DIR", help="Your own folder of prompts.")
    ] = None,
) -> None:
    """Choose the folder that every command works on."""
    context.obj = Library(folder) if folder else Library()


@app.command("list")
def list_(context: typer.Context) -> None:
    """Every version of every prompt."""
    from rich.console import Console
    from rich.table import Table

    shelf: Library = context.obj
    released = shelf.released()
    table = Table("reference", "sha256", "released", "inputs", "description", box=None)
    for column in table.columns[:3]:
        column.no_wrap = True
    for name in shelf.names():
        for version in shelf.versions(name):
            prompt = shelf.get(f"{name}@{version}")
            mark = "yes" if prompt.reference in released else "no"
            table.add_row(prompt.reference, prompt.sha256[:12], mark, ", ".join(prompt.inputs), prompt.description)
    Console(markup=False, highlight=False).print(table)


@app.command()
def show(context: typer.Context, reference: Reference) -> None:
    """One prompt: its identity, and its text as it is."""
    prompt = context.obj.get(reference)
    typer.echo(f"{prompt.reference}  sha256 {prompt.sha256}\n{prompt.path}\n\n{prompt.text}", nl=False)


@app.command()
def render(
    context: typer.Context,
    reference: Reference,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A value; JSON where it is no string. Repeatable.")
    ] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Take the file's examples for what --set does not give.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the messages as JSON.")] = False,
) -> None:
    """The messages that a model would get."""
    prompt = context.obj.get(reference)
    values = prompt.examples if sample else {}
    values |= dict(_assigned(prompt, assignment) for assignment in assignments or ())
    messages = prompt.render(**values)
    if as_json:
        typer.echo(json.dumps(messages, ensure_ascii=False, indent=2))
    else:
        typer.echo("\n\n".join(f"{message['role']}:\n{message['content']}" for message in messages))


@app.command()
def new(context: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME", help="What to write a version of.")]) -> None:
    """Start the next version as a copy of the highest, or a first one."""
    typer.echo(context.obj.draft(name))


@app.command()
def check(
    context: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Files; without any, the whole library.")
    ] = None,
) -> None:
    """Find what is wrong: format, variables, examples, released texts that changed. Exit code 1 if anything is."""
    if files:
        found = [problem for file in files for problem in Library(file.resolve().parent.parent).problems(file)]
    else:
        shelf: Library = context.obj
        found = [problem for file in shelf.files() for problem in shelf.problems(file)] + shelf.missing()
    for problem in found:
        typer.echo(problem)
    if found:
        raise typer.Exit(1)
    typer.echo(f"{len(files or context.obj.files())} prompt files, nothing wrong")


@app.command()
def release(context: typer.Context, reference: Reference) -> None:
    """Lock a prompt's text: from now on a change of it is an error of check."""
    prompt = context.obj.release(reference)
    typer.echo(f"{prompt.reference} {prompt.sha256}")


def _assigned(prompt: Prompt, assignment: str) -> tuple[str, Any]:
    """The name and the value of `NAME=VALUE`."""
    name, equals, value = assignment.partition("=")
    if not equals:
        raise GroundwireError(f"--set {assignment} has no value", "write --set NAME=VALUE")
    if name not in prompt.inputs or prompt.inputs[name].kind == "string":
        return name, value
    try:
        return name, json.loads(value)
    except json.JSONDecodeError as error:
        mend = f"write a value of kind {prompt.inputs[name].kind} as JSON"
        raise GroundwireError(f"--set {name} is not JSON ({error})", mend) from None
