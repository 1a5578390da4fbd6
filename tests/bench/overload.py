"""Four times as many requests as a server can answer, whether it has answered the ones before or not.

`python -m tests.bench.overload` does it for two minutes.
"""

import asyncio
import random
import tempfile
from collections import Counter
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.faults.serving import MODES, Received, asked, post, shop
from tests.servers.groundwire import running
from tests.servers.provider import Provider, Reply

SLOTS = 8
SECONDS_EACH = 0.4
"""Of the provider; the server can answer `SLOTS` requests in that time, and waits for nothing else."""
VARIANT = '[llm]\nmodel = "openai/gpt-4.1-mini"\nattempts = 1\n[retriever]\nabstain = false\n'
MINUTES = 2
TIMES = 4
"""What is asked, of what can be answered."""


class Overload(NamedTuple):
    """What came of it."""

    received: list[Received]
    resident: list[float]
    """MB of the server's memory, once a second."""

    def seconds(self, *statuses: int) -> list[float]:
        """How long the responses of these statuses took, shortest first."""
        return sorted(one.seconds for one in self.received if one.status in statuses)


async def overload(url: str, pid: int, seconds: float) -> Overload:
    """Requests at random moments, four times as many as there are slots for."""
    clock = asyncio.get_running_loop().time
    chance = random.Random(0)
    rate = TIMES * SLOTS / SECONDS_EACH
    asking: list[asyncio.Task[Received]] = []
    resident = []
    began = looked = due = clock()
    while clock() - began < seconds:
        mode = MODES[len(asking) % len(MODES)]
        asking.append(asyncio.create_task(post(url, *asked(mode, f"How long is the warranty of kettle {len(asking)}?"))))
        if clock() - looked >= 1:
            looked = clock()
            resident.append(resident_mb(pid))
        due += chance.expovariate(rate)
        await asyncio.sleep(max(0.0, due - clock()))
    return Overload(await asyncio.gather(*asking), resident)


def resident_mb(pid: int) -> float:
    """Memory of a process."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]) / 1024


def main() -> None:
    """The server over a small collection, for two minutes."""
    with tempfile.TemporaryDirectory() as folder, Provider() as provider:
        settings = shop(Path(folder), {"default": VARIANT})
        provider.play(lambda _: Reply(pieces=("Kettles are covered for 24 months [1].",), first=SECONDS_EACH))
        with running(settings, "--collection", "shop", "--slots", str(SLOTS), environment=provider.environment) as server:
            found = asyncio.run(overload(server.url, server.process.pid, MINUTES * 60))
    counted = Counter(one.status for one in found.received)
    rejected, answered = found.seconds(429, 503), found.seconds(200)
    print(f"{len(found.received)} requests in {MINUTES} minutes: {dict(counted)}")
    print(f"rejected after {1000 * median(rejected):.0f} ms p50, {1000 * rejected[int(0.99 * len(rejected))]:.0f} ms p99")
    print(f"answered after {1000 * median(answered):.0f} ms p50, {1000 * answered[int(0.99 * len(answered))]:.0f} ms p99")
    looks = [found.resident[int(part * (len(found.resident) - 1))] for part in (0.05, 0.25, 0.5, 0.75, 1)]
    print("resident: " + ", ".join(f"{look:.0f} MB" for look in looks))


if __name__ == "__main__":
    main()
