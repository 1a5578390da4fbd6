"""Keys: shown once, found by their secret alone, revoked everywhere within a second, never forgotten."""

import re
import time

import pytest
from sqlalchemy import Engine, event, inspect, select, text

from api.access import keys as module
from api.access.keys import Key, Keys
from api.problem import ForbiddenError
from rag.errors import NotFoundError
from rag.ledger.schema import keys as table


@pytest.fixture
def keys(engine: Engine) -> Keys:
    return Keys(engine)


def test_a_secret_finds_its_key_and_nothing_else_does(keys: Keys) -> None:
    made = keys.create("website", collections=("guide",), models=("default",), admin=True, per_minute=1, concurrent=2)
    key, secret = made
    other, _ = keys.create("other", daily_nanodollars=3)
    assert re.fullmatch(rf"gw_{key.id}_[\w-]{{43}}", secret)
    assert keys.find(secret) == key
    assert keys.all() == [key, other]
    for wrong in ("", "gw_", secret[:-1], secret + "=", secret.upper(), f"gw_{key.id}_", key.id):
        assert keys.find(wrong) is None, wrong


def test_no_secret_is_kept(keys: Keys, engine: Engine) -> None:
    _, secret = keys.create("website")
    hidden = secret.rpartition("_")[2] if secret.count("_") == 2 else secret.split("_", 2)[2]
    with engine.connect() as connection:
        rows = [
            str(row) for name in inspect(engine).get_table_names() for row in connection.execute(text(f"SELECT * FROM {name}"))
        ]
    assert not any(hidden in row for row in rows)


def test_revoking_is_idempotent_and_keeps_the_row(keys: Keys) -> None:
    key, secret = keys.create("website")
    revoked = keys.revoke(key.id)
    time.sleep(0.002)
    assert keys.revoke(key.id) == revoked
    assert revoked == key.model_copy(update={"revoked_at": revoked.revoked_at})
    assert revoked.revoked_at is not None
    assert keys.all() == [revoked]
    assert keys.find(secret) is None
    with pytest.raises(NotFoundError, match="no key has the id nope: `api keys list`"):
        keys.revoke("nope")


def test_a_revocation_by_another_process_holds_within_a_second(keys: Keys, engine: Engine) -> None:
    key, secret = keys.create("website")
    assert keys.find(secret) == key
    Keys(engine).revoke(key.id)
    revoked = time.monotonic()
    while (asked := time.monotonic()) and keys.find(secret):
        assert asked < revoked + 1.0
        time.sleep(0.01)


def test_a_new_key_is_known_within_a_second_though_it_was_refused(keys: Keys, engine: Engine) -> None:
    assert not keys.any()
    key, secret = Keys(engine).create("website")
    made = time.monotonic()
    while (asked := time.monotonic()) and not keys.any():
        assert asked < made + 1.0
        time.sleep(0.01)
    assert keys.find(secret) == key


def test_a_server_whose_keys_are_all_revoked_is_not_open(keys: Keys) -> None:
    key, _ = keys.create("website")
    keys.revoke(key.id)
    assert keys.any()


def test_the_database_is_asked_once_a_second_and_the_memory_is_bounded(
    keys: Keys, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CACHE_SIZE", 10)
    monkeypatch.setattr(module, "FRESH_SECONDS", 60.0)
    _, secret = keys.create("website")
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    assert not keys.fresh(secret)
    assert len({keys.find(secret) for _ in range(5)} - {None}) == 1
    assert keys.fresh(secret)
    assert len(asked) == 1
    for number in range(50):
        keys.find(f"gw_{number}")
        keys.find(f"gw_{number}")
    assert len(asked) == 51
    assert len(keys._cache) == 10
    assert keys.fresh("gw_49")
    assert not keys.fresh(secret)


def test_a_scope_denies_what_it_does_not_name(keys: Keys) -> None:
    key, _ = keys.create("website", collections=("guide", "shop"), models=("canary",))
    key.require("guide", "canary")
    key.require("shop", "canary")
    with pytest.raises(ForbiddenError, match="the key website may not use the collection private: it may use: guide, shop"):
        key.require("private", "canary")
    with pytest.raises(ForbiddenError, match="may not use the model default: it may use: canary"):
        key.require("guide", "default")
    free, _ = keys.create("free")
    free.require("private", "anything")


def test_what_is_kept_can_be_read_by_its_columns(keys: Keys, engine: Engine) -> None:
    key, _ = keys.create("website")
    with engine.connect() as connection:
        row = connection.execute(select(table)).one()
    assert (row.id, row.name, row.created_at, row.revoked_at) == (key.id, "website", key.created_at, None)
    assert Key.model_validate_json(row.body) == key
