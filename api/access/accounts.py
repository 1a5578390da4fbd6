"""The accounts of some keys, locked within one transaction.

Knows the tables of allowances and admissions. Knows no rule, nor which processes live.
"""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, select, update

from api.access.account import Account, day_of
from rag.ledger.database import insert_or_ignore
from rag.ledger.schema import admissions, allowances
from rag.process import OWNER

LIFETIME_SECONDS = 600.0
"""An older admission counts as abandoned, even if its process lives."""


class Accounts:
    """Accounts that are locked until the transaction ends. Opening them charges expired admissions in full."""

    def __init__(self, connection: Connection, keys: Collection[str], now: float) -> None:
        self._connection = connection
        self._now = now
        # All processes lock in the same order, so that no deadlock arises.
        locking = select(allowances).where(allowances.c.key_id.in_(keys)).order_by(allowances.c.key_id).with_for_update()
        rows = connection.execute(locking).all()
        self._before = {row.key_id: row._asdict() for row in rows}
        self.of = {row.key_id: Account(*row) for row in rows}
        """The accounts by the id of their key."""
        self._admitted: list[dict[str, Any]] = []
        for account in self.of.values():
            account.correct(now)
            account.begin(day_of(now))
        self._add_held()

    def settle(self, costs: Mapping[str, int | None]) -> None:
        """End admissions by id, and charge each its cost, or its ceiling if the cost is null. Missing ones were charged before."""
        if costs:
            for row in self._ended(admissions.c.id.in_(costs)):
                account, cost = self.of[row.key_id], costs[row.id]
                account.hold(row.day, -1, -row.reserved_nanodollars)
                account.charge(row.day, row.reserved_nanodollars if cost is None else cost)

    def abandon(self, owners: Collection[str]) -> int:
        """End the admissions of these processes, and charge their ceilings. Returns the number of admissions."""
        left = self._ended(admissions.c.key_id.in_(self.of) & admissions.c.owner.in_(owners))
        for row in left:
            self.of[row.key_id].hold(row.day, -1, -row.reserved_nanodollars)
            self.of[row.key_id].charge(row.day, row.reserved_nanodollars)
        return len(left)

    def admit(self, account: Account, id: str, ceiling: int) -> None:
        """Store the admission of a request with `write`."""
        self._admitted.append(
            {
                "id": id,
                "key_id": account.key_id,
                "owner": OWNER,
                "day": account.day,
                "expires_at": self._now + LIFETIME_SECONDS,
                "reserved_nanodollars": ceiling,
            }
        )

    def write(self) -> None:
        """Write all changes."""
        if self._admitted:
            # The rows exist already if an earlier commit succeeded, but its confirmation was lost.
            self._connection.execute(insert_or_ignore(self._connection, admissions), self._admitted)
        rows = {account.key_id: _row(account) for account in self.of.values()}
        changed = [{**row, "key": key} for key, row in rows.items() if row != self._before[key]]
        if changed:
            self._connection.execute(update(allowances).where(allowances.c.key_id == bindparam("key")), changed)

    def _add_held(self) -> None:
        of_ours, late = admissions.c.key_id.in_(self.of), admissions.c.expires_at <= self._now
        reserved, first = func.sum(admissions.c.reserved_nanodollars), func.min(admissions.c.expires_at)
        by = (admissions.c.key_id, admissions.c.day)
        held = self._connection.execute(select(*by, func.count(), reserved, first).where(of_ours).group_by(*by)).all()
        if any(expires_at <= self._now for *_, expires_at in held):
            for row in self._ended(of_ours & late):
                self.of[row.key_id].charge(row.day, row.reserved_nanodollars)
            self._add_held()
            return
        for key, day, requests, nanodollars, _ in held:
            self.of[key].hold(day, requests, int(nanodollars))

    def _ended(self, which: ColumnElement[bool]) -> list[Any]:
        return list(self._connection.execute(delete(admissions).where(which).returning(admissions)).all())


def _row(account: Account) -> dict[str, Any]:
    return {
        "key_id": account.key_id,
        "day": account.day,
        "spent_nanodollars": account.spent,
        "tokens": account.tokens,
        "refilled_at": account.refilled_at,
    }
