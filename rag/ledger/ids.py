"""The ids of traces as points in time: a UUIDv7 begins with the millisecond it was created in.

Knows that layout, and nothing else.
"""

from datetime import datetime


def first_id(at: datetime) -> str:
    """The smallest UUIDv7 prefix of anything created at or after `at` (timezone-aware)."""
    milliseconds = f"{round(at.timestamp() * 1000):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}"
