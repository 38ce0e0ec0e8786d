"""The central store, on SQLite and on PostgreSQL: exactly once, in any order; dead letters; reads."""

import random
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text

import sync.accounts.tables  # adds its tables to the metadata
import sync.crm.tables  # noqa: F401  # adds its tables to the metadata
from sync.config import MAX_EVENT_BYTES, IngestConfig
from sync.delivery import Floor
from sync.events import FootfallMinute, utc
from sync.store.database import StoreError, open_engine
from sync.store.incoming import Incoming
from sync.store.store import CentralStore
from sync.store.tables import metadata
from tests.sync.making import T0, Box, any_event, arrival, devices, health, minute, tryon, visit
from tests.sync.recompute import rollups_of, stored_rollups


@pytest.fixture
def store(database: str) -> Iterator[CentralStore]:
    with CentralStore(database, now=lambda: T0 + 1000) as opened:
        yield opened


def test_an_event_is_stored_once_however_often_it_comes(store: CentralStore) -> None:
    message = Box().send(minute(entered=3))
    first = store.ingest([message, message])
    again = store.ingest([message])
    assert (first.stored, first.duplicates) == (1, 1)
    assert (again.stored, again.duplicates) == (0, 1)
    assert [row.entered for row in store.footfall_minutes("s1", T0, T0 + 60)] == [3]
    assert again.acks == first.acks


def test_of_a_batch_that_mixes_old_and_new_exactly_the_new_is_counted(store: CentralStore) -> None:
    one, two = Box(), Box("s2")
    old = [box.send(minute(number, 1)) for box in (one, two) for number in range(5)]
    new = [box.send(minute(number, 1)) for box in (one, two) for number in range(5, 8)]
    store.ingest(old)
    mixed = [*new[:2], *old, *new[2:]]
    result = store.ingest(mixed)
    assert (result.stored, result.duplicates) == (6, 10)
    for name in ("s1", "s2"):
        assert sum(row.entered for row in store.footfall_minutes(name, T0, T0 + 600)) == 8
        assert len(store.events_after(name, 0, 100)) == 8
    assert stored_rollups(store._engine) == rollups_of(store._engine)["rollups"]


def test_a_position_that_is_taken_loses_no_event(store: CentralStore) -> None:
    box = Box()
    store.ingest([box.send(visit()), box.send(visit())])
    with open_engine_of(store).begin() as connection:
        connection.execute(text("UPDATE store SET position = 1"))
    result = store.ingest([box.send(visit())])
    # Kept with its reason, where it can be replayed, instead of dropped as if it were known.
    assert (result.stored, result.duplicates, result.dead) == (0, 0, 1)


def test_the_ack_names_the_highest_number_below_which_nothing_is_missing(store: CentralStore) -> None:
    box = Box()
    one, two, three, four, five = (box.send(visit()) for _ in range(5))
    through = [store.ingest(batch).acks[0][1].through for batch in ([two], [five, four], [one], [one], [three])]
    assert through == [0, 0, 2, 2, 5]
    assert store.outboxes("s1")[0].ahead == 0


def test_two_boxes_of_a_store_are_counted_apart(store: CentralStore) -> None:
    old, new = Box(), Box()
    acks = store.ingest([old.send(visit()), old.send(visit()), new.send(visit())]).acks
    assert {ack.outbox: ack.through for _, ack in acks} == {old.id: 2, new.id: 1}


