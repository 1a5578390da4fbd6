"""The ledger opens, and keeps what is there."""

import sys

import pytest
from sqlalchemy import text

from rag.errors import ConfigurationError
from rag.ledger.database import connect, opened


def test_opening_twice_keeps_what_is_there(ledger_url: str) -> None:
    with opened(ledger_url) as first, first.begin() as connection:
        connection.execute(text("INSERT INTO collections (name, embedder) VALUES ('kept', 'hash')"))
    with opened(ledger_url) as second, second.connect() as connection:
        assert connection.execute(text("SELECT name FROM collections")).scalar() == "kept"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("postgresql://ann:secret@host:port/db", "the URL of the ledger cannot be read"),
        ("secret", "the URL of the ledger cannot be read"),
        ("mysql://ann:secret@host/db", "the ledger cannot be kept in mysql"),
    ],
)
def test_a_url_of_no_ledger_is_refused_without_quoting_its_password(url: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        connect(url)
    assert refused.value.problem == problem
    assert "secret" not in str(refused.value)


def test_a_driver_that_is_missing_is_told_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r"psycopg, which is not installed: `pip install 'groundwire\[cluster\]'`"):
        connect("postgresql://ann:secret@host/db")
