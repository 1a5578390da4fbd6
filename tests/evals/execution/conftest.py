"""A home of its own with the shop in it, cases about kettles, and arms that ask the provider on loopback."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from evals.cases import Case
from evals.execution.arms import Arm
from evals.execution.budget import Limits
from evals.execution.execution import Execution, Watcher
from evals.execution.runs import Result
from evals.scorers import open_scorers
from rag.runtime import Runtime
from rag.settings import Settings
from tests.servers.provider import Call

OPENAI = "openai/gpt-4.1-mini"
COST = 100 * 400 + 7 * 1600
"""Nano-dollars of a plain reply."""
VARIANTS = {
    "default": f'[llm]\nmodel = "{OPENAI}"\nattempts = 1\n[retriever]\nabstain = false\n',
    "quoting": f'[llm]\nmodel = "{OPENAI}"\nattempts = 1\n[retriever]\nabstain = false\n[release]\npolicy = "quote"\n',
    "extractive": '[llm]\nmodel = "local/extractive"\n[retriever]\nabstain = false\n',
}


@pytest.fixture
def settings(shop: Settings, tmp_path: Path) -> Settings:
    shutil.copytree(shop.home, tmp_path / "home")
    (tmp_path / "variants").mkdir()
    for name, text in VARIANTS.items():
        (tmp_path / "variants" / f"{name}.toml").write_text(text)
    return Settings(home=tmp_path / "home", variants=tmp_path / "variants", embedder=shop.embedder)


@pytest.fixture
def runtime(settings: Settings) -> Iterator[Runtime]:
    with Runtime(settings) as opened:
        yield opened


def some(number: int, *gold: str) -> list[Case]:
    """So many cases; each has its number in its question, twice, so that it can be told from the request."""
    return [
        Case(id=f"case-{n:04}", question=f"How long is the warranty of kettle <{n}>?", references=("24 months.",), gold_ids=gold)
        for n in range(number)
    ]


def place(call: Call) -> int:
    """Which of `some` cases was asked."""
    return int(call.text.rpartition("kettle <")[2].partition(">")[0])


def candidate(call: Call) -> bool:
    """Whether answer@2 asks: its stop sequence is what tells it from answer@1."""
    return "\nQuestion:" in call.body.get("stop", ())


def arm(runtime: Runtime, name: str = "answer@2", variant: str = "default") -> Arm:
    return Arm.named(name, runtime.settings, variant, None)


def arms(runtime: Runtime) -> list[Arm]:
    return [arm(runtime, "answer@1"), arm(runtime, "answer@2")]


async def carried_out(
    runtime: Runtime,
    sides: Sequence[Arm],
    cases: Sequence[Case],
    *,
    repeats: int = 1,
    limits: Limits | None = None,
    fresh: bool = False,
    watcher: Watcher | None = None,
    judge: str | None = None,
    stream: bool = False,
) -> Execution:
    """Asked to its end, and closed."""
    asking = Execution(
        runtime,
        sides,
        cases,
        "shop",
        source="shop.jsonl",
        scorers=open_scorers(),
        repeats=repeats,
        limits=limits,
        fresh=fresh,
        judge_model=judge,
        stream=stream,
    )
    try:
        await asking.carry_out(watcher)
    finally:
        await asking.close()
    return asking


def results(asking: Execution, side: int = 0) -> list[Result]:
    return list(asking.runs.results(asking.records[side].id))
