"""One loop per source: readings to the processor, events to the outbox, the source reopened when it is lost."""

import logging
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from edge.processing import Losing, Observing, Processor
from sensors.errors import SensorError
from sensors.readings import Silence, Source
from sync.errors import SyncError
from sync.events import Event, Health
from sync.outbox import EventTooLarge

log = logging.getLogger("yingke.edge")

State = Literal["starting", "ok", "degraded", "lost", "stopped"]
FLUSH_EVERY_S = 1.0
CRASHED = "{}: please report this"
REFUSED = "outbox_refuses"


class EventSink(Protocol):
    """Where events become durable: the outbox."""

    def put(self, events: Sequence[Event]) -> object: ...


@dataclass(frozen=True)
class Backoff:
    """Full jitter: the n-th wait is uniform between 0 and ``min(longest, first * 2**n)`` seconds."""

    first: float = 0.5
    longest: float = 10.0
    """A camera that is back must be seen again within 15 s: up to 10 of waiting, and up to 3 until FFmpeg opened it."""

    def wait(self, attempt: int, rng: random.Random) -> float:
        """Seconds to wait before attempt number ``attempt`` (0 is the first retry)."""
        return rng.uniform(0, min(self.longest, self.first * 2.0 ** min(attempt, 16)))


@dataclass
class SensorStatus:
    """What a heartbeat says of one sensor; written by its loop, read by the heartbeat.

    ``stale_after`` seconds without a reading make it degraded: right for a camera, which always has frames to give;
    None for sensors that are rightly silent when nobody is there.
    """

    sensor: str
    stale_after: float | None = None
    state: State = "starting"
    reason: str | None = None
    readings: int = 0
    last_reading: float | None = None
    dropped: int = 0
    counting: dict[str, str] | None = None
    """Of a camera: by which settings each line counts (``edge.audit.counting.digests``)."""
    encoder: str | None = None
    """Of a camera that recognises members: name and version of the face encoder."""

    def health(self, seconds_since_last: float, readings_since_last: int, now: float) -> Health:
        """The heartbeat's payload; a live sensor that fell silent is degraded."""
        age = None if self.last_reading is None else max(0.0, now - self.last_reading)
        state, reason = self.state, self.reason
        # What was wrong with the last picture is no longer the news when none has come since.
        seeing = state == "ok" or (state == "degraded" and reason != REFUSED)
        if seeing and self.stale_after is not None and age is not None and age > self.stale_after:
            state, reason = "degraded", "silent"
        rate = readings_since_last / seconds_since_last if seconds_since_last > 0 else None
        return Health(
            state=state,
            reason=reason,
            frame_age=age,
            fps=rate,
            dropped=self.dropped,
            counting=self.counting,
            encoder=self.encoder,
        )


