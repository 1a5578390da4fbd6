"""Medians of repeated runs, and what many clients at once see."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")


def median_ms(call: Callable[[T], object], arguments: Iterable[T], warm: int = 5) -> float:
    """The median of `call` over the arguments, in milliseconds, the first `warm` not counted."""
    spent = []
    for argument in arguments:
        began = time.perf_counter()
        call(argument)
        spent.append((time.perf_counter() - began) * 1000)
    return statistics.median(spent[warm:])


class Load(NamedTuple):
    """What clients saw that each asked again as soon as they were answered."""

    a_second: float
    p50_ms: float
    p95_ms: float


async def loaded(ask: Callable[[T], Awaitable[object]], arguments: Sequence[T], clients: int, total: int) -> Load:
    """`total` calls by so many clients."""
    spent: list[float] = []
    left = iter(range(total))

    async def client() -> None:
        for number in left:
            began = time.perf_counter()
            await ask(arguments[number % len(arguments)])
            spent.append((time.perf_counter() - began) * 1000)

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    wall = time.perf_counter() - began
    return Load(total / wall, statistics.median(spent), statistics.quantiles(spent, n=20)[-1])
