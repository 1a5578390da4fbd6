"""API keys: what each may use, and which key a secret belongs to.

Knows the table of keys. Knows nothing of HTTP, or of what a key has used.
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
from rag.ledger.database import exclusive
from rag.ledger.failures import translated
from rag.ledger.schema import allowances, keys
from rag.types import Value

FRESH_SECONDS = 1.0
"""How long a cached key is used: a key that is revoked anywhere is refused everywhere after this time."""

CACHE_SIZE = 4096
"""The most secrets in the cache, known and unknown ones together."""

T = TypeVar("T")


class Key(Value):
    """What a key may use; null in a field means no restriction."""

    id: str
    name: str
    collections: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    """Names of variants and rollouts."""
    admin: bool = False
    """Whether the key may see the traces of all keys, and all pages."""
    per_minute: int | None = None
    concurrent: int | None = None
    daily_nanodollars: int | None = None
    """The budget of a UTC day."""
    created_at: str
    """ISO 8601, UTC, as is `revoked_at`."""
    revoked_at: str | None = None

    def require(self, collection: str, model: str) -> None:
        """Raise `ForbiddenError` if the key may not use the collection, or the variant or rollout."""
        for kind, name, allowed in (("collection", collection, self.collections), ("model", model, self.models)):
            if allowed is not None and name not in allowed:
                raise ForbiddenError(
                    f"the key {self.name} may not use the {kind} {name}", f"it may use: {', '.join(allowed) or 'none'}"
                )


class Keys:
    """Creates, finds and revokes keys. Rows are never deleted, so that the keys of old traces stay known."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._cache: OrderedDict[str, tuple[float, Any]] = OrderedDict()
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
        """A new key and its secret, which is not stored."""
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
        # Admissions lock this row. Refilled in 1970, the token bucket is full.
        unused = {"key_id": key.id, "day": "", "spent_nanodollars": 0, "tokens": 0.0, "refilled_at": 0.0}
        with exclusive(self.engine) as connection:
            connection.execute(insert(keys).values(row))
            connection.execute(insert(allowances).values(unused))
        return key, secret

    def all(self) -> list[Key]:
        """All keys, also revoked ones, oldest first."""
        with translated(self.engine.url), self.engine.connect() as connection:
            return [_key(row) for row in connection.execute(select(keys).order_by(keys.c.created_at, keys.c.id))]

    def revoke(self, id: str) -> Key:
        """Revoke the key; one that is revoked already keeps its time. Raises `NotFoundError`."""
        with exclusive(self.engine) as connection:
            still = update(keys).where(keys.c.id == id, keys.c.revoked_at.is_(None))
            connection.execute(still.values(revoked_at=_now()))
            row = connection.execute(select(keys).where(keys.c.id == id)).one_or_none()
        if row is None:
            raise NotFoundError(f"no key has the id {id}", "`api keys list` shows what there is")
        return _key(row)

    def find(self, secret: str) -> Key | None:
        """The key of a secret; null if there is none or it is revoked. The result may be `FRESH_SECONDS` old.

        Keys are found by the digest of the secret, so that timing reveals nothing about the secret.
        """
        digest = _sha256(secret)
        wanted = select(keys).where(keys.c.sha256 == digest, keys.c.revoked_at.is_(None))

        def read(connection: Connection) -> Key | None:
            row = connection.execute(wanted).one_or_none()
            return _key(row) if row else None

        return self._cached_or_read(digest, read)

    def any(self) -> bool:
        """Whether a key was ever created. A server whose keys are all revoked still asks for one. May be `FRESH_SECONDS` old."""
        return self._cached_or_read("", lambda connection: connection.execute(select(keys.c.id).limit(1)).first() is not None)

    def fresh(self, secret: str | None) -> bool:
        """Whether `find(secret)`, or `any()` if it is null, is answered from the cache and may be called on an event loop."""
        return self._cached("" if secret is None else _sha256(secret)) is not None

    def _cached(self, name: str) -> tuple[float, Any] | None:
        entry = self._cache.get(name)
        return entry if entry and time.monotonic() < entry[0] else None

    def _cached_or_read(self, name: str, read: Callable[[Connection], T]) -> T:
        entry = self._cached(name)
        if entry is None:
            # Concurrent requests wait for one query, and share its result.
            with self._reading:
                entry = self._cached(name) or self._read(name, read)
        found: T = entry[1]
        return found

    def _read(self, name: str, read: Callable[[Connection], Any]) -> tuple[float, Any]:
        until = time.monotonic() + FRESH_SECONDS
        with translated(self.engine.url), self.engine.connect() as connection:
            self._cache[name] = entry = (until, read(connection))
        self._cache.move_to_end(name)
        if len(self._cache) > CACHE_SIZE:
            self._cache.popitem(last=False)
        return entry


def _key(row: Row[Any]) -> Key:
    return Key.model_validate_json(row.body).model_copy(update={"revoked_at": row.revoked_at})


def _sha256(secret: str) -> str:
    """The stored digest of a secret. Its 256 random bits cannot be guessed, so that it needs no salt or slow hash, unlike passwords."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
