"""How long comparing two prompts takes beside the provider's own latency and beside promptfoo, and what memory many cases take.

Knows commands, clocks and what the provider counted. Knows nothing of how a run works.
"""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from rag.settings import Settings
from tests.bench import promptfoo
from tests.bench.upstream import ROOT, Upstream, upstream

EVALS = str(Path(sys.executable).parent / "evals")
CASES = ROOT / "data" / "cases" / "guide.jsonl"
COMPARED = 500
AT_ONCE = 50
MANY = 20_000
LOOKS = (5_000, MANY)
ROUNDS = {1.0: 1, 0.2: 3}
"""Runs for each latency of the provider, in seconds; short ones are noisier."""
KNOWN = (0, 3)
"""Exit codes of a comparison that B did not lose: the provider answers both alike."""


class Timed(NamedTuple):
    """One command, from its start to its end; seconds."""

    wall: float
    before: float
    """Until the provider got its first call."""
    after: float
    """Since it gave its last answer."""
    ideal: float
    """What the provider's latency alone would take, with every slot always in use."""
    calls: int
    load: float
    """Processes that wanted a core, on average over the minute before."""


class Look(NamedTuple):
    """At a process under way."""

    at: float
    """By `time.monotonic`."""
    answered: int
    resident: float
    """MB."""
    peak: float
    """MB."""


def generated(count: int) -> list[dict[str, Any]]:
    """Cases over the guide that it answers, each question numbered: no two are the same request, and few are refused without one."""
    told = [case for line in CASES.read_text().splitlines() if (case := json.loads(line))["answerable"]]
    rounds = ((number, told[number % len(told)]) for number in range(count))
    return [{**case, "id": f"c{number}", "question": f"{case['question']} ({number})"} for number, case in rounds]


def evaluation(folder: Path, console: Console) -> None:
    """All of it, in a folder of its own."""
    folder.mkdir()
    settings = Settings(home=folder / "home")
    ingest = [str(Path(sys.executable).parent / "rag"), "ingest", "data/corpus", "--collection", "guide"]
    _done(ingest, _environment(settings))
    speed(folder, settings, console)
    memory(folder, settings, console)


def speed(folder: Path, settings: Settings, console: Console) -> None:
    """Ours and promptfoo in turn, for each latency, against what cannot be undercut."""
    cases = _written(folder / "compared.jsonl", COMPARED)
    ours = [*_run(folder / "compared.jsonl", "openai/gpt-4.1-mini"), "--concurrency", str(AT_ONCE)]
    rival = promptfoo.installed(folder / "promptfoo")
    table = Table(
        *("latency", "", "wall s", "ideal s", "ratio", "before the first call", "after the last", "calls", "load"),
        title=f"Two prompts over {COMPARED} cases, {AT_ONCE} requests at once",
    )
    for latency, rounds in ROUNDS.items():
        found: dict[str, list[Timed]] = {"evals run": [], "promptfoo": []} if rival else {"evals run": []}
        with upstream(latency) as provider:
            environment = {**_environment(settings), "OPENAI_BASE_URL": f"{provider.url}/v1", "OPENAI_API_KEY": "sk-bench"}
            for _ in range(rounds):
                found["evals run"].append(_timed([*ours, "--fresh"], environment, provider))
                if rival:
                    found["promptfoo"].append(
                        _timed(*promptfoo.command(folder / "promptfoo", cases, provider.url, AT_ONCE), provider)
                    )
            again = _timed(ours, environment, provider)
        for name, runs in found.items():
            for run in sorted(runs):
                table.add_row(f"{latency:g} s", name, *_cells(run))
        walls = {name: [run.wall for run in runs] for name, runs in found.items()}
        told = "; ".join(f"{name} {min(wall):.1f} s at best, {median(wall):.1f} s in the middle" for name, wall in walls.items())
        console.print(f"at {latency:g} s: {told}" + (f"; ours / promptfoo {_ratio(walls):.2f}" if rival else ""))
    console.print(table, f"the same command again, {again.calls} calls: {again.wall:.1f} s, at load {again.load:.1f}")
    console.print(
        "A question that retrieval finds nothing for is refused without a call; promptfoo retrieves nothing and asks all."
    )
    if not rival:
        console.print("promptfoo was left out: there is no npm to install it with")