class SensorLoop:
    """Runs one source until ``stop`` is set or a recording ends; one sensor's failure touches no other.

    Events that the outbox cannot take (disk full, at its bound) are offered again with jittered back-off, and no
    further reading is taken meanwhile: frames are lost then, events are not.
    """

    def __init__(
        self,
        name: str,
        open_source: Callable[[], Source[Any]],
        processor: Processor[Any],
        sink: EventSink,
        now: Callable[[], float],
        *,
        stale_after: float | None = None,
        backoff: Backoff | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.status = SensorStatus(name, stale_after)
        self._open_source = open_source
        self._processor = processor
        self._observing = processor if isinstance(processor, Observing) else None
        self._sink = sink
        self._now = now
        self._backoff = backoff or Backoff()
        self._latest: float | None = None
        self._rng = rng or random.Random()  # noqa: S311  # jitter, not secrets

    def run(self, stop: threading.Event) -> None:
        """The thread's body."""
        attempt = 0
        while not stop.is_set():
            before, patience = self.status.readings, 0.0
            try:
                with self._open_source() as source:
                    self._drain(source, stop)
                break
            except SensorError as error:
                reason, said, patience = error.reason, f"{error}; {error.fix}", error.patience
            except Exception as error:  # the one place: a sensor's bug must not stop the others
                reason, said = "crashed", CRASHED.format(type(error).__name__)
                log.debug("%s crashed", self.status.sensor, exc_info=True)
            attempt = 0 if self.status.readings > before else attempt + 1
            # Between once and twice the patience that is asked for: cameras that came back together stay apart.
            wait = max(self._backoff.wait(attempt, self._rng), patience * self._rng.uniform(1, 2))
            self._lost(reason, said, wait)
            now = self._now()
            self._put(self._last_of(self._tell_lost, now), stop)
            self._put(self._last_of(self._processor.flush, now), stop)
            stop.wait(wait)
        latest = self._now() if self._latest is None else self._latest
        self._put(self._last_of(self._processor.close, latest), stop)
        self.status.state, self.status.reason = "stopped", None

    def _last_of(self, ended: Callable[[float], Sequence[Event]], now: float) -> Sequence[Event]:
        """What a processor still has to tell; one that crashes here, too, tells nothing."""
        try:
            return ended(now)
        except Exception as error:  # as in run: a sensor's bug must not stop the others
            log.error("%s: %s", self.status.sensor, CRASHED.format(type(error).__name__))
            log.debug("%s crashed", self.status.sensor, exc_info=True)
            return ()

    def _tell_lost(self, now: float) -> Sequence[Event]:
        if isinstance(self._processor, Losing):
            self._processor.lost(now)
        return ()

    def _drain(self, source: Source[Any], stop: threading.Event) -> None:
        flushed = float("-inf")
        for reading in source:
            if isinstance(reading, Silence):
                events: Sequence[Event] = ()
            else:
                self.status.last_reading = reading.time
                events = self._processor.process(reading)
                # Only now: a bug that every reading meets makes the waits grow, as a source that cannot be opened does.
                self.status.readings += 1
                condition = None if self._observing is None else self._observing.condition
                self.status.state, self.status.reason = ("degraded" if condition else "ok"), condition
            # The reading's own time drives what ends by silence, so that a recording gives the same events as life.
            self._latest = reading.time
            # A clock that was set back flushes at once, instead of when it has caught up.
            if not 0 <= reading.time - flushed < FLUSH_EVERY_S or isinstance(reading, Silence):
                flushed = reading.time
                events = [*events, *self._processor.flush(reading.time)]
            self.status.dropped = source.dropped
            self._put(events, stop)
            if stop.is_set():
                break

    def _put(self, events: Sequence[Event], stop: threading.Event) -> None:
        attempt = 0
        while events:
            try:
                self._sink.put(events)
                return
            except EventTooLarge as error:
                if len(events) == 1:
                    # It would be refused for ever, and everything behind it would wait.
                    log.error("%s: an event is given up: %s; %s", self.status.sensor, error, error.fix)
                    return
                for event in events:
                    self._put([event], stop)
                return
            except SyncError as error:
                if attempt == 0:
                    log.error("%s: events wait: %s; %s", self.status.sensor, error, error.fix)
                self.status.state, self.status.reason = "degraded", REFUSED
                if stop.wait(self._backoff.wait(attempt, self._rng)):
                    log.error("%s: stopped with %d events that were not accepted", self.status.sensor, len(events))
                    return
                attempt += 1

    def _lost(self, reason: str, said: str, wait: float) -> None:
        if (self.status.state, self.status.reason) != ("lost", reason):
            log.warning("%s: %s; trying again in %.1f s, then with growing waits", self.status.sensor, said, wait)
        self.status.state, self.status.reason = "lost", reason


class Heartbeat:
    """Every ``every`` seconds, and at every change of state or reason, one ``health`` event per sensor."""

    def __init__(
        self, statuses: Sequence[SensorStatus], sink: EventSink, now: Callable[[], float], every: float = 30.0
    ) -> None:
        self._statuses = statuses
        self._sink = sink
        self._now = now
        self._every = every
        self._sent: dict[str, tuple[float, tuple[State, str | None], int]] = {}

    def due(self, now: float) -> list[Event]:
        """The heartbeats that are due at ``now``."""
        events = []
        for status in self._statuses:
            last = self._sent.get(status.sensor)
            since, counted = (now - last[0], status.readings - last[2]) if last else (0.0, 0)
            health = status.health(since, counted, now)
            told = health.state, health.reason
            # A clock that was set back makes the next one due, instead of silence until it has caught up.
            if last is not None and 0 <= since < self._every and last[1] == told:
                continue
            events.append(Event.new(status.sensor, now, health))
            self._sent[status.sensor] = (now, told, status.readings)
        return events

    def run(self, stop: threading.Event, tick: float = 1.0) -> None:
        """The thread's body."""
        while True:
            stopping = stop.wait(tick)
            try:
                self._sink.put(self.due(self._now()))
            except SyncError as error:
                # A heartbeat is a state, not a fact to keep: the next one says it anew.
                log.error("heartbeat not accepted: %s; %s", error, error.fix)
            if stopping:
                return
