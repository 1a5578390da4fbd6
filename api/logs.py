"""What a server writes to stderr: each line with its time, its level, its process, and the trace it is about.

Knows Python's logging. Knows nothing of what is logged.
"""

import logging
import time
from contextvars import ContextVar
from typing import Any

from prompts.terminal import printable

trace_id: ContextVar[str] = ContextVar("trace_id", default="-")
"""Of the request that is being answered; a task inherits it from the one that began it."""


class LogLine(logging.Formatter):
    """`2026-07-01T12:00:00.123Z WARNING 4711 - the key is not known`, in UTC; what follows the process is the trace's id."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(process)d %(trace)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """One line, but for a traceback below it: what a caller sends begins no line of its own."""
        record.trace = trace_id.get()
        record.msg, record.args = " ".join(printable(record.getMessage()).split("\n")), None
        return super().format(record)


def configuration(*, access: bool) -> dict[str, Any]:
    """For `logging.config.dictConfig`: warnings of ours and the server's, and with `access` a line for each request."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "api.logs.LogLine"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "loggers": {
            "groundwire": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            "uvicorn": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
            "uvicorn.access": {"handlers": ["stderr"], "level": "INFO" if access else "WARNING", "propagate": False},
        },
    }