def memory(folder: Path, settings: Settings, console: Console) -> None:
    """What a process keeps as its answers grow many; made here, so that no provider is waited for."""
    _written(folder / "many.jsonl", MANY)
    command = [*_run(folder / "many.jsonl", "local/extractive"), "--out", str(folder / "report")]
    load = os.getloadavg()[0]
    began = time.monotonic()
    looks = _watched(command, settings)
    ended = time.monotonic()
    arms = 2
    first = {count: next(look for look in looks if look.answered >= arms * count) for count in LOOKS}
    kept = ", ".join(f"{look.resident:.0f} MB at {count:,} cases" for count, look in first.items())
    console.print(
        f"{MANY:,} cases of two prompts, {ended - began:.0f} s at load {load:.1f}: {kept}, at most {looks[-1].peak:.0f} MB"
    )
    console.print(f"compared and reported in {ended - first[MANY].at:.1f} s")


def _run(cases: Path, model: str) -> list[str]:
    return [EVALS, "run", "--a", "answer@1", "--b", "answer@2", "--cases", str(cases), "--collection", "guide", "--model", model]


def _written(file: Path, count: int) -> list[dict[str, Any]]:
    cases = generated(count)
    file.write_text("".join(f"{json.dumps(case)}\n" for case in cases))
    return cases


def _environment(settings: Settings) -> dict[str, str]:
    return {**os.environ, "GROUNDWIRE_HOME": str(settings.home)}


def _timed(command: Sequence[str], environment: Mapping[str, str], provider: Upstream) -> Timed:
    load = os.getloadavg()[0]
    provider.look()
    began = time.monotonic()
    _done(command, environment)
    ended = time.monotonic()
    seen = provider.look()
    if seen.most_at_once > AT_ONCE:
        raise RuntimeError(f"{command[0]} had {seen.most_at_once} requests under way at once")
    before, after = (seen.first - began, ended - seen.last) if seen.calls else (ended - began, 0.0)
    return Timed(ended - began, before, after, seen.calls / AT_ONCE * provider.seconds, seen.calls, load)


def _done(command: Sequence[str], environment: Mapping[str, str]) -> None:
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode not in KNOWN:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr or done.stdout}")


def _watched(command: Sequence[str], settings: Settings) -> list[Look]:
    """Looks at a command, one a second, until it has ended."""
    looks = []
    with (
        closing(sqlite3.connect(settings.home / "ledger.db", timeout=30)) as ledger,
        subprocess.Popen(command, env=_environment(settings), cwd=ROOT, stdout=subprocess.DEVNULL) as process,
    ):
        before = _results(ledger)
        while process.poll() is None:
            status = dict(line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
            if "VmRSS" in status:
                resident, peak = (int(status[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
                looks.append(Look(time.monotonic(), _results(ledger) - before, resident, peak))
            time.sleep(1)
    if process.returncode not in KNOWN:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return looks


def _results(ledger: sqlite3.Connection) -> int:
    return int(ledger.execute("SELECT count(*) FROM results").fetchone()[0])


def _cells(run: Timed) -> list[str]:
    times = (f"{run.wall:.1f}", f"{run.ideal:.1f}", f"{run.wall / run.ideal:.2f}", f"{run.before:.1f}", f"{run.after:.1f}")
    return [*times, f"{run.calls:,}", f"{run.load:.1f}"]


def _ratio(walls: Mapping[str, Sequence[float]]) -> float:
    return median(walls["evals run"]) / median(walls["promptfoo"])
