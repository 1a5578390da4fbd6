"""Commits that are held, so that what comes meanwhile has to wait."""

import threading

from sqlalchemy import Engine, event


class Held:
    """Holds the next commit of an engine until it is let go; counts commits."""

    def __init__(self, engine: Engine) -> None:
        self.commits = 0
        self._begun, self._let_go = threading.Event(), threading.Event()
        event.listen(engine, "commit", self._commit)

    def _commit(self, _: object) -> None:
        self.commits += 1
        self._begun.set()
        assert self._let_go.wait(30)

    def wait(self) -> None:
        assert self._begun.wait(30)

    def let_go(self) -> None:
        self._let_go.set()
