"""The pages are executed: what they say can be typed can be typed, and what they name exists."""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from markdown_it import MarkdownIt
from markdown_it.token import Token

import api.cli
import evals.cli
import prompts.cli
import rag.cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "data" / "corpus").glob("*.md"))]
BIN = Path(sys.executable).parent
PROMPT = "$ "
CHECKED_ELSEWHERE = {"make test", "make lint", "make bench", ". .venv/bin/activate"}
"""They would run this test again, take long, or do nothing in a shell that ends with them."""
PORT = "8000"
"""Of every server on the pages; here it is replaced by a free one."""
FOREIGN = ("ANTHROPIC_", "GROUNDWIRE_", "MAKE", "OPENAI_")
"""Variables of whoever runs this."""
COMMANDS: dict[str, Any] = {
    name: typer.main.get_command(app)
    for name, app in {"api": api.cli.app, "evals": evals.cli.app, "prompts": prompts.cli.app, "rag": rag.cli.app}.items()
}


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def fences(page: Path) -> Iterator[Token]:
    return (token for token in MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8")) if token.type == "fence")


def blocks(page: Path, language: str) -> list[str]:
    return [token.content for token in fences(page) if token.info == language]


def typed(page: Path) -> list[tuple[str, list[str]]]:
    """The commands of a page, each with the lines it is said to print."""
    found: list[tuple[str, list[str]]] = []
    for line in "".join(blocks(page, "console")).splitlines():
        if line.startswith(PROMPT):
            found.append((line.removeprefix(PROMPT), []))
        elif line.strip():
            found[-1][1].append(line)
    return found


RUNNABLE = [page for page in PAGES if typed(page)]


class Shell:
    """A folder with what the pages speak of, and a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "data", folder / "data", ignore=shutil.ignore_patterns("run"))
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)},
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "GROUNDWIRE_HOME": str(folder / "home"),
            "COLUMNS": "200",
        }
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = str(free.getsockname()[1])

    def run(self, command: str, folder: Path | None = None) -> str:
        done = subprocess.run(
            ["bash", "-c", command.replace(f":{PORT}/", f":{self.port}/")],
            cwd=folder or self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def serve(self, command: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([*shlex.split(command), "--port", self.port], cwd=self.folder, env=self.environment)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            try:
                httpx.get(f"http://127.0.0.1:{self.port}/readyz").raise_for_status()
            except httpx.HTTPError:
                time.sleep(0.05)
            else:
                return process
        process.kill()
        raise AssertionError(f"{command} was never ready")


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """With the guide ingested, as by `make demo`, which every page but the first assumes."""
    shell = Shell(tmp_path_factory.mktemp("docs"))
    shell.run("rag ingest data/corpus --collection guide")
    return shell


@pytest.mark.timeout(300)
@pytest.mark.xdist_group("docs")
@pytest.mark.parametrize("page", RUNNABLE, ids=name_of)
def test_what_a_page_types_works(page: Path, shell: Shell) -> None:
    servers = []
    try:
        for command, lines in typed(page):
            if command.endswith("&"):
                servers.append(shell.serve(command.removesuffix("&")))
            elif command == "make demo":
                demonstrated(shell, lines)
            elif command.startswith("make "):
                assert command.removeprefix("make ") in targets()
            elif command not in CHECKED_ELSEWHERE:
                output = shell.run(command)
                for line in lines:
                    assert line.strip() in output, f"{command} does not print {line!r}"
        for program in blocks(page, "python") if servers else []:
            assert shell.run(f"python -c {shlex.quote(program)}").strip()
    finally:
        for server in servers:
            server.terminate()
            server.wait(30)


def demonstrated(shell: Shell, lines: list[str]) -> None:
    """The environment is made already: make is told so, and to use this one."""
    output = shell.run(f"make demo BIN={shlex.quote(str(BIN))} --assume-old=.venv/default.stamp", ROOT)
    asked = re.findall(r'"(.+?)"', (ROOT / "Makefile").read_text(encoding="utf-8").partition("\ndemo:")[2].partition("\n\n")[0])
    assert len(asked) == 3
    for line in (*asked, *lines):
        assert line in output
    for shown in (
        r"\. \[\d\]",
        r"\btrace [0-9a-f-]{36}\b",
        r"\d+ \+ \d+ tokens",
        r"\$\d",
        r"whole answer [\d.]+ m?s",
        r"supported",
    ):
        assert re.search(shown, output), f"the demo shows no {shown}"


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def mentioned(page: Path) -> Iterator[list[str]]:
    """Every call of one of our commands in the page's code, inline or in a block, as words."""
    inline = [
        child.content
        for token in MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))
        for child in token.children or ()
        if child.type == "code_inline"
    ]
    joined = (token.content.replace("\\\n", " ") for token in fences(page) if token.info in ("", "console", "bash", "text"))
    for line in (*inline, *(line for block in joined for line in block.splitlines())):
        words = line.strip().removeprefix(PROMPT).removeprefix("error: ").split()
        if len(words) > 1 and words[0] in COMMANDS and re.fullmatch(r"-?-?[a-z][a-z-]*", words[1]):
            yield words


def options_of(command: Any) -> set[str]:
    return {"--help", *(name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts))}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_commands_and_options_that_a_page_names_exist(page: Path) -> None:
    for words in mentioned(page):
        command, options = COMMANDS[words[0]], options_of(COMMANDS[words[0]])
        rest = words[1:]
        while rest and hasattr(command, "commands"):
            if not rest[0].startswith("-"):
                assert rest[0] in command.commands, " ".join(words)
                command = command.commands[rest[0]]
                options = options_of(command)
            rest = rest[1:]
        for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", re.sub(r"\"[^\"]*\"|'[^']*'", "", " ".join(rest))):
            assert option in options, f"{option} in: {' '.join(words)}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_make_targets_that_a_page_names_exist(page: Path) -> None:
    for target in re.findall(r"(?:`|^|\$ )make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE):
        assert target in targets(), target


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_an_option_that_a_page_names_alone_is_an_option_of_some_command(page: Path) -> None:
    every = {option for command in COMMANDS.values() for option in nested(command)}
    for option in re.findall(r"`(--[a-z-]+)", page.read_text(encoding="utf-8")):
        assert option in every, option


def nested(command: Any) -> Iterator[str]:
    yield from options_of(command)
    for child in getattr(command, "commands", {}).values():
        yield from nested(child)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_help_breaks_a_line_in_mid_sentence(name: str) -> None:
    for told in helps(COMMANDS[name]):
        assert not [paragraph for paragraph in told.split("\n\n") if "\n" in paragraph.strip()]


def helps(command: Any) -> Iterator[str]:
    yield command.help or ""
    for child in getattr(command, "commands", {}).values():
        yield from helps(child)


def test_the_tree_in_the_readme_is_that_of_the_repository() -> None:
    tree = (ROOT / "README.md").read_text(encoding="utf-8").partition("## How it is laid out")[2].split("```")[1]
    folder = ROOT
    for line in tree.strip("\n").splitlines():
        name = line.split()[0]
        folder = folder if line.startswith(" ") else ROOT / name
        path = folder / name.rstrip(",") if line.startswith(" ") else folder
        assert path.exists(), line
