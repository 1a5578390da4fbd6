"""The `prompts` command: list, show, render, diff, new, check, release, label.

Knows how a library is shown to people; knows nothing of files and templates.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prompts.command import Command
from prompts.difference import Line, Size, difference, properties, size, spoken
from prompts.errors import GroundwireError
from prompts.labels import LABELS
from prompts.library import Library
from prompts.prompt import Prompt

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

app = Command(help="Versioned prompts: list, show, compare, write, check and release them.")

_REFERENCE = "A prompt, such as answer@2 or answer@production; answer is its highest version."
Reference = Annotated[str, typer.Argument(metavar="REF", help=_REFERENCE)]
Side = Annotated[str, typer.Argument(help="A prompt, such as answer@2, or a .prompty file.")]
_STYLES = {"-": "red", "+": "green", " ": "", "@": "dim"}


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
    if not shelf.names():
        typer.echo(f"no prompts in {shelf.root} yet: prompts new NAME writes a first one")
        return
    released = shelf.released()
    labels = shelf.labels()
    table = Table("reference", "sha256", "released", "labels", "description", box=None)
    for column in table.columns[:4]:
        column.no_wrap = True
    for name in shelf.names():
        for version in shelf.versions(name):
            prompt = shelf.get(f"{name}@{version}")
            mark = "yes" if prompt.reference in released else "no"
            names = ", ".join(label for label, versions in labels.items() if versions.get(name) == version)
            table.add_row(prompt.reference, prompt.sha256[:12], mark, names, prompt.description)
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
def diff(context: typer.Context, a: Side, b: Side) -> None:
    """What changed from A to B: the messages, the inputs and stop sequences, and how long they are."""
    from rich.console import Console

    before, after = (_side(context.obj, name) for name in (a, b))
    sizes = _sizes((before, size(before)), (after, size(after)))
    console = Console(markup=False, highlight=False)
    for mark, prompt in (("---", before), ("+++", after)):
        changelog = " ".join(str(prompt.metadata.get("changelog", "")).split())
        console.print(f"{mark} {prompt.reference}  {prompt.sha256[:12]}  {changelog}".rstrip(), style="bold", soft_wrap=True)
    said = difference(spoken(before), spoken(after))
    apart = [line for line in difference(properties(before), properties(after)) if line.mark in "+-"]
    if not said and not apart:
        console.print("\nA model gets the same from both.")
    for lines in (said, apart):
        if lines:
            console.print()
        for line in lines:
            console.print(_shown(line), soft_wrap=True)
    console.print()
    console.print(sizes)
    if before.examples != after.examples:
        console.print("Each with the examples of its own file, which differ.", style="dim")


@app.command()
def new(context: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME", help="What to write a version of.")]) -> None:
    """Start the next version as a copy of the highest, its changelog still to be written, or a first one as a copy of what is shipped."""
    shelf: Library = context.obj
    near = [] if shelf.versions(name) else shelf.near(name)
    path = shelf.draft(name)
    typer.echo(path)
    if near:
        typer.echo(f"note: {name} is a new prompt; if you meant {' or '.join(near)}, remove {path}", err=True)


@app.command()
def check(
    context: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]...", help="Files; without any, the whole library.")
    ] = None,
) -> None:
    """Find what is wrong: format, metadata, variables, examples, releases, labels. Exit code 1 if anything is."""
    if files:
        found = [problem for file in files for problem in Library(file.resolve().parent.parent).problems(file)]
    else:
        shelf: Library = context.obj
        found = [problem for file in shelf.files() for problem in shelf.problems(file)] + shelf.missing() + shelf.mislabelled()
    for problem in found:
        typer.echo(problem)
    if found:
        raise typer.Exit(1)
    count = len(files or context.obj.files())
    typer.echo(f"{count} prompt file{'' if count == 1 else 's'}, nothing wrong")


@app.command()
def release(context: typer.Context, reference: Reference) -> None:
    """Lock a prompt's text: from now on a change of it is an error of check."""
    prompt = context.obj.release(reference)
    typer.echo(f"{prompt.reference} {prompt.sha256} is released; commit released.lock")


@app.command()
def label(
    context: typer.Context,
    label: Annotated[str | None, typer.Argument(metavar="[LABEL]", help="A word such as production.")] = None,
    reference: Annotated[str | None, typer.Argument(metavar="[REF]", help=_REFERENCE)] = None,
) -> None:
    """Let a label stand for a released version; without REF, show what labels stand for."""
    shelf: Library = context.obj
    if label is not None and reference is not None:
        before = shelf.labels().get(label, {})
        now = shelf.label(label, reference)
        was = f"{now.name}@{before[now.name]} → " if now.name in before else ""
        typer.echo(f"{label}: {was}{now.reference}; commit {LABELS}")
        return
    labels = shelf.labels()
    if label is not None and label not in labels:
        there = f"there is {', '.join(labels)}" if labels else "there is none yet"
        raise GroundwireError(f"there is no label {label} in {shelf.root}", f"{there}; prompts label {label} REF makes it")
    for shown in sorted(labels) if label is None else [label]:
        for name, version in sorted(labels[shown].items()):
            typer.echo(f"{shown} {name}@{version}")


def _side(shelf: Library, name: str) -> Prompt:
    """One side of a difference, from the library or from a file."""
    return Prompt.read(Path(name)) if name.endswith(".prompty") else shelf.get(name)


def _shown(line: Line) -> "Text":
    from rich.text import Text

    if line.mark == "@":
        return Text("...", _STYLES["@"])
    style = _STYLES[line.mark]
    pieces = ((text, f"{style} bold reverse" if changed else style) for text, changed in line.parts)
    return Text.assemble((line.mark, style), *pieces)


def _sizes(a: tuple[Prompt, Size], b: tuple[Prompt, Size]) -> "Table":
    """Words and tokens of the rendered examples, side by side."""
    from rich.table import Table

    table = Table("", a[0].reference, b[0].reference, "change", box=None, header_style="dim")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, before, after in (("words", a[1].words, b[1].words), ("tokens", a[1].tokens, b[1].tokens)):
        share = f" ({after / before - 1:+.0%})" if before else ""
        table.add_row(name, f"{before:,}", f"{after:,}", f"{after - before:+,}{share}")
    return table


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
