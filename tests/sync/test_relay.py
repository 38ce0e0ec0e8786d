"""The relay, over a broker in memory that lies and dies, to a real ingest and a real database; time is injected."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from sync.config import IngestConfig, MqttConfig, RelayConfig, SyncConfig
from sync.delivery import Ack
from sync.events import decode
from sync.ingest import Ingest
from sync.outbox import Outbox, OutboxError
from sync.relay import Relay
from sync.store.store import CentralStore
from tests.fakes import FakeBroker
from tests.sync.children import until
from tests.sync.making import T0, arrival, visit

FAST = SyncConfig(
    mqtt=MqttConfig(retry_min=0.01, retry_max=0.05),
    relay=RelayConfig(window=50, probe_after=1.0, resend_after=8.0, poll=0.005),
)


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.db", "s1") as opened:
        yield opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CentralStore]:
    with CentralStore(f"sqlite:///{tmp_path}/central.db") as opened:
        yield opened


@contextmanager
def running(*runs: Relay | Ingest) -> Iterator[None]:
    stop = threading.Event()
    with ThreadPoolExecutor(len(runs)) as pool:
        futures = [pool.submit(run.run, stop) for run in runs]
        try:
            yield
        finally:
            stop.set()
        for future in futures:
            future.result()


def drained(outbox: Outbox) -> bool:
    return outbox.status().backlog == 0


def passing(clock: Clock, outbox: Outbox) -> bool:
    """Let time pass; whether everything is confirmed."""
    clock.seconds += 0.2
    return drained(outbox)


def refilled(clock: Clock, outbox: Outbox, store: CentralStore) -> bool:
    """Let time pass; whether the centre has everything that the box keeps."""
    return passing(clock, outbox) and len(store.events_after("s1", 0, 1000)) == outbox.last()


def sent(broker: FakeBroker, outbox: Outbox) -> list[int]:
    """The sequence numbers that were published, in order, repetitions included."""
    return [decode(payload).seq for topic, payload in list(broker.sent) if "/events/" in topic or "/alerts" in topic]


def has_sent(broker: FakeBroker, outbox: Outbox, count: int) -> bool:
    return len(sent(broker, outbox)) == count


def test_what_is_put_arrives_once_and_leaves_the_backlog(outbox: Outbox, store: CentralStore) -> None:
    broker = FakeBroker()
    outbox.put([visit(T0 + n) for n in range(300)])
    relay, ingest = Relay(outbox, FAST, broker=broker), Ingest(store, FAST, broker)
    with running(ingest):
        until(lambda: len(broker._kept) == 2, 5)
        with running(relay):
            outbox.put([visit(), arrival()])
            until(lambda: drained(outbox), 10)
            assert relay.status().connected
            assert relay.status().last_ack_age is not None
    assert ingest.events.totals.stored + ingest.alerts.totals.stored == 302
    assert store.last_cursor("s1") == 302


def test_nothing_is_confirmed_by_a_broker_alone(outbox: Outbox) -> None:
    broker = FakeBroker()
    outbox.put([visit() for _ in range(120)])
    with running(relay := Relay(outbox, FAST, broker=broker)):
        until(lambda: len(sent(broker, outbox)) == 50, 5)
        assert relay.status().in_flight == 50
    assert outbox.status().backlog == 120
    assert sent(broker, outbox) == list(range(1, 51))


def test_arrivals_overtake_a_backlog(outbox: Outbox) -> None:
    broker = FakeBroker()
    outbox.put([visit() for _ in range(500)])
    outbox.put([arrival()])
    with running(Relay(outbox, FAST, broker=broker)):
        until(lambda: 501 in sent(broker, outbox), 5)
        # Also while the window is full because nobody answers.
        outbox.put([arrival()])
        until(lambda: 502 in sent(broker, outbox), 5)
    assert sent(broker, outbox)[0] == 501
    assert {topic for topic, payload in broker.sent if b"arrival" in payload} == {"yingke/v1/s1/alerts"}


def test_while_nobody_answers_one_event_asks_with_growing_pauses(outbox: Outbox) -> None:
    broker, clock = FakeBroker(), Clock()
    outbox.put([visit() for _ in range(20)])
    with running(Relay(outbox, FAST, broker=broker, monotonic=clock)):
        until(lambda: len(sent(broker, outbox)) == 20, 5)
        for number, pause in enumerate((1.0, 2.0, 4.0, 8.0, 8.0), 1):
            clock.seconds += pause - 0.01
            threading.Event().wait(0.05)
            assert len(sent(broker, outbox)) == 20 + number - 1
            clock.seconds += 0.02
            until(partial(has_sent, broker, outbox, 20 + number), 5)
    assert sent(broker, outbox)[20:] == [1] * 5


def test_a_broker_that_loses_what_it_acknowledged_loses_nothing(outbox: Outbox, store: CentralStore) -> None:
    clock = Clock()
    lost: list[bytes] = []

    def loses(topic: str, payload: bytes) -> bool:
        if "/events/" in topic and len(lost) < 90 and payload not in lost:
            lost.append(payload)
            return True
        return False

    broker = FakeBroker(loses=loses)
    outbox.put([visit() for _ in range(200)])
    relay, ingest = Relay(outbox, FAST, broker=broker, monotonic=clock), Ingest(store, FAST, broker)

    with running(relay, ingest):
        until(partial(passing, clock, outbox), 20)
    assert len(lost) == 90
    assert store.last_cursor("s1") >= 200
    assert store.outboxes("s1")[0].through == 200


def test_after_a_reconnect_everything_unconfirmed_goes_again(outbox: Outbox, store: CentralStore) -> None:
    broker = FakeBroker()
    outbox.put([visit() for _ in range(40)])
    with running(Relay(outbox, FAST, broker=broker)):
        until(lambda: len(sent(broker, outbox)) == 40, 5)
        broker.kill()
        until(lambda: len(sent(broker, outbox)) == 80, 5)
        with running(Ingest(store, FAST, broker)):
            broker.kill()
            until(lambda: drained(outbox), 10)
    assert len(store.events_after("s1", 0, 1000)) == 40


def test_a_broker_that_is_down_at_the_start_is_waited_for(outbox: Outbox, store: CentralStore) -> None:
    broker = FakeBroker()
    broker.down = True
    outbox.put([visit()])
    relay = Relay(outbox, FAST, broker=broker)
    with running(relay, Ingest(store, FAST, broker)):
        threading.Event().wait(0.1)
        assert not relay.status().connected
        broker.down = False
        until(lambda: drained(outbox), 10)


@pytest.mark.parametrize("ack", [b"", b"{}", b"[1]", b'{"outbox":"x","through":1}', b"\xff", b'{"through":9}'])
def test_an_ack_that_is_none_or_for_another_outbox_confirms_nothing(outbox: Outbox, ack: bytes) -> None:
    broker = FakeBroker()
    outbox.put([visit()])
    with running(Relay(outbox, FAST, broker=broker)):
        until(lambda: sent(broker, outbox) == [1], 5)
        broker.publish("yingke/v1/s1/ack", ack)
        broker.publish("yingke/v1/s1/ack", Ack(outbox=outbox.boot, through=1).encode())
        threading.Event().wait(0.1)
    assert outbox.status().backlog == 1


def test_a_centre_restored_from_a_backup_is_filled_again(outbox: Outbox, tmp_path: Path) -> None:
    broker, clock = FakeBroker(), Clock()

    outbox.put([visit() for _ in range(60)])
    with running(Relay(outbox, FAST, broker=broker, monotonic=clock)):
        for name in ("first", "restored"):
            with CentralStore(f"sqlite:///{tmp_path}/{name}.db") as store, running(Ingest(store, FAST, broker)):
                until(partial(passing, clock, outbox), 20)
                # The second database is empty: an event shows it, and then all that is kept goes there.
                outbox.put([visit()])
                until(partial(passing, clock, outbox), 20)
                until(partial(refilled, clock, outbox, store), 20)
                assert len(store.events_after("s1", 0, 1000)) == outbox.last()


def test_a_centre_that_asks_for_what_was_pruned_is_told_that_it_is_gone(tmp_path: Path) -> None:
    broker, clock, wall = FakeBroker(), Clock(), Clock()
    wall.seconds = T0

    with Outbox(tmp_path / "outbox.db", "s1", now=wall) as outbox:
        outbox.put([visit() for _ in range(60)])
        outbox.confirm(30)
        wall.seconds += 8 * 86400
        assert outbox.prune() == 30
        with (
            CentralStore(f"sqlite:///{tmp_path}/new.db") as store,
            running(Relay(outbox, FAST, broker=broker, monotonic=clock), Ingest(store, FAST, broker)),
        ):
            until(partial(passing, clock, outbox), 20)
            (row,) = store.outboxes("s1")
            assert (row.through, row.gone) == (60, 30)


@pytest.mark.parametrize("offline", [20, 60])
def test_a_box_restored_from_an_old_copy_loses_none_of_its_new_events(
    tmp_path: Path, store: CentralStore, offline: int
) -> None:
    broker, clock = FakeBroker(), Clock()
    path, copy = tmp_path / "outbox.db", tmp_path / "copy.db"

    def kept(number: int) -> bool:
        return len(store.events_after("s1", 0, 1000)) == number

    with running(Ingest(store, FAST, broker)):
        until(lambda: len(broker._kept) == 2, 5)
        with Outbox(path, "s1") as outbox:
            outbox.put([visit() for _ in range(10)])
        copy.write_bytes(path.read_bytes())
        with Outbox(path, "s1") as outbox, running(Relay(outbox, FAST, broker=broker, monotonic=clock)):
            outbox.put([visit() for _ in range(30)])
            until(partial(passing, clock, outbox), 20)
            first = outbox.state.id
        assert kept(40)
        with Outbox(copy, "s1") as outbox:
            # Other events under numbers that the centre knows already, fewer and more than it knows.
            outbox.put([visit() for _ in range(offline)])
            with running(Relay(outbox, FAST, broker=broker, monotonic=clock)):
                until(partial(passing, clock, outbox), 20)
                assert outbox.state.id != first
                outbox.put([visit() for _ in range(60)])
                until(partial(passing, clock, outbox), 20)
        assert kept(100 + offline)


def test_a_replay_sends_everything_again_even_what_the_centre_holds(outbox: Outbox, store: CentralStore) -> None:
    broker = FakeBroker()
    outbox.put([visit() for _ in range(120)])
    ingest = Ingest(store, FAST, broker)
    with running(ingest), running(Relay(outbox, FAST, broker=broker)):
        until(lambda: drained(outbox), 10)
        outbox.replay(1, everything=True)
        until(lambda: ingest.events.totals.duplicates >= 120, 10)
        until(lambda: drained(outbox), 10)
    assert store.last_cursor("s1") >= 120
    assert len(store.events_after("s1", 0, 1000)) == 120


@pytest.mark.parametrize("restarted", [False, True])
def test_an_old_copy_that_first_repeats_what_the_centre_holds_loses_none_of_its_new_events(
    tmp_path: Path, store: CentralStore, restarted: bool
) -> None:
    broker, clock = FakeBroker(), Clock()
    path, copy = tmp_path / "outbox.db", tmp_path / "copy.db"
    # One event per batch: the first acks come before the centre saw anything that tells of the other file.
    one_by_one = FAST.model_copy(update={"ingest": IngestConfig(batch_rows=1)})

    with running(Ingest(store, one_by_one, broker)):
        until(lambda: len(broker._kept) == 2, 5)
        with Outbox(path, "s1") as outbox:
            outbox.put([visit() for _ in range(10)])
        copy.write_bytes(path.read_bytes())
        with Outbox(path, "s1") as outbox, running(Relay(outbox, FAST, broker=broker, monotonic=clock)):
            outbox.put([visit() for _ in range(190)])
            until(partial(passing, clock, outbox), 20)
        with Outbox(copy, "s1") as outbox:
            outbox.put([visit() for _ in range(300)])
            if not restarted:
                with running(Relay(outbox, FAST, broker=broker, monotonic=clock)):
                    until(partial(passing, clock, outbox), 20)
        with Outbox(copy, "s1") as outbox, running(Relay(outbox, FAST, broker=broker, monotonic=clock)):
            until(partial(passing, clock, outbox), 20)
        assert len(store.events_after("s1", 0, 1000)) == 500


class FullDisk(Outbox):
    """An outbox whose confirmations fail a few times, as on a full disk."""

    failures = 2

    def confirm(self, through: int) -> None:
        if self.failures:
            self.failures -= 1
            raise OutboxError("no space left for the outbox", "free disk space; it resumes by itself")
        super().confirm(through)


def test_a_disk_that_is_full_for_a_while_does_not_end_the_relay(tmp_path: Path, store: CentralStore) -> None:
    broker = FakeBroker()
    with FullDisk(tmp_path / "outbox.db", "s1") as outbox:
        outbox.put([visit() for _ in range(20)])
        with running(Relay(outbox, FAST, broker=broker), Ingest(store, FAST, broker)):
            until(lambda: drained(outbox), 10)
        assert outbox.failures == 0
    assert len(store.events_after("s1", 0, 1000)) == 20
