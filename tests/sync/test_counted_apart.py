"""What is counted apart from visits, in the central store: staff, excluded crossings, groups."""

from collections.abc import Iterator

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from sync.events import decode
from sync.store.database import writing
from sync.store.store import CentralStore
from tests.sync.children import ROOT
from tests.sync.making import T0, Box, minute


@pytest.fixture
def store(database: str) -> Iterator[CentralStore]:
    with CentralStore(database, now=lambda: T0 + 1000) as opened:
        yield opened


def test_staff_exclusions_and_groups_are_read_beside_the_visits_and_are_no_visits(store: CentralStore) -> None:
    store.ingest([Box().send(minute(entered=5, staff_entered=2, staff_left=1, excluded=4, groups=3))])
    (row,) = store.footfall_minutes("s1", T0, T0 + 60)
    assert (row.entered, row.staff_entered, row.staff_left, row.excluded, row.groups) == (5, 2, 1, 4, 3)


def test_a_box_that_does_not_look_for_staff_says_nothing_and_never_zero(store: CentralStore) -> None:
    message = Box().send(minute())
    assert b"staff" not in message.payload
    assert decode(message.payload).data.staff_entered is None
    store.ingest([message])
    (row,) = store.footfall_minutes("s1", T0, T0 + 60)
    assert (row.staff_entered, row.staff_left, row.excluded, row.groups) == (None, None, None, None)


def test_the_parts_of_a_restarted_box_add_up(store: CentralStore) -> None:
    parts = (minute(staff_entered=2, groups=1), minute(staff_entered=1, groups=1), minute())
    store.ingest([Box().send(part) for part in parts])
    (row,) = store.footfall_minutes("s1", T0, T0 + 60)
    assert (row.entered, row.staff_entered, row.groups, row.excluded) == (3, 3, 2, None)


def test_a_higher_revision_replaces_what_was_counted_apart_too(store: CentralStore) -> None:
    box = Box()
    store.ingest([box.send(minute(entered=1, revision=1, excluded=2)), box.send(minute(entered=3, excluded=0))])
    (row,) = store.footfall_minutes("s1", T0, T0 + 60)
    assert (row.entered, row.excluded) == (1, 2)


def test_a_database_of_the_second_version_does_not_know_what_was_apart(database: str) -> None:
    engine = create_engine(database)
    config = Config()
    config.set_main_option("script_location", str(ROOT / "sync" / "store" / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        connection.execute(
            text(
                "INSERT INTO footfall_minute (store, minute, sensor, place, boot, revision, event, entered, "
                "\"left\", coverage) VALUES ('s1', :minute, 'camera-1', 'door', "
                "'0123456789abcdef0123456789abcdef', 0, '0123456789abcdef0123456789abcdef', 4, 1, 60.0)"
            ),
            {"minute": round(T0 * 1000)},
        )
    engine.dispose()
    with CentralStore(database, now=lambda: T0 + 1000) as store:
        (row,) = store.footfall_minutes("s1", T0, T0 + 60)
        assert (row.entered, row.staff_entered, row.groups) == (4, None, None)
