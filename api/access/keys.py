"""API keys: what each may use, and whose a secret is.

Knows the table of keys. Knows nothing of HTTP, nor of what a key has used up.
"""

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Row, insert, select, update

from api.problem import ForbiddenError
from rag.errors import NotFoundError
from rag.ledger.database import exclusive, told
from rag.ledger.schema import allowances, keys
from rag.types import Value

FRESH_SECONDS = 1.0
"""For so long what was read is believed: a key that is revoked anywhere is refused everywhere after it."""

REMEMBERED = 4096
"""Most secrets that are remembered at once, found and unknown ones together."""

T = TypeVar("T")


class Key(Value):
    """What a key may use; null where nothing is denied or limited."""

    id: str
    name: str
    collections: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    """Variants and rollouts, as requests name them."""
    admin: bool = False
    """Whether it sees the traces of all keys, and may change what is served."""
    per_minute: int | None = None
    concurrent: int | None = None
    daily_nanodollars: int | None = None
    """A day of UTC."""
    created_at: str
    """ISO 8601, UTC; so is `revoked_at`."""
    revoked_at: str | None = None

    def require(self, collection: str, model: str) -> None:
        """Raise `ForbiddenError` where the key may not use the collection, or the variant or rollout."""
        for kind, name, allowed in (("collection", collection, self.collections), ("model", model, self.models)):
            if allowed is not None and name not in allowed:
                raise ForbiddenError(
                    f"the key {self.name} may not use the {kind} {name}", f"it may use: {', '.join(allowed) or 'none'}"
                )


class Keys:
    """Makes, finds and revokes keys. A row is never deleted: it says for ever who was let in."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._recent: OrderedDict[str, tuple[float, Any]] = OrderedDict()
        self._reading = threading.Lock()

    def create(
        self,
        name: str,
        *,
        collections: tuple[str, ...] | None = None,
        models: tuple[str, ...] | None = None,
        admin: bool = False,
        per_minute: int | None = None,
        concurrent: int | None = None,
        daily_nanodollars: int | None = None,
    ) -> tuple[Key, str]:
        """A new key, and its secret, which is kept nowhere."""
        key = Key(
            id=secrets.token_hex(6),
            name=name,
            collections=collections,
            models=models,
            admin=admin,
            per_minute=per_minute,
            concurrent=concurrent,
            daily_nanodollars=daily_nanodollars,
            created_at=_now(),
        )
        secret = f"gw_{key.id}_{secrets.token_urlsafe(32)}"
        row = {"id": key.id, "created_at": key.created_at, "name": name, "sha256": _sha256(secret), "body": key.model_dump_json()}
        # The row that admissions lock. As if it were long unused: its bucket is full.
        unused = {"key_id": key.id, "day": "", "spent_nanodollars": 0, "tokens": 0.0, "refilled_at": 0.0}
        with exclusive(self.engine) as connection:
            connection.execute(insert(keys).values(row))
            connection.execute(insert(allowances).values(unused))
        return key, secret

    def all(self) -> list[Key]:
        """Oldest first, revoked ones too."""
        with told(self.engine.url), self.engine.connect() as connection:
            return [_key(row) for row in connection.execute(select(keys).order_by(keys.c.created_at, keys.c.id))]

    def revoke(self, id: str) -> Key:
        """Refuse the key from now on; one that was revoked before stays as it was. Raises `NotFoundError`."""
        with exclusive(self.engine) as connection:
            still = update(keys).where(keys.c.id == id, keys.c.revoked_at.is_(None))
            connection.execute(still.values(revoked_at=_now()))
            row = connection.execute(select(keys).where(keys.c.id == id)).one_or_none()
        if row is None:
            raise NotFoundError(f"no key has the id {id}", "`api keys list` shows what there is")
        return _key(row)

    def find(self, secret: str) -> Key | None:
        """The key of a secret; null where there is none, or it is revoked. At most a second old.

        It is looked up by its digest, so how long that takes tells nothing of how much of a secret is right.
        """
        digest = _sha256(secret)
        wanted = select(keys).where(keys.c.sha256 == digest, keys.c.revoked_at.is_(None))

        def read(connection: Connection) -> Key | None:
            row = connection.execute(wanted).one_or_none()
            return _key(row) if row else None

        return self._recall(digest, read)

    def any(self) -> bool:
        """Whether a key was ever created: a server whose keys are all revoked is not open. At most a second old."""
        return self._recall("", lambda connection: connection.execute(select(keys.c.id).limit(1)).first() is not None)

    def fresh(self, secret: str | None) -> bool:
        """Whether `find(secret)`, or `any()` where it is null, is answered from memory: an event loop may ask then."""
        return self._remembered("" if secret is None else _sha256(secret)) is not None

    def _remembered(self, name: str) -> tuple[float, Any] | None:
        entry = self._recent.get(name)
        return entry if entry and time.monotonic() < entry[0] else None

    def _recall(self, name: str, read: Callable[[Connection], T]) -> T:
        entry = self._remembered(name)
        if entry is None:
            # Requests that come while one reads wait for what it finds.
            with self._reading:
                entry = self._remembered(name) or self._read(name, read)
        found: T = entry[1]
        return found

    def _read(self, name: str, read: Callable[[Connection], Any]) -> tuple[float, Any]:
        until = time.monotonic() + FRESH_SECONDS
        with told(self.engine.url), self.engine.connect() as connection:
            self._recent[name] = entry = (until, read(connection))
        self._recent.move_to_end(name)
        if len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)
        return entry


def _key(row: Row[Any]) -> Key:
    return Key.model_validate_json(row.body).model_copy(update={"revoked_at": row.revoked_at})


def _sha256(secret: str) -> str:
    """What is kept of a secret. Its 256 random bits cannot be guessed, so a plain digest hides it: salt and a slow hash are for passwords."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
