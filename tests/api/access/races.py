"""Races of many requests of one key over several processes of one ledger.

`python -m tests.api.access.races 50 postgresql 8` runs fifty, over eight processes.
"""

import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from uuid_utils import uuid7

from api.access.allowance import Allowances
from api.access.keys import Key, Keys
from api.access.spending import spent_today
from api.problem import BusyError
from rag.ledger.database import connect, opened
from tests.servers.postgres import Postgres

CEILING = 1_000
BUDGET = 25_500
CONCURRENT = 7


class Run(NamedTuple):
    """An admitted request: when it was let in, when it ended (seconds, one clock for all processes), and what it cost."""

    began: float
    ended: float
    cost: int | None

    @property
    def charged(self) -> int:
        return CEILING if self.cost is None else self.cost


class Racers:
    """Processes that wait for the next race."""

    def __init__(self, url: str, processes: int) -> None:
        command = [sys.executable, "-m", "tests.api.access.races", url]
        self.processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
        ]
        for process in self.processes:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"

    def race(self, key: Key, requests: int) -> list[Run]:
        """What was admitted of so many requests at once."""
        for process in self.processes:
            assert process.stdin
            print(json.dumps([key.model_dump(), requests // len(self.processes)]), file=process.stdin, flush=True)
        return [Run(*run) for process in self.processes if process.stdout for run in json.loads(process.stdout.readline())]

    def close(self) -> None:
        for process in self.processes:
            process.communicate(timeout=30)


@contextmanager
def racers(url: str, processes: int) -> Iterator[Racers]:
    opened = Racers(url, processes)
    try:
        yield opened
    finally:
        opened.close()


def at_once(runs: list[Run]) -> int:
    """Most that were under way at any time."""
    most = count = 0
    for _, change in sorted([(run.ended, -1) for run in runs] + [(run.began, 1) for run in runs]):
        count += change
        most = max(most, count)
    return most


def committed(runs: list[Run]) -> int:
    """Most that was spent and reserved together at any time."""
    most = total = 0
    changes = [(run.began, CEILING) for run in runs] + [(run.ended, run.charged - CEILING) for run in runs]
    for _, change in sorted(changes):
        total += change
        most = max(most, total)
    return most


async def _request(allowances: Allowances, key: Key) -> Run | None:
    try:
        async with allowances.admitted(key, str(uuid7()), CEILING) as settle:
            began = time.monotonic()
            await asyncio.sleep(random.uniform(0, 0.02))
            cost = random.choice([None, 0, CEILING, random.randrange(CEILING)])
            ended = time.monotonic()
            settle(cost)
            return Run(began, ended, cost)
    except BusyError:
        return None


async def _races(url: str) -> None:
    engine = connect(url)
    allowances = Allowances(engine)
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        fields, requests = json.loads(line)
        key = Key.model_validate(fields)
        runs = await asyncio.gather(*(_request(allowances, key) for _ in range(requests)))
        print(json.dumps([run for run in runs if run]), flush=True)
    allowances.close()
    engine.dispose()


@contextmanager
def _ledger(database: str) -> Iterator[str]:
    if database == "postgresql":
        with Postgres() as server:
            yield server.ledger()
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{Path(folder) / 'ledger.db'}"


def main(races: int, database: str, processes: int) -> None:
    with _ledger(database) as url, opened(url) as engine:
        keys = Keys(engine)
        worst_at_once = worst_committed = admitted = 0
        began = time.monotonic()
        with racers(url, processes) as running:
            for number in range(races):
                key, _ = keys.create(str(number), concurrent=CONCURRENT if number % 2 else None, daily_nanodollars=BUDGET)
                runs = running.race(key, 200)
                if number % 2:
                    worst_at_once = max(worst_at_once, at_once(runs))
                worst_committed = max(worst_committed, committed(runs))
                admitted += len(runs)
                assert spent_today(engine, [key])[key.id] == sum(run.charged for run in runs) <= BUDGET
        seconds = time.monotonic() - began
        print(f"{races} races of 200 over {processes} processes on {database} in {seconds:.1f} s: {admitted} admitted;")
        print(f"at most {worst_at_once} of {CONCURRENT} at once,")
        print(f"at most {worst_committed} of {BUDGET} spent and reserved; every account is exact")


if __name__ == "__main__":
    if sys.argv[1].isdecimal():
        main(int(sys.argv[1]), *sys.argv[2:3] or ["sqlite"], int(*sys.argv[3:4] or ["4"]))
    else:
        asyncio.run(_races(sys.argv[1]))
