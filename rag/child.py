"""A module of ours in a process of its own, which is gone when this process is gone, however it ends.

Knows how it is started, asked to leave, and what it said if it could not start. Knows nothing of what it does.
"""

import atexit
import subprocess
import sys
import tempfile
from pathlib import Path

PATIENCE = 5.0
"""Seconds for a child that has something to put in order."""


class ChildError(Exception):
    """The last line of what a child said that did not start."""


class Child:
    """The module is told one line on stdin, answers with one on stdout, and leaves when stdin is closed.

    It has `patience` seconds to leave, then it is killed.
    """

    def __init__(self, module: str, patience: float = PATIENCE) -> None:
        self._module = module
        self._patience = patience
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int | None:
        """None where none runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self, task: str) -> str:
        """The line it answers with. Raises `ChildError` where it ends instead."""
        self.stop()
        with tempfile.TemporaryFile("w+", errors="replace") as log:
            # A session of its own: Ctrl-C is for the parent, which may still be at work. A key in the task is unseen by `ps`.
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
        """End it, if it runs."""
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