def test_a_store_that_speaks_for_another_is_not_believed(store: CentralStore) -> None:
    event = Box("s2").send(visit())
    result = store.ingest([Incoming("yingke/v1/s1/events/visit", event.payload)])
    assert (result.stored, result.dead) == (0, 1)
    assert store.dead_letters()[0].reason == "store_mismatch"
    assert store.latest_events("s2", 9) == []
    assert store.outboxes("s2") == []
    # Its number counts as held for who sent it: that box can then go on.
    assert [(name, ack.through) for name, ack in result.acks] == [("s1", 1)]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not JSON: JSONDecodeError"),
        (b"\xff\xfe", "not JSON: JSONDecodeError"),
        (b"[" * 100_000, "oversized"),
        (b"[" * 60_000, "not JSON: RecursionError"),
        (b"{}", "unknown type: none"),
        (b'{"type":"yingke.visit.v9"}', "unknown type: yingke.visit.v9"),
        (b'{"a":"\\ud800","type":"yingke.visit.v1"}', "event: json_invalid"),
        (b"9" * 5000, "not JSON: ValueError"),
    ],
)
def test_what_is_no_event_is_kept_with_its_reason(store: CentralStore, payload: bytes, reason: str) -> None:
    message = Incoming("yingke/v1/s1/events/visit", payload)
    assert store.ingest([message, message]).dead == 1
    assert store.ingest([message]).stored == 0
    (letter,) = store.dead_letters()
    assert letter.size == len(payload)
    assert len(letter.payload) <= MAX_EVENT_BYTES
    assert letter.reason == reason


def test_the_name_of_an_unknown_field_is_not_repeated_in_the_reason(store: CentralStore) -> None:
    payload = Box().send(visit()).payload[:-1] + b',"13800138000":1}'
    store.ingest([Incoming("yingke/v1/s1/events/visit", payload)])
    assert store.dead_letters()[0].reason == "a field that the contract does not have"


def test_nothing_waits_behind_a_poison_message(store: CentralStore) -> None:
    box = Box()
    good = box.send(visit())
    poison = Incoming(good.topic, box.send(visit()).payload.replace(b'"door"', b'"D O"'))
    result = store.ingest([good, poison, box.send(visit())])
    assert (result.stored, result.dead, result.acks[0][1].through) == (2, 1, 3)


@pytest.mark.parametrize("moment", [b"0001-01-01T00:00:00+10:00", b"9999-12-31T23:59:59-10:00"])
def test_a_time_that_utc_cannot_hold_is_a_dead_letter(store: CentralStore, moment: bytes) -> None:
    box = Box()
    good, other = box.send(visit()), box.send(visit())
    poison = Incoming(other.topic, re.sub(rb'"time":"[^"]*"', b'"time":"%s"' % moment, other.payload))
    result = store.ingest([good, poison])
    assert (result.stored, result.dead, result.acks[0][1].through) == (1, 1, 2)
    assert store.dead_letters()[0].reason == "time: value_error"


def test_an_event_that_only_the_database_refuses_is_a_dead_letter_and_the_rest_is_stored(store: CentralStore) -> None:
    # Whatever the reason is, here a rule that the operator added: it must not hold up the others.
    rule = (
        "CREATE TRIGGER t BEFORE INSERT ON footfall_minute WHEN NEW.entered > 98 BEGIN SELECT RAISE(ABORT, 'x'); END"
        if store._engine.dialect.name == "sqlite"
        else "ALTER TABLE footfall_minute ADD CONSTRAINT few CHECK (entered < 99)"
    )
    with store._engine.begin() as connection:
        connection.execute(text(rule))
    box = Box()
    impossible = box.send(FootfallMinute(minute=utc(T0), place="x", entered=99, left=0, coverage=1, revision=0))
    batch = [box.send(visit()), impossible, box.send(visit()), box.send(visit())]
    result = store.ingest(batch)
    assert (result.stored, result.dead, result.acks[0][1].through) == (3, 1, 4)
    assert store.dead_letters()[0].reason.startswith("database: ")


def test_a_message_of_which_not_all_bytes_are_kept_does_not_count_as_held(store: CentralStore) -> None:
    box = Box()
    huge = box.send(visit()).payload + b" " * MAX_EVENT_BYTES
    assert store.ingest([Incoming("yingke/v1/s1/events/visit", huge)]).acks == ()


def test_dead_letters_over_the_bound_are_refused_and_do_not_count_as_held(database: str) -> None:
    box = Box()
    bad = [Incoming("yingke/v1/s1/events/visit", box.send(visit()).payload.replace(b"door", b"D O")) for _ in range(5)]
    with CentralStore(database, IngestConfig(max_dead_letters=3)) as store:
        result = store.ingest(bad)
        assert (result.dead, result.refused) == (3, 2)
        assert len(store.dead_letters()) == 3
        assert store.ingest(bad).refused == 2
        assert store.outboxes("s1")[0].ahead + store.outboxes("s1")[0].through == 3


