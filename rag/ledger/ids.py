"""Ids of traces, as places in time: a UUIDv7 begins with the millisecond it was made in.

Knows that layout, and nothing else.
"""

from datetime import datetime


def first_id(at: datetime) -> str:
    """What the ids of all that is made from `at` on (with its zone) are not below, compared as text."""
    milliseconds = f"{round(at.timestamp() * 1000):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}"
