"""Medians of repeated runs."""

import statistics
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def median_ms(call: Callable[[T], object], arguments: Iterable[T], warm: int = 5) -> float:
    """The median of `call` over the arguments, in milliseconds, the first `warm` not counted."""
    spent = []
    for argument in arguments:
        began = time.perf_counter()
        call(argument)
        spent.append((time.perf_counter() - began) * 1000)
    return statistics.median(spent[warm:])