def test_dead_letters_that_became_events_are_replayed_once(store: CentralStore) -> None:
    box = Box()
    good = box.send(tryon())
    # As if an older centre had not known the type: the bytes are those of a good event.
    with open_engine_of(store).begin() as connection:
        connection.execute(
            text("INSERT INTO dead_letter VALUES ('s1', :digest, 'unknown type', :topic, :payload, :size, 1)"),
            {"digest": b"x" * 16, "topic": good.topic, "payload": good.payload, "size": len(good.payload)},
        )
    store.ingest([Incoming(good.topic, b"still bad")])
    result = store.replay_dead_letters()
    assert (result.stored, result.acks[0][1].through) == (1, 1)
    assert [letter.reason for letter in store.dead_letters()] == ["not JSON: JSONDecodeError"]
    assert store.tryon_count("s1", T0 - 3600, T0 + 3600) == 1
    assert store.replay_dead_letters().stored == 0


def open_engine_of(store: CentralStore) -> Engine:
    return store._engine


def test_a_minute_is_replaced_by_its_higher_revision_and_added_over_restarts_of_the_box(store: CentralStore) -> None:
    before, after = Box(), Box()
    store.ingest([before.send(minute(entered=2, revision=1, coverage=30))])
    store.ingest([before.send(minute(entered=9, revision=0, coverage=10))])
    store.ingest([after.send(minute(entered=3, revision=0, coverage=20))])
    (row,) = store.footfall_minutes("s1", T0, T0 + 60)
    assert (row.entered, row.coverage) == (5, 50.0)


def test_a_minute_that_nobody_reported_is_absent(store: CentralStore) -> None:
    box = Box()
    store.ingest([box.send(minute(0, 0)), box.send(minute(2, 1))])
    assert [row.minute for row in store.footfall_minutes("s1", T0, T0 + 600)] == [T0, T0 + 120]


def test_the_state_of_a_sensor_is_its_last_in_the_outbox_whatever_the_clock_said(store: CentralStore) -> None:
    box = Box()
    late, early = box.send(health("ok", T0 + 86400)), box.send(health("lost", T0))
    store.ingest([early])
    store.ingest([late])
    assert store.sensor_states("s1")[0]["state"] == "lost"


def test_the_state_of_a_sensor_is_that_of_the_newest_box(database: str) -> None:
    clock = [T0]
    with CentralStore(database, now=lambda: clock[0]) as store:
        old, new = Box(), Box()
        for _ in range(5):
            store.ingest([old.send(health("ok"))])
        clock[0] += 10
        store.ingest([new.send(health("degraded"))])
        store.ingest([old.send(health("lost"))])
        assert [state["state"] for state in store.sensor_states("s1")] == ["degraded"]


def test_what_can_no_longer_be_sent_is_recorded_as_a_gap_and_not_waited_for(store: CentralStore) -> None:
    box = Box()
    box.seq = 10
    store.ingest([box.send(visit(), 4)])
    assert store.ingest([box.send(visit())]).acks[0][1].through == 0
    floor = Floor(outbox=box.id, oldest=9)
    result = store.ingest([Incoming("yingke/v1/s1/outbox", floor.encode())])
    assert result.acks[0][1].through == 8
    assert store.outboxes("s1")[0].gone == 7
    assert store.ingest([box.send(visit(), 9), box.send(visit(), 10)]).acks[0][1].through == 11


def test_a_box_whose_file_went_back_in_time_is_told_to_take_a_new_name(store: CentralStore) -> None:
    box = Box()
    store.ingest([box.send(visit()), box.send(visit())])
    result = store.ingest([box.send(visit(), 2)])
    assert result.stored == 1
    assert result.acks[0][1].renew


def test_a_row_that_the_disk_lost_is_no_sign_of_a_file_that_went_back(store: CentralStore) -> None:
    from sync.events import Event
    from sync.outbox.file import LOST

    box = Box()
    store.ingest([box.send(visit())])
    assert not store.ingest([box.send(Event.new("outbox", T0, LOST), 1)]).acks[0][1].renew


