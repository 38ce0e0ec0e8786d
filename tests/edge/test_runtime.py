import random
import threading
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

import pytest

from edge.runtime import Backoff, Heartbeat, SensorLoop, SensorStatus
from sensors.errors import SourceError
from sensors.readings import Silence, TagRead
from sync.errors import SyncError
from sync.events import Event, Health, Item
from sync.outbox import EventTooLarge


class Scripted:
    """A source that yields what it is given; an exception in the list is raised."""

    def __init__(self, steps: Sequence[TagRead | Silence | Exception]) -> None:
        self.steps = steps
        self.dropped = 0
        self.closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed = True

    def __iter__(self) -> Iterator[TagRead | Silence]:
        for step in self.steps:
            if isinstance(step, Exception):
                raise step
            yield step


class Sold:
    """A processor that makes one event per read, and remembers when it was flushed."""

    def __init__(self) -> None:
        self.flushed: list[float] = []
        self.closed: list[float] = []

    def process(self, reading: TagRead, /) -> Sequence[Event]:
        return [Event.new("till", reading.time, Item(epc=reading.epc, place="till", step="sold"))]

    def flush(self, now: float, /) -> Sequence[Event]:
        self.flushed.append(now)
        return []

    def close(self, now: float, /) -> Sequence[Event]:
        self.closed.append(now)
        return []


class Sink:
    """Keeps what is put; refuses the first ``refuse`` times."""

    def __init__(self, refuse: int = 0) -> None:
        self.kept: list[Event] = []
        self.refuse = refuse

    def put(self, events: Sequence[Event]) -> None:
        if self.refuse:
            self.refuse -= 1
            raise SyncError("full", "make room")
        self.kept += events


def read(at: float) -> TagRead:
    return TagRead(at, "3074257BF7194E4000001A85", 1, -50.0)


def loop(sources: list[Scripted], sink: Sink, processor: Sold | None = None) -> SensorLoop:
    pending = iter(sources)
    return SensorLoop(
        "till",
        lambda: next(pending),
        processor or Sold(),
        sink,
        lambda: 99.0,
        backoff=Backoff(0.0, 0.0),
        rng=random.Random(1),
    )


def test_every_event_of_a_recording_reaches_the_outbox_and_the_loop_ends() -> None:
    sink, source, processor = Sink(), Scripted([read(1), read(2), read(3)]), Sold()
    running = loop([source], sink, processor)
    running.run(threading.Event())
    assert [event.time.timestamp() for event in sink.kept] == [1, 2, 3]
    assert source.closed
    assert running.status.state == "stopped"
    assert processor.closed == [3]


def test_a_lost_source_is_opened_again_and_nothing_before_it_is_lost() -> None:
    sink = Sink()
    lost = SourceError("the reader went away", "check its cable")
    running = loop([Scripted([read(1), lost]), Scripted([lost]), Scripted([read(2)])], sink)
    running.run(threading.Event())
    assert [event.time.timestamp() for event in sink.kept] == [1, 2]


def test_a_source_that_cannot_be_opened_is_told_once_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    lost = SourceError("no route to the reader", "check its address")
    running = loop([Scripted([lost]) for _ in range(5)] + [Scripted([read(1)])], sink := Sink())
    running.run(threading.Event())
    assert len(sink.kept) == 1
    assert sum("no route to the reader; check its address" in line for line in caplog.messages) == 1


def test_events_that_the_outbox_refuses_are_offered_until_it_takes_them() -> None:
    sink = Sink(refuse=3)
    loop([Scripted([read(1), read(2)])], sink).run(threading.Event())
    assert [event.time.timestamp() for event in sink.kept] == [1, 2]


def test_silence_flushes_the_processor_up_to_its_time() -> None:
    processor = Sold()
    loop([Scripted([read(1), Silence(5.0), Silence(6.0)])], Sink(), processor).run(threading.Event())
    assert processor.flushed[-2:] == [5.0, 6.0]


def test_a_stop_request_is_seen_at_the_next_silence() -> None:
    stop = threading.Event()

    class Endless(Scripted):
        def __iter__(self) -> Iterator[TagRead | Silence]:
            yield read(1)
            stop.set()
            while True:
                yield Silence(2.0)

    sink = Sink()
    loop([Endless([])], sink).run(stop)
    assert len(sink.kept) == 1


def test_waits_grow_with_full_jitter_up_to_the_longest() -> None:
    rng, backoff = random.Random(2), Backoff(0.5, 30.0)
    for attempt in range(40):
        assert 0 <= backoff.wait(attempt, rng) <= min(30.0, 0.5 * 2**attempt)


def test_a_heartbeat_comes_at_once_then_at_its_interval_and_at_every_change_of_state() -> None:
    status, heart = SensorStatus("door"), None
    heart = Heartbeat([status], Sink(), lambda: 0.0, every=30)
    assert len(heart.due(0)) == 1
    assert heart.due(10) == []
    status.state = "lost"
    assert len(heart.due(11)) == 1
    assert heart.due(40) == []
    assert len(heart.due(41)) == 1


