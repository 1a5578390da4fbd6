"""What a key may use up: requests a minute, requests at once, money a day. All processes of a ledger share it.

Knows the tables of allowances and admissions, and who decides. Knows nothing of what a request does.
"""

import logging
import time
from asyncio import CancelledError, wrap_future
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from functools import partial
from typing import NamedTuple

from sqlalchemy import Connection, Engine, select

from api.access.account import too_many
from api.access.accounts import Accounts
from api.access.keys import Key
from api.problem import BusyError, ForbiddenError
from rag.errors import GroundwireError
from rag.ledger.database import exclusive, patiently, told
from rag.ledger.grouping import Grouping
from rag.ledger.processes import gone
from rag.ledger.schema import admissions
from rag.trace import dollars

Settle = Callable[[int | None], None]
"""Tells what an admitted request cost, in nano-dollars; null where that is not known."""


class Admission(NamedTuple):
    """A request that wants to be admitted."""

    key: Key
    id: str
    ceiling: int
    decided: Future[None]

    @property
    def key_id(self) -> str:
        """Whose account decides."""
        return self.key.id


class Settlement(NamedTuple):
    """The end of a request that was admitted."""

    key_id: str
    id: str
    cost: int | None
    decided: Future[None]
    turned_away: bool = False
    """After all: its token is given back."""


class Allowances:
    """Admits requests in the order they come, from a thread of its own: those that come while a transaction is committed share the next.

    `close` waits for it. `clock` tells seconds since 1970, to all processes alike.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock
        self._groups: Grouping[Admission | Settlement] = Grouping(self._decide, "allowances")
        self._next_token: dict[str, float] = {}
        """When a key that had no token gets one: until then nobody has to look."""

    def require_token(self, key: Key) -> None:
        """Raise `BusyError` where it is known, without looking, that the key has no token yet."""
        wait = self._next_token.get(key.id, 0.0) - self._clock()
        if wait > 0:
            raise too_many(key, wait)

    @asynccontextmanager
    async def admitted(self, key: Key, id: str, ceiling: int | None) -> AsyncIterator[Settle]:
        """Hold a place among the requests of a key, and `ceiling` nano-dollars of its budget, until the request is over.

        What is yielded takes what the request cost; where it is not called, or the cost is null, the whole ceiling is charged.
        Raises `BusyError` where the request has to wait, and `ForbiddenError` where no waiting helps. A `BusyError` that is raised
        within it turns the request away after all, as if it had never come.
        """
        if key.per_minute is None and not _holds(key):
            yield lambda _: None
            return
        self._require(key, ceiling)
        admission = Admission(key, id, ceiling or 0, Future())
        try:
            await wrap_future(self._submit(admission))
        except BusyError:
            raise
        except (CancelledError, GroundwireError):
            # It may have been admitted by now.
            self._submit(Settlement(key.id, id, 0, Future()))
            raise
        settled: list[Future[None]] = []

        def settle(cost: int | None) -> None:
            if _holds(key) and not settled:
                settled.append(self._submit(Settlement(key.id, id, cost, Future())))

        try:
            yield settle
        except BusyError:
            settled.append(self._submit(Settlement(key.id, id, 0, Future(), turned_away=key.per_minute is not None)))
            await _over(id, settled)
            raise
        finally:
            settle(None)
        await _over(id, settled)

    def settle_abandoned(self) -> int:
        """Charge whole what processes that are gone still hold; returns for how many requests."""
        with told(self._engine.url), self._engine.connect() as connection:
            left = gone(connection, connection.execute(select(admissions.c.owner).distinct()).scalars())
            keys = connection.execute(select(admissions.c.key_id).where(admissions.c.owner.in_(left)).distinct()).scalars().all()
        if not keys:
            return 0
        with exclusive(self._engine) as connection:
            accounts = Accounts(connection, keys, self._clock())
            settled = accounts.abandon(left)
            accounts.write()
        return settled

    def close(self) -> None:
        """Decide what is waiting and end the thread."""
        self._groups.close()

    def _require(self, key: Key, ceiling: int | None) -> None:
        """Refuse what needs no look at the account."""
        budget = key.daily_nanodollars
        if budget is not None and ceiling is None:
            raise ForbiddenError(
                f"the price of this request is not known, and the key {key.name} has a daily budget",
                "ask a variant whose models all have a known price, or use a key without a budget",
            )
        if budget is not None and ceiling is not None and ceiling > budget:
            raise ForbiddenError(
                f"this request may cost {dollars(ceiling)}, and the key {key.name} may spend {dollars(budget)} a day",
                "ask something shorter or a cheaper variant, or use a key with a larger budget",
            )
        self.require_token(key)

    def _submit(self, entry: Admission | Settlement) -> Future[None]:
        self._groups.put(entry)
        return entry.decided

    def _decide(self, group: Sequence[Admission | Settlement]) -> None:
        entries = [entry for entry in group if entry.decided.set_running_or_notify_cancel()]
        try:
            refusals = patiently(partial(self._decision, entries))
        except Exception as error:  # noqa: BLE001 - it is raised where each decision is waited for
            for entry in entries:
                entry.decided.set_exception(error)
            return
        for entry in entries:
            refusal = refusals.get(entry.id)
            entry.decided.set_exception(refusal) if refusal else entry.decided.set_result(None)

    def _decision(self, entries: Sequence[Admission | Settlement]) -> dict[str, BusyError]:
        with exclusive(self._engine) as connection:
            return self._decided(connection, entries)

    def _decided(self, connection: Connection, entries: Sequence[Admission | Settlement]) -> dict[str, BusyError]:
        """Settle what is over, then admit what fits in; the refusals by the id of the request."""
        now = self._clock()
        accounts = Accounts(connection, {entry.key_id for entry in entries}, now)
        accounts.settle({entry.id: entry.cost for entry in entries if isinstance(entry, Settlement)})
        refusals: dict[str, BusyError] = {}
        for entry in entries:
            if isinstance(entry, Settlement) and entry.turned_away:
                accounts.of[entry.key_id].give_back()
                self._next_token.pop(entry.key_id, None)
        for entry in entries:
            if isinstance(entry, Admission):
                account = accounts.of[entry.key.id]
                if refusal := account.refusal(entry.key, entry.ceiling, now):
                    refusals[entry.id] = refusal
                else:
                    account.admit(entry.key, entry.ceiling, now)
                    if _holds(entry.key):
                        accounts.admit(account, entry.id, entry.ceiling)
                self._next_token[entry.key.id] = account.token_at(entry.key, now)
        accounts.write()
        return refusals


async def _over(id: str, settled: Sequence[Future[None]]) -> None:
    """Whoever asks one thing after another may reach another process next, which has to know that this one is over."""
    for decided in settled:
        try:
            await wrap_future(decided)
        except GroundwireError as error:
            # The answer was given: what is held for it expires, and is charged in full.
            logging.getLogger("groundwire").error("the end of request %s is not on its key's account: %s", id, error)


def _holds(key: Key) -> bool:
    """Whether anything is held for a request of the key until it is over."""
    return key.concurrent is not None or key.daily_nanodollars is not None
