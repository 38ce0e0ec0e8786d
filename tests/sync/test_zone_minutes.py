"""Minutes of zones in the central store: apart from those of lines, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from typing import Literal

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from sync.events import Event, FootfallMinute, decode, utc
from sync.store.database import writing
from sync.store.store import CentralStore
from tests.sync.children import ROOT
from tests.sync.making import T0, Box, minute


@pytest.fixture
def store(database: str) -> Iterator[CentralStore]:
    with CentralStore(database, now=lambda: T0 + 1000) as opened:
        yield opened


def zone(
    occupancy: float | None, coverage: float = 60.0, entered: int = 1, kind: Literal["line", "zone"] = "zone"
) -> Event:
    data = FootfallMinute(
        minute=utc(T0),
        place="fitting",
        entered=entered,
        left=0,
        coverage=coverage,
        revision=0,
        occupancy=occupancy,
        kind=kind,
    )
    return Event.new("camera-1", T0 + 60, data)


def test_the_minutes_of_a_zone_are_read_apart_from_those_of_the_lines(store: CentralStore) -> None:
    box = Box()
    store.ingest([box.send(minute(entered=2)), box.send(zone(1.5, entered=7))])
    assert [(row.place, row.entered, row.occupancy) for row in store.footfall_minutes("s1", T0, T0 + 60)] == [
        ("door", 2, None)
    ]
    (row,) = store.footfall_minutes("s1", T0, T0 + 60, "zone")
    assert (row.place, row.entered, row.occupancy) == ("fitting", 7, 1.5)
    assert store.places("s1", T0, T0 + 60) == ["door"]
    assert store.places("s1", T0, T0 + 60, "zone") == ["fitting"]


def test_the_occupancy_of_a_minute_with_a_restart_is_the_mean_over_what_was_observed(store: CentralStore) -> None:
    parts = (zone(3.0, 40.0), zone(0.0, 10.0), zone(None, 0.0))
    store.ingest([Box().send(part) for part in parts])
    (row,) = store.footfall_minutes("s1", T0, T0 + 60, "zone")
    assert row.coverage == 50.0
    assert row.occupancy == pytest.approx(2.4)


def test_a_minute_that_nobody_observed_has_no_occupancy(store: CentralStore) -> None:
    store.ingest([Box().send(zone(None, 0.0, 0))])
    assert [row.occupancy for row in store.footfall_minutes("s1", T0, T0 + 60, "zone")] == [None]


def test_a_minute_that_does_not_say_its_kind_is_of_a_line() -> None:
    message = Box().send(minute())
    assert b'"kind"' not in message.payload
    assert decode(message.payload).data.kind is None


def test_a_minute_that_says_it_is_of_a_line_is_of_a_line(store: CentralStore) -> None:
    store.ingest([Box().send(zone(None, kind="line"))])
    assert store.places("s1", T0, T0 + 60) == ["fitting"]


def test_a_database_of_the_first_version_keeps_its_minutes_as_those_of_lines(database: str) -> None:
    # Made with the first revision alone, and a row as that version wrote it.
    engine = create_engine(database)
    config = Config()
    config.set_main_option("script_location", str(ROOT / "sync" / "store" / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
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
        assert [row.entered for row in store.footfall_minutes("s1", T0, T0 + 60)] == [4]
        assert store.footfall_minutes("s1", T0, T0 + 60, "zone") == []
        store.ingest([Box().send(zone(2.0))])
        assert store.places("s1", T0, T0 + 60, "zone") == ["fitting"]
