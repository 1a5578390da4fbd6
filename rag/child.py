"""A module of ours in a child process, which ends when this process ends, even if that is killed.

Knows how to start and stop it, and why it did not start. Knows nothing of what it does.
"""

import atexit
import subprocess
import sys
import tempfile
from pathlib import Path

PATIENCE = 5.0
"""Seconds that a child has to end by itself."""


class ChildError(Exception):
    """A child that did not start, with the last line that it wrote to stderr."""


class ChildProcess:
    """The module reads one line from stdin, answers with one line on stdout, and ends when stdin is closed.

    After `stop` it has `patience` seconds to end, then it is killed.
    """

    def __init__(self, module: str, patience: float = PATIENCE) -> None:
        self._module = module
        self._patience = patience
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id; None if none runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self, task: str) -> str:
        """Start the module, and return its answer to the line `task`. Raises `ChildError` if it ends instead."""
        self.stop()
        with tempfile.TemporaryFile("w+", errors="replace") as log:
            # A session of its own, so that Ctrl-C reaches only the parent. The task goes over stdin: `ps` would show a key in it.
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module],
                cwd=Path(__file__).parents[1],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            atexit.register(self.stop)
            print(task, file=self._process.stdin, flush=True)
            answer = self._process.stdout.readline().strip()
            if not answer:
                self.stop()
                log.seek(0)
                lines = log.read().split("\n")
                raise ChildError(next((line for line in reversed(lines) if line.strip()), "it said nothing"))
        return answer

    def stop(self) -> None:
        """End the child, if it runs."""
        process, self._process = self._process, None
        if process is None:
            return
        atexit.unregister(self.stop)
        with process:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(self._patience)
            except subprocess.TimeoutExpired:
                process.kill()
