"""An empty ledger."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from rag.ledger.database import connect


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = connect(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield opened
    opened.dispose()