def test_a_heartbeat_tells_the_rate_and_that_a_sensor_fell_silent() -> None:
    status = SensorStatus("door", stale_after=10, state="ok", readings=0, last_reading=0.0)
    heart = Heartbeat([status], Sink(), lambda: 0.0, every=10)
    heart.due(0)
    status.readings, status.last_reading = 100, 9.5
    [event] = heart.due(10)
    assert isinstance(event.data, Health)
    assert (event.data.fps, event.data.state) == (10.0, "ok")
    [event] = heart.due(30)
    assert isinstance(event.data, Health)
    assert (event.data.state, event.data.reason) == ("degraded", "silent")


class Breaks(Sold):
    """A processor with a bug that shows wherever it is called at the end."""

    def flush(self, now: float, /) -> Sequence[Event]:
        raise ZeroDivisionError

    def close(self, now: float, /) -> Sequence[Event]:
        raise ZeroDivisionError


def test_a_processor_that_crashes_again_while_its_loss_is_handled_stops_nothing_else() -> None:
    sink = Sink()
    broken = loop([Scripted([SourceError("gone", "plug it in")]), Scripted([])], sink, Breaks())
    broken.run(threading.Event())
    assert broken.status.state == "stopped"


class Bounded(Sink):
    """Refuses one event for ever, as the outbox does one that is too large."""

    def put(self, events: Sequence[Event]) -> None:
        if any(event.time.timestamp() == 2 for event in events):
            raise EventTooLarge("an event of 70000 bytes is over 65536", "report it")
        super().put(events)


class InPairs(Sold):
    def process(self, reading: TagRead, /) -> Sequence[Event]:
        return [*super().process(reading), *super().process(read(reading.time + 1))]


def test_an_event_that_is_too_large_for_ever_is_given_up_and_nothing_waits_behind_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sink = Bounded()
    loop([Scripted([read(1), read(3)])], sink, InPairs()).run(threading.Event())
    assert [event.time.timestamp() for event in sink.kept] == [1, 3, 4]
    assert "given up" in caplog.text


def test_a_clock_that_is_set_back_delays_no_flush() -> None:
    processor = Sold()
    loop([Scripted([read(5000), read(1400), read(1400.5), read(1401)])], Sink(), processor).run(threading.Event())
    assert processor.flushed == [5000, 1400, 1401]


def test_a_clock_that_is_set_back_silences_no_heartbeat() -> None:
    heart = Heartbeat([SensorStatus("door")], Sink(), lambda: 0.0, every=30)
    assert len(heart.due(5000)) == 1
    assert len(heart.due(1400)) == 1
    assert heart.due(1410) == []
    assert len(heart.due(1430)) == 1


def test_a_heartbeat_comes_at_once_when_a_sensor_falls_silent_and_when_its_reason_changes() -> None:
    status = SensorStatus("door", stale_after=10, state="ok", last_reading=0.0)
    heart = Heartbeat([status], Sink(), lambda: 0.0, every=30)
    assert len(heart.due(5)) == 1
    [event] = heart.due(10.5)
    assert isinstance(event.data, Health)
    assert (event.data.state, event.data.reason) == ("degraded", "silent")
    assert heart.due(11) == []
    status.state, status.reason, status.last_reading = "degraded", "frozen", 12.0
    [event] = heart.due(12)
    assert isinstance(event.data, Health)
    assert event.data.reason == "frozen"


def test_a_frozen_camera_that_falls_silent_is_silent_and_one_whose_events_wait_for_the_disk_is_not() -> None:
    for reason, told in (("frozen", "silent"), ("outbox_refuses", "outbox_refuses")):
        status = SensorStatus("door", stale_after=10, state="degraded", reason=reason, last_reading=0.0)
        assert status.health(1.0, 0, 20.0).reason == told


class Doubting(Sold):
    """A processor that finds every reading after the second unusable, until the fifth."""

    condition: str | None = None

    def process(self, reading: TagRead, /) -> Sequence[Event]:
        self.condition = "frozen" if 3 <= reading.time < 5 else None
        return super().process(reading)


def test_what_a_processor_finds_wrong_with_its_readings_is_the_sensor_s_state_until_it_is_over() -> None:
    class Watching(Sink):
        def put(self, events: Sequence[Event]) -> None:
            super().put(events)
            told.append((running.status.state, running.status.reason))

    told: list[tuple[str, str | None]] = []
    running = loop([Scripted([read(at) for at in range(1, 7)])], Watching(), Doubting())
    running.run(threading.Event())
    ok, frozen = ("ok", None), ("degraded", "frozen")
    assert told == [ok, ok, frozen, frozen, ok, ok]


class Bereft(Sold):
    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def lost(self, now: float, /) -> None:
        self.told.append(f"lost {now:g}")

    def flush(self, now: float, /) -> Sequence[Event]:
        self.told.append(f"flush {now:g}")
        return super().flush(now)


def test_a_processor_that_wants_to_know_is_told_that_its_source_is_lost_before_it_is_flushed() -> None:
    processor = Bereft()
    loop([Scripted([read(1), SourceError("gone", "plug it in")]), Scripted([read(100)])], Sink(), processor).run(
        threading.Event()
    )
    assert processor.told == ["flush 1", "lost 99", "flush 99", "flush 100"]
