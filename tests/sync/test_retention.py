"""PRIVACY rule 13: what tells of a person leaves the centre on its day, and totals stay."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from sync.config import RetentionConfig
from sync.events import Event, Response, TryOn
from sync.store.incoming import Incoming
from sync.store.retention import BATCH_ROWS, Retention
from sync.store.store import CentralStore
from tests.sync.making import T0, Box, arrival, minute, tryon, visit

DAY = 86400.0


@pytest.fixture
def store(database: str) -> Iterator[CentralStore]:
    with CentralStore(database, now=lambda: T0 + 60) as opened:
        yield opened


def tidied(store: CentralStore, days: float, config: RetentionConfig | None = None) -> dict[str, int]:
    return Retention(store.engine, config or RetentionConfig(), lambda: T0 + days * DAY).tidy()


def kinds(store: CentralStore) -> set[str]:
    return {document["type"].split(".")[1] for document in store.events_after("s1", 0, 10_000)}


def tapped() -> Event:
    said = Response(arrival=uuid4(), member="M-1234", action="confirm", guide="g-1")
    return Event.new("tablet", T0, said)


def test_rule_13_arrivals_leave_after_90_days_and_try_ons_after_30(store: CentralStore) -> None:
    box = Box()
    store.ingest([box.send(event) for event in (arrival(), tapped(), tryon(), visit(), minute(entered=3))])
    assert tidied(store, 29.9) == {}
    assert tidied(store, 30.1) == {TryOn.TYPE: 1}
    assert tidied(store, 89.9) == {}
    assert kinds(store) == {"arrival", "response", "visit", "footfall"}
    assert tidied(store, 90.1) == {"yingke.arrival.v1": 1, "yingke.response.v1": 1}
    assert kinds(store) == {"visit", "footfall"}


def test_rule_13_the_totals_of_what_was_tried_and_counted_stay(store: CentralStore) -> None:
    box = Box()
    store.ingest([box.send(event) for event in (tryon(), tryon(), minute(entered=3))])
    before = store.tryons("s1", T0 - 3600, T0 + 3600)
    assert tidied(store, 400) == {TryOn.TYPE: 2}
    assert store.tryons("s1", T0 - 3600, T0 + 3600) == before
    assert sum(row.entered for row in store.footfall_minutes("s1", T0, T0 + 60)) == 3


def test_a_day_that_lies_in_the_future_by_a_wrong_clock_keeps_nobody_for_longer(store: CentralStore) -> None:
    store.ingest([Box().send(arrival(T0 + 3650 * DAY))])
    assert tidied(store, 90.1) == {"yingke.arrival.v1": 1}


def test_what_came_in_today_stays_for_a_day_however_old_it_says_it_is(store: CentralStore) -> None:
    store.ingest([Box().send(arrival(T0 - 3650 * DAY))])
    assert tidied(store, 0.9) == {}
    assert tidied(store, 1.1) == {"yingke.arrival.v1": 1}


def test_more_than_a_batch_goes_in_one_call_and_nothing_else_with_it(store: CentralStore) -> None:
    box = Box()
    for _ in range(3):
        store.ingest([box.send(arrival()) for _ in range(BATCH_ROWS // 2)])
    store.ingest([box.send(arrival(T0 + 50 * DAY))])
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE event SET received = :now WHERE time > :then"),
                           {"now": round((T0 + 50 * DAY) * 1000), "then": round((T0 + 1) * 1000)})  # fmt: skip
    assert tidied(store, 91) == {"yingke.arrival.v1": 3 * (BATCH_ROWS // 2)}
    assert len(store.events_after("s1", 0, 10)) == 1


def test_what_was_no_event_leaves_too_whatever_it_held(store: CentralStore) -> None:
    store.ingest([Incoming("yingke/v1/s1/events/visit", b'{"name": "Anna"}')])
    assert len(store.dead_letters(10)) == 1
    assert tidied(store, 91) == {"dead_letter": 1}
    assert store.dead_letters(10) == []


def test_what_left_is_not_in_the_file_any_more(tmp_path: Path) -> None:
    path = tmp_path / "centre.db"
    with CentralStore(f"sqlite:///{path}", now=lambda: T0) as store:
        store.ingest([Box().send(arrival()), Box().send(visit())])
        assert tidied(store, 91) == {"yingke.arrival.v1": 1}
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    assert b"M-1234" not in path.read_bytes()


def test_the_service_tidies_at_once_and_stops_when_told(store: CentralStore) -> None:
    store.ingest([Box().send(arrival())])
    stop = threading.Event()
    stop.set()
    Retention(store.engine, RetentionConfig(), lambda: T0 + 91 * DAY).run(stop)
    assert store.events_after("s1", 0, 10) == []


@pytest.mark.parametrize("days", [0, 13, 4000])
def test_less_than_two_weeks_is_refused_because_a_box_may_still_send_again(days: int) -> None:
    with pytest.raises(ValueError, match="arrival_days"):
        RetentionConfig(arrival_days=days)
