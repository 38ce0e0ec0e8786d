"""The outbox: durable, in order, bounded, and honest about what the disk did to it."""

import random
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.config import OutboxConfig
from sync.events import Health, TryOn, decode, utc
from sync.outbox import EventTooLarge, Outbox, OutboxDamaged, OutboxError, OutboxFull
from tests.sync.making import T0, arrival, visit

DAY = 86400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "box" / "outbox.db"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    with Outbox(path, "s1") as opened:
        yield opened


def edit(path: Path, statement: str, *values: object) -> None:
    """Change the file behind the outbox's back."""
    db = sqlite3.connect(path)
    with db:
        db.execute(statement, values)
    db.close()


def test_events_come_out_as_they_went_in_numbered_without_a_gap(outbox: Outbox) -> None:
    events = [visit(T0 + n) for n in range(5)]
    assert outbox.put(events[:2]) == range(1, 3)
    assert outbox.put([]) == range(3, 3)
    assert outbox.put(events[2:]) == range(3, 6)
    rows = outbox.pending(0, 100)
    assert [decode(row.payload).id for row in rows] == [event.id for event in events]
    assert [decode(row.payload).seq for row in rows] == [row.seq for row in rows] == [1, 2, 3, 4, 5]
    assert {row.topic for row in rows} == {"yingke/v1/s1/events/visit"}
    assert [row.seq for row in outbox.pending(3, 1)] == [4]


def test_numbers_go_on_after_a_restart_with_another_boot_id(path: Path) -> None:
    for _ in range(2):
        with Outbox(path, "s1") as outbox:
            outbox.put([visit()])
    with Outbox(path, "s1") as outbox:
        first, second = (decode(row.payload) for row in outbox.pending(0, 9))
    assert (first.seq, second.seq) == (1, 2)
    assert first.outboxid == second.outboxid
    assert first.bootid != second.bootid


def test_numbers_are_never_given_twice_even_when_everything_was_pruned(path: Path) -> None:
    clock = [T0]
    with Outbox(path, "s1", now=lambda: clock[0]) as outbox:
        outbox.put([visit(), visit()])
        outbox.confirm(2)
        clock[0] += 8 * DAY
        assert outbox.prune() == 2
    with Outbox(path, "s1") as outbox:
        assert outbox.last() == 2
        assert outbox.put([visit()]) == range(3, 4)


def test_arrivals_can_be_read_ahead_of_everything_else(outbox: Outbox) -> None:
    outbox.put([visit(), arrival(), visit(), arrival()])
    assert [row.seq for row in outbox.alerts(0, 9)] == [2, 4]
    assert [row.topic for row in outbox.alerts(2, 9)] == ["yingke/v1/s1/alerts"]
    assert all(row.alert for row in outbox.alerts(0, 9))


def test_confirmed_events_are_kept_seven_days_more_and_then_go(path: Path) -> None:
    clock = [T0]
    with Outbox(path, "s1", now=lambda: clock[0]) as outbox:
        outbox.put([visit() for _ in range(10)])
        outbox.confirm(4)
        clock[0] += 3 * DAY
        outbox.confirm(6)
        clock[0] = T0 + 6.9 * DAY
        assert outbox.prune() == 0
        clock[0] = T0 + 7.1 * DAY
        assert outbox.prune() == 4
        clock[0] = T0 + 30 * DAY
        assert outbox.prune() == 2
        assert [row.seq for row in outbox.pending(0, 99)] == [7, 8, 9, 10]
        assert outbox.status().backlog == 4


def test_a_confirmation_never_goes_back_and_never_beyond_what_exists(outbox: Outbox) -> None:
    outbox.put([visit(), visit()])
    for through, confirmed in ((1, 1), (0, 1), (99, 2)):
        outbox.confirm(through)
        assert outbox.state.confirmed == confirmed


