from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dashboard.api.calling import Centre, centre


@pytest.fixture
def made(database: str, tmp_path: Path) -> Iterator[Centre]:
    """The centre with an account of every role: the test runs once on each kind of database."""
    with centre(database, tmp_path) as made:
        yield made
