"""An empty ledger."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from rag.ledger.database import connect


@pytest.fixture
def engine(ledger_url: str) -> Iterator[Engine]:
    opened = connect(ledger_url)
    yield opened
    opened.dispose()