def test_at_the_bound_confirmed_rows_go_first_and_then_put_refuses_loudly(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Outbox(path, "s1", OutboxConfig(max_rows=10)) as outbox:
        outbox.put([visit() for _ in range(10)])
        with pytest.raises(OutboxFull, match="10 events wait") as caught:
            outbox.put([visit()])
        assert "max_rows" in caught.value.fix
        assert outbox.status().full
        assert any("FULL" in record.getMessage() for record in caplog.records)
        outbox.confirm(3)
        assert outbox.put([visit() for _ in range(3)]) == range(11, 14)
        assert not outbox.status().full
        with pytest.raises(OutboxFull):
            outbox.put([visit()])
        assert outbox.last() == 13


def test_the_bound_in_bytes_holds_for_the_file(path: Path) -> None:
    with Outbox(path, "s1", OutboxConfig(max_megabytes=1)) as outbox:
        with pytest.raises(OutboxFull):
            fill(outbox)
        assert path.stat().st_size <= 1_100_000
        outbox.confirm(outbox.last())
        outbox.put([visit() for _ in range(100)])
        assert path.stat().st_size <= 1_100_000


def fill(outbox: Outbox) -> None:
    for _ in range(100):
        outbox.put([visit() for _ in range(100)])


def test_an_event_that_is_too_large_is_refused_with_its_whole_call(outbox: Outbox) -> None:
    huge = TryOn(
        epc="30340789000C0E42DFDC1C35",
        room="room-1",
        start=utc(T0),
        end=utc(T0),
        kind="in_room",
        companions=("30340789000C0E42DFDC1C35",) * 4000,
        confidence=1,
    )
    from sync.events import Event

    with pytest.raises(EventTooLarge, match="tryon"):
        outbox.put([visit(), Event.new("rfid", T0, huge)])
    assert outbox.last() == 0


def test_many_threads_put_at_once_and_every_call_gets_its_own_numbers(outbox: Outbox) -> None:
    ranges: list[range] = []

    def work() -> None:
        for _ in range(20):
            ranges.append(outbox.put([visit(), visit()]))

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        outbox.pending(0, 50)
        outbox.confirm(outbox.last() // 2)
    for thread in threads:
        thread.join()
    assert sorted(seq for numbers in ranges for seq in numbers) == list(range(1, 201))


def test_reading_while_others_put_never_takes_a_new_event_for_a_lost_one(
    outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    done = threading.Event()

    def put() -> None:
        for _ in range(150):
            outbox.put([visit()])
        done.set()

    thread = threading.Thread(target=put)
    thread.start()
    cursor = 0
    while not done.is_set():
        rows = outbox.pending(cursor, 50)
        cursor = rows[-1].seq if rows else cursor
    thread.join()
    assert "altered or lost" not in caplog.text


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE event SET body = replace(body, 'visit', 'visat') WHERE seq = {seq}",
        "UPDATE event SET leaf = 'events/zone' WHERE seq = {seq}",
        "UPDATE event SET checksum = x'00' WHERE seq = {seq}",
        "UPDATE event SET body = 7 WHERE seq = {seq}",
        "DELETE FROM event WHERE seq = {seq}",
        "UPDATE event SET seq = 4611686018427387904 WHERE seq = {seq}",
    ],
)
@pytest.mark.parametrize("seq", [1, 3, 5])
def test_a_row_that_the_disk_altered_is_replaced_at_its_place_by_a_word_about_it(
    path: Path, damage: str, seq: int
) -> None:
    with Outbox(path, "s1") as outbox:
        outbox.put([visit() for _ in range(5)])
        before = {row.seq: row.payload for row in outbox.pending(0, 9)}
    edit(path, damage.format(seq=seq))
    with Outbox(path, "s1") as outbox:
        rows = {row.seq: row for row in outbox.pending(0, 9)}
        assert list(rows) == [1, 2, 3, 4, 5]
        event = decode(rows[seq].payload)
        assert isinstance(event.data, Health)
        assert (event.sensor, event.data.state, event.data.reason) == ("outbox", "degraded", "outbox_row_lost")
        assert all(rows[other].payload == before[other] for other in rows if other != seq)
        assert outbox.status().quarantined == (0 if damage.startswith("DELETE") else 1)
        assert outbox.put([visit()]) == range(6, 7)


def test_a_row_is_mended_while_the_box_runs(path: Path, outbox: Outbox) -> None:
    outbox.put([visit() for _ in range(5)])
    edit(path, "UPDATE event SET body = x'00' WHERE seq = 2")
    assert [row.seq for row in outbox.pending(0, 9)] == [1, 2, 3, 4, 5]
    assert [decode(row.payload).sensor for row in outbox.pending(0, 9)][1] == "outbox"


def test_an_outbox_that_lost_its_state_goes_on_under_a_new_name_with_all_it_has(path: Path) -> None:
    with Outbox(path, "s1") as outbox:
        outbox.put([visit() for _ in range(5)])
        outbox.confirm(2)
        old = outbox.state.id
    edit(path, "UPDATE state SET confirmed = 5")
    with Outbox(path, "s1") as outbox:
        assert outbox.state.id != old
        assert outbox.status().backlog == 5
        assert {str(decode(row.payload).outboxid) for row in outbox.pending(0, 9)} == {outbox.state.id}


def test_a_renewed_outbox_sends_what_was_not_confirmed_under_its_new_name(outbox: Outbox) -> None:
    outbox.put([visit() for _ in range(5)])
    outbox.confirm(2)
    ids = [decode(row.payload).id for row in outbox.pending(2, 9)]
    name = outbox.renew()
    rows = [decode(row.payload) for row in outbox.pending(0, 9)]
    assert [row.id for row in rows] == ids
    assert {str(row.outboxid) for row in rows} == {name}
    assert outbox.state.floor == 3
    outbox.replay(1)
    assert outbox.state.confirmed == 2


def test_replay_makes_kept_rows_unconfirmed_again(outbox: Outbox) -> None:
    outbox.put([visit() for _ in range(5)])
    outbox.confirm(5)
    assert outbox.replay(4) == 2
    assert outbox.replay(1) == 3
    assert outbox.replay(1) == 0
    assert outbox.status().backlog == 5


@pytest.mark.parametrize(
    ("content", "message", "fix"),
    [
        (b"this is no database, however long it is. " * 99, "is no outbox", "name the right file"),
        (b"SQLite format 3\0" + b"\1" * 500, "is damaged", "yingke outbox salvage"),
    ],
)
def test_a_file_that_is_no_database_is_one_line_with_a_fix(path: Path, content: bytes, message: str, fix: str) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(OutboxDamaged, match=message) as caught, Outbox(path, "s1"):
        pass
    assert fix in caught.value.fix
    assert path.read_bytes() == content


def test_a_folder_is_not_taken_for_an_outbox(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(OutboxError, match="is a folder") as caught, Outbox(path, "s1"):
        pass
    assert "outbox.db" in caught.value.fix


def test_another_database_is_not_taken_for_an_outbox(path: Path) -> None:
    path.parent.mkdir()
    edit(path, "CREATE TABLE event (seq)")
    with pytest.raises(OutboxDamaged, match="is not an outbox"), Outbox(path, "s1"):
        pass


def test_an_empty_file_is_not_taken_for_an_outbox(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    with pytest.raises(OutboxDamaged), Outbox(path, "s1"):
        pass


def test_the_outbox_of_another_store_is_refused(path: Path) -> None:
    with Outbox(path, "s1") as outbox:
        outbox.put([visit()])
    with pytest.raises(OutboxError, match="belongs to store s1"), Outbox(path, "s2"):
        pass


def test_the_outbox_of_a_newer_version_is_refused(path: Path) -> None:
    with Outbox(path, "s1"):
        pass
    edit(path, "PRAGMA user_version = 9")
    with pytest.raises(OutboxError, match="newer"), Outbox(path, "s1"):
        pass


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutboxError) as caught, Outbox(tmp_path / "file" / "outbox.db", "s1"):
        pass
    assert "\n" not in str(caught.value)


@pytest.fixture
def write_fails(path: Path) -> Callable[[Outbox], None]:
    """Makes SQLite fail the next writes as a full disk does, by the page limit of the outbox's own connection."""

    def limit(outbox: Outbox) -> None:
        with outbox._writing() as db:
            (pages,) = db.execute("PRAGMA page_count").fetchone()
            db.execute(f"PRAGMA max_page_count = {pages}")

    return limit


def test_a_full_disk_refuses_the_whole_call_and_the_outbox_resumes_by_itself(
    outbox: Outbox, write_fails: Callable[[Outbox], None]
) -> None:
    outbox.put([visit()])
    write_fails(outbox)
    with pytest.raises(OutboxError, match="no space left"):
        outbox.put([visit() for _ in range(1000)])
    assert outbox.last() == 1
    assert outbox.put([visit()]) == range(2, 3)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_whatever_happens_pending_is_contiguous_from_the_first_unconfirmed(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("o") / "outbox.db"
    clock = [T0]
    outbox = Outbox(path, "s1", OutboxConfig(max_rows=60), now=lambda: clock[0]).__enter__()
    accepted: dict[int, bytes] = {}
    confirmed = 0
    try:
        for step in data.draw(st.lists(st.sampled_from("pppcdrkx"), max_size=25)):
            if step == "p":
                events = [visit() for _ in range(data.draw(st.integers(0, 8)))]
                try:
                    seqs = outbox.put(events)
                except OutboxFull:
                    assert len(accepted) - confirmed + len(events) > 60
                    continue
                accepted |= {seq: event.id.bytes for seq, event in zip(seqs, events, strict=True)}
            elif step == "c":
                through = data.draw(st.integers(0, len(accepted) + 3))
                outbox.confirm(through)
                confirmed = max(confirmed, min(through, len(accepted)))
            elif step == "d":
                clock[0] += data.draw(st.floats(0, 5 * DAY))
            elif step == "r":
                outbox.prune()
            elif step == "k":
                outbox.__exit__(None, None, None)
                outbox = Outbox(path, "s1", OutboxConfig(max_rows=60), now=lambda: clock[0]).__enter__()
            elif step == "x" and confirmed < len(accepted):
                seq = data.draw(st.integers(confirmed + 1, len(accepted)))
                edit(path, "UPDATE event SET body = x'07' WHERE seq = ?", seq)
                accepted[seq] = b"lost"
            rows = outbox.pending(confirmed, 1000)
            assert [row.seq for row in rows] == list(range(confirmed + 1, len(accepted) + 1))
            for row in rows:
                event = decode(row.payload)
                if accepted[row.seq] == b"lost":
                    assert event.sensor == "outbox"
                else:
                    assert event.id.bytes == accepted[row.seq]
    finally:
        outbox.__exit__(None, None, None)


def test_every_flipped_bit_in_a_row_is_found(path: Path) -> None:
    rng = random.Random(11)
    with Outbox(path, "s1") as outbox:
        outbox.put([visit(T0 + n) for n in range(50)])
        good = {row.seq: row.payload for row in outbox.pending(0, 99)}
    db = sqlite3.connect(path)
    for seq in rng.sample(range(1, 51), 25):
        column = rng.choice(["body", "leaf", "checksum"])
        (value,) = db.execute(f"SELECT CAST({column} AS BLOB) FROM event WHERE seq = ?", (seq,)).fetchone()
        place = rng.randrange(len(value) * 8)
        flipped = bytearray(value)
        flipped[place // 8] ^= 1 << place % 8
        new = f"CAST(x'{flipped.hex()}' AS TEXT)" if column == "leaf" else f"x'{flipped.hex()}'"
        db.execute(f"UPDATE event SET {column} = {new} WHERE seq = ?", (seq,))
        good[seq] = b""
    db.commit()
    db.close()
    with Outbox(path, "s1") as outbox:
        for row in outbox.pending(0, 99):
            if good[row.seq]:
                assert row.payload == good[row.seq]
            else:
                assert decode(row.payload).sensor == "outbox"
