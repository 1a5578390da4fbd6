"""A child process that parses untrusted files, so that a bad one costs itself and nothing else.

Knows processes, limits and timeouts; knows no format. Only JSON comes back from the child, never objects.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from rag.ingest.quality import MOST_CHARACTERS, Reason

SECONDS = 60.0
"""For parsing one file."""
MEMORY = 2 << 30
"""Bytes of address space."""
MOST_ANSWER = 12 * MOST_CHARACTERS
"""Bytes of a JSON line, in which a character takes at most twelve."""
SLOW = "parsing it took more than {:g} s; split it, or save it as plain text"

ROOT = Path(__file__).parents[2]
"""Where `rag` is imported from."""


class Parsed(NamedTuple):
    """`lost`: what could not be read of the file; empty if all could."""

    title: str
    text: str
    lost: str = ""


class Failure(NamedTuple):
    reason: Reason
    detail: str


class Sandbox:
    """One worker process, started at the first file and restarted after a file that killed it."""

    def __init__(self, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        self.seconds = seconds
        self.memory = memory
        self._worker: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop()

    def parse(self, path: Path, media_type: str) -> Parsed | Failure:
        """The title and text of a file, or why it cannot be parsed."""
        if self._worker is None or self._worker.poll() is not None:
            self._stop()
            self._worker = self._start()
        request = json.dumps({"path": str(path.absolute()), "media_type": media_type})
        try:
            answer = json.loads(self._answer(self._worker, f"{request}\n".encode()))
        except _DeadError as death:
            self._stop()
            return Failure(death.reason, death.detail)
        if "reason" not in answer:
            return Parsed(str(answer["title"]), str(answer["text"]), str(answer["lost"]))
        failure = Failure(Reason(answer["reason"]), str(answer["detail"]))
        if failure.reason is Reason.OUT_OF_MEMORY:
            self._stop()
        return failure

    def _start(self) -> subprocess.Popen[bytes]:
        # The parser does not inherit environment variables: the API keys of providers are among them.
        return subprocess.Popen(
            [sys.executable, "-P", "-X", "utf8", "-m", "rag.ingest.worker", str(self.memory), str(self.seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
            bufsize=0,
        )

    def _stop(self) -> None:
        if self._worker is not None:
            self._worker.kill()
            self._worker.communicate()
            self._worker = None

    def _answer(self, worker: subprocess.Popen[bytes], request: bytes) -> bytes:
        """The line that answers a request. Raises `_DeadError` if none arrives in time."""
        assert worker.stdin
        assert worker.stdout
        deadline = time.monotonic() + self.seconds
        pieces: list[bytes] = []
        length = 0
        with contextlib.suppress(BrokenPipeError):
            worker.stdin.write(request)
        while not pieces or not pieces[-1].endswith(b"\n"):
            if not select.select([worker.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise _DeadError(Reason.TIMED_OUT, SLOW.format(self.seconds))
            piece = os.read(worker.stdout.fileno(), 1 << 20)
            pieces.append(piece)
            length += len(piece)
            if not piece:
                raise self._death_of(worker.wait())
            if length > MOST_ANSWER:
                raise _DeadError(Reason.TOO_LONG, f"more than {MOST_CHARACTERS:,} characters; split it into shorter documents")
        return b"".join(pieces)

    def _death_of(self, code: int) -> "_DeadError":
        if code == -signal.SIGXCPU:
            return _DeadError(Reason.TIMED_OUT, SLOW.format(self.seconds))
        cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return _DeadError(
            Reason.UNREADABLE, f"its parser crashed ({cause}); open it in the program that made it, and save it again"
        )


class _DeadError(Exception):
    """The worker gave no answer and has to be replaced."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
