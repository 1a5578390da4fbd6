"""The child process that parses untrusted files, one JSON line in and one out, under limits it cannot lift.

Knows the limits and the protocol; leaves the formats to `extractors`.
"""

import json
import math
import os
import resource
import sys
from pathlib import Path
from typing import IO

from rag.ingest.extractors import extract
from rag.ingest.extractors.base import UnreadableError


def main(memory: int, seconds: float) -> None:
    """Serve until stdin ends. `memory`: bytes of address space; `seconds`: processor time for each file."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for limit, value in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(limit, (value, value))
    sys.setrecursionlimit(10_000)
    for line in sys.stdin:
        _allow(seconds)
        _answer(json.loads(line), answers)


def _allow(seconds: float) -> None:
    """Set the limit on processor time to this many seconds from now."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = math.ceil(used.ru_utime + used.ru_stime + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _answer(request: dict[str, str], answers: IO[str]) -> None:
    try:
        with Path(request["path"]).open("rb") as stream:
            answer = extract(stream, request["media_type"])._asdict()
    except MemoryError:
        answer = {"reason": "out of memory", "detail": "parsing it took too much memory; split it, or save it as plain text"}
    except UnreadableError as error:
        answer = {"reason": "unreadable", "detail": str(error)}
    except UnicodeError as error:
        answer = {"reason": "not decodable", "detail": str(error)}
    except Exception as error:  # noqa: BLE001 - parsers raise anything
        said = f" ({error})"[:200] if str(error) else ""
        answer = {"reason": "unreadable", "detail": f"damaged{said}; open it in the program that made it, and save it again"}
    print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
