"""kill -9 in the middle of a comparison: the same command goes on, pays for nothing twice, and says the same in the end."""

import json
import multiprocessing
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest

from evals.cases import Case, write
from evals.cli import app
from evals.execution.runs import Runs
from rag.ingest.ingest import ingest
from rag.runtime import Runtime
from rag.settings import Settings
from tests.conftest import PAGES
from tests.evals.execution.conftest import candidate
from tests.servers.provider import Call, Provider, Reply

CASES = 200
CONCURRENCY = 16
WRITING = 4
"""Replies that have come when the process is killed, and are not yet on the disk."""
KILLS = (20, 120, 230, 380)
"""Calls of both sides together, after which the process is killed."""


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "tests.faults.warm", "litellm"])
    return context


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the shop in it, cases about kettles beside it, and a variant that asks the provider."""
    folder = tmp_path_factory.mktemp("shop")
    for name, text in PAGES.items():
        (folder / name).write_text(text)
    with Runtime(Settings(home=folder / "home", embedder="hash")) as runtime:
        ingest([str(folder / name) for name in PAGES], "shop", runtime)
    (folder / "variants").mkdir()
    (folder / "variants" / "default.toml").write_text('[llm]\nmodel = "openai/gpt-4.1-mini"\n[retriever]\nabstain = false\n')
    questions = (f"How long is the warranty of kettle <{number}>?" for number in range(CASES))
    write(
        (
            Case(id=f"case-{number}", question=question, references=("They are covered for 24 months.",))
            for number, question in enumerate(questions)
        ),
        folder / "shop.jsonl",
    )
    return folder


def reply(call: Call) -> Reply:
    """Eight of ten are right where the candidate asks, which is the one with a stop sequence, and five where the baseline does."""
    number = int(call.text.rpartition("kettle <")[2].partition(">")[0])
    right = number % 10 < (8 if candidate(call) else 5)
    return Reply(pieces=("They are covered for 24 months [1]." if right else "Nobody knows.",), before=0.05)


def compare(environment: Mapping[str, str], cases: Path, out: Path) -> None:
    """The command, as its entry point runs it."""
    os.environ.update(environment)
    with Path(os.devnull).open("w") as nowhere:
        sys.stdout = nowhere
        app(
            [
                *("run", "--a", "answer@1", "--b", "answer@2", "--cases", str(cases), "--out", str(out)),
                *("--concurrency", str(CONCURRENCY), "--guardrail", "cost=10%"),
            ]
        )


Start = Callable[[Path], multiprocessing.process.BaseProcess]


@pytest.fixture
def start(processes: ForkServerContext, shop: Path, server: Provider) -> Start:
    """Begins the command over a home."""

    def started(home: Path) -> multiprocessing.process.BaseProcess:
        environment = {
            **server.environment,
            "GROUNDWIRE_HOME": str(home),
            "GROUNDWIRE_VARIANTS": str(shop / "variants"),
            "GROUNDWIRE_EMBEDDER": "hash",
        }
        process = processes.Process(target=compare, args=(environment, shop / "shop.jsonl", home / "out"))
        process.start()
        return process

    return started


def report(home: Path) -> dict[str, Any]:
    """What a comparison says, less dates, identities and everything that is measured in time."""
    whole: dict[str, Any] = json.loads((home / "out" / "report.json").read_text())
    for name in ("created_at", "seconds", "at_once", "spent_nanodollars", "quantiles"):
        del whole[name]
    for side in (whole["a"], whole["b"]):
        del side["latencies"]
    for flip in whole["flips"]:
        for side in (flip["a"], flip["b"]):
            del side["trace_id"]
    whole["effects"] = [effect for effect in whole["effects"] if effect["metric"]["unit"] != "seconds"]
    return whole


@pytest.mark.timeout(400)
def test_a_killed_comparison_goes_on_where_it_was(shop: Path, start: Start, server: Provider, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for home in (whole, killed):
        shutil.copytree(shop / "home", home)

    server.play(reply)
    process = start(whole)
    process.join()
    assert process.exitcode == 0
    asked = Counter(json.dumps(call.body, sort_keys=True) for call in server.calls)
    assert len(asked) == 2 * CASES == asked.total()

    server.play(reply)
    found = 0
    for after in KILLS:
        process = start(killed)
        while len(server.calls) < after:
            assert process.is_alive()
            time.sleep(0.001)
        process.kill()
        process.join()
        assert process.exitcode == -9
        before, found = found, answered(killed)
        assert before <= found < 2 * CASES
    assert found > CASES
    process = start(killed)
    process.join()
    assert process.exitcode == 0
    again = Counter(json.dumps(call.body, sort_keys=True) for call in server.calls)
    assert again.keys() == asked.keys()
    assert again.total() - 2 * CASES <= len(KILLS) * (CONCURRENCY + WRITING)
    assert answered(killed) == 2 * CASES
    assert report(killed) == report(whole)

    server.play(reply)
    process = start(killed)
    process.join()
    assert process.exitcode == 0
    assert not server.calls
    assert report(killed) == report(whole)


def answered(home: Path) -> int:
    """Results of both sides; no case twice."""
    with Runtime(Settings(home=home)) as runtime:
        runs = Runs(runtime.engine, runtime.writer)
        found = [[(result.case.id, result.repeat) for result in runs.results(run.id)] for run, _ in runs.latest(10)]
        assert len(found) <= 2
        assert all(len(set(one)) == len(one) <= CASES for one in found)
        return sum(map(len, found))
