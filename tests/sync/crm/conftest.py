from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.sync.crm.making import opened


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """An up-to-date central database: the test runs once on each kind."""
    with opened(database) as engine:
        yield engine