def test_the_cursor_reads_every_event_once_while_several_write(store: CentralStore) -> None:
    boxes = [Box() for _ in range(3)]
    batches = [[box.send(visit()) for _ in range(20)] for box in boxes for _ in range(10)]
    seen: list[str] = []
    done = threading.Event()

    def read() -> None:
        cursor = 0
        while True:
            last = done.is_set()
            rows = store.events_after("s1", cursor, 50)
            seen.extend(row["id"] for row in rows)
            cursor = rows[-1]["cursor"] if rows else cursor
            if last and not rows:
                return

    with ThreadPoolExecutor(4) as pool:
        reader = pool.submit(read)
        writers = [pool.submit(store.ingest, batch) for batch in batches]
        for writer in writers:
            writer.result()
        done.set()
        reader.result()
    assert len(seen) == len(set(seen)) == 600
    assert store.last_cursor("s1") == store.last_cursor() == 600
    assert all(row.through == 200 for row in store.outboxes("s1"))


def test_reads_give_what_the_pages_need(store: CentralStore) -> None:
    box = Box()
    store.ingest([box.send(event) for event in (visit(), arrival(), tryon(), tryon(T0 + 5), devices(), health())])
    assert store.stores() == ["s1"]
    newest = store.latest_events("s1", 2)
    assert [event["type"] for event in newest] == ["yingke.health.v1", "yingke.devices.window.v1"]
    assert newest[0]["received_at"] == T0 + 1000
    assert newest[0]["data"]["state"] == "ok"
    (row,) = store.tryons("s1", T0 - 3600, T0 + 3600)
    assert (row.product, row.kind, row.sessions, row.seconds) == ("04012345678901", "tried_on", 2, 180.0)
    window = store.latest_devices("s1", T0, T0 + 1)
    assert window is not None
    assert (window["sensor"], window["start"], window["inside"]["value"]) == ("wifi-1", T0, 9.0)
    assert store.latest_devices("s1", T0 + 1, T0 + 2) is None
    assert store.places("s1", T0, T0 + 60) == []


def test_rollups_are_what_the_events_add_up_to_in_any_order(store: CentralStore) -> None:
    rng = random.Random(7)
    boxes = [Box("s1"), Box("s1"), Box("s2")]
    messages = [rng.choice(boxes).send(any_event(rng, number)) for number in range(600)]
    deliveries = messages + rng.choices(messages, k=600)
    rng.shuffle(deliveries)
    while deliveries:
        size = rng.randrange(1, 120)
        store.ingest(deliveries[:size])
        del deliveries[:size]
    engine = open_engine_of(store)
    assert len(rollups_of(engine)["events"]) == 600
    assert stored_rollups(engine) == rollups_of(engine)["rollups"]


def test_the_migrations_make_the_tables_that_the_code_declares(database: str) -> None:
    engine = open_engine(database)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
    finally:
        engine.dispose()


def test_a_database_of_a_newer_version_is_refused_with_the_fix(database: str) -> None:
    engine = open_engine(database)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StoreError, match="not of this version") as caught, CentralStore(database):
        pass
    assert "upgrade" in caught.value.fix


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////proc/none/yingke.db",
        "postgresql+psycopg://nobody@127.0.0.1:1/none",
        "mysql://x/y",
        "nonsense",
    ],
)
def test_a_database_that_cannot_be_opened_is_one_line_with_a_fix(url: str) -> None:
    with pytest.raises(StoreError) as caught, CentralStore(url):
        pass
    assert "\n" not in str(caught.value)
    assert caught.value.fix


def test_two_centres_that_start_at_once_migrate_one_after_the_other(database: str) -> None:
    def start(_: int) -> int:
        with CentralStore(database) as opened:
            return opened.ingest([Box().send(visit())]).stored

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(start, range(4))) == 4


def test_an_unknown_outbox_starts_at_nothing(store: CentralStore) -> None:
    assert store.outboxes("nobody") == []
    assert store.ingest([Incoming("yingke/v1/s1/outbox", Floor(outbox=uuid4(), oldest=1).encode())]).stored == 0
