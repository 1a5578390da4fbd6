"""The limits of a key: requests per minute, requests at once, money per day. All processes of a ledger share them.

Knows when a request is admitted and settled. Knows nothing of what a request does.
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
from rag.ledger.batch_queue import BatchQueue
from rag.ledger.database import exclusive
from rag.ledger.failures import retried, translated
from rag.ledger.processes import dead_among
from rag.ledger.schema import admissions
from rag.trace import dollars

Settle = Callable[[int | None], None]
"""Reports the cost of an admitted request in nano-dollars; null if it is not known."""


class Admission(NamedTuple):
    """A request that waits for its admission."""

    key: Key
    id: str
    ceiling: int
    decided: Future[None]

    @property
    def key_id(self) -> str:
        """The key whose account decides."""
        return self.key.id


class Settlement(NamedTuple):
    """The end of an admitted request."""

    key_id: str
    id: str
    cost: int | None
    decided: Future[None]
    turned_away: bool = False
    """Whether the request was refused after its admission, so that its token is returned."""


class Allowances:
    """Admits requests in the order they arrive, in a thread of its own. Requests that arrive during a commit share the next one.

    `clock` returns seconds since 1970.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock
        self._groups: BatchQueue[Admission | Settlement] = BatchQueue(self._decide, "allowances")
        self._next_token: dict[str, float] = {}
        """When a key without a token gets one; until then its requests are refused without a query."""

    def require_token(self, key: Key) -> None:
        """Raise `BusyError` if it is known, without a query, that the key has no token yet.

        A wait for longer than a token takes was told by a clock that was set back since: then the account is asked.
        """
        wait = self._next_token.get(key.id, 0.0) - self._clock()
        if key.per_minute is not None and 0 < wait <= 60 / key.per_minute:
            raise too_many(key, wait)

    @asynccontextmanager
    async def admitted(self, key: Key, id: str, ceiling: int | None) -> AsyncIterator[Settle]:
        """Reserve `ceiling` nano-dollars of the key's budget, and count the request as in flight, until the block ends.

        Yields a function that takes the request's cost. If it is not called, or the cost is null, the ceiling is charged.
        Raises `BusyError` if the request has to wait, and `ForbiddenError` if it can never be admitted. A `BusyError` raised
        within the block undoes the admission.
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
            # The request may have been admitted nevertheless.
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
            await _wait_until_settled(id, settled)
            raise
        finally:
            settle(None)
        await _wait_until_settled(id, settled)

    def settle_abandoned(self) -> int:
        """Charge the ceilings of requests whose process has died. Returns the number of requests."""
        with translated(self._engine.url), self._engine.connect() as connection:
            left = dead_among(connection, connection.execute(select(admissions.c.owner).distinct()).scalars())
            keys = connection.execute(select(admissions.c.key_id).where(admissions.c.owner.in_(left)).distinct()).scalars().all()
        if not keys:
            return 0
        with exclusive(self._engine) as connection:
            accounts = Accounts(connection, keys, self._clock())
            settled = accounts.abandon(left)
            accounts.write()
        return settled

    def close(self) -> None:
        """Decide the waiting requests, and end the thread."""
        self._groups.close()

    def _require(self, key: Key, ceiling: int | None) -> None:
        """Refuse what can be refused without a query."""
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
            refusals = retried(partial(self._decision, entries))
        except Exception as error:  # noqa: BLE001 - whoever waits for a decision raises it
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
        """Settle ended requests, then admit new ones. Returns the refusals by the id of the request."""
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


async def _wait_until_settled(id: str, settled: Sequence[Future[None]]) -> None:
    """The client's next request may reach another process, whose account must not count this request any more."""
    for decided in settled:
        try:
            await wrap_future(decided)
        except GroundwireError as error:
            # The answer was given already. The admission expires, and its ceiling is charged.
            logging.getLogger("groundwire").error("the end of request %s is not on its key's account: %s", id, error)


def _holds(key: Key) -> bool:
    """Whether requests of the key have admissions, which end with them."""
    return key.concurrent is not None or key.daily_nanodollars is not None
