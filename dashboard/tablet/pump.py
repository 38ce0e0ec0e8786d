"""Arrivals from the outbox to the desk, taps and consents to the outbox: all survive a kill at any moment."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from sync.errors import SyncError
from sync.events import Arrival, Event, InvalidEvent, decode
from sync.members.desk import Desk
from sync.members.register import Register
from sync.outbox.file import Row

log = logging.getLogger("yingke.tablet")

EVERY_S = 0.1
PAGE = 100
TIDY_EVERY_S = 1.0


class Events(Protocol):
    """The box's outbox, which another process writes too (``sync.outbox.Outbox``)."""

    def alerts(self, after: int, limit: int) -> Sequence[Row]: ...

    def put(self, events: Sequence[Event]) -> object: ...


class Pump:
    """``run`` blocks. What fails for a while (a full disk, a locked file) is tried again; nothing is skipped."""

    def __init__(self, events: Events, desk: Desk, register: Register, now: Callable[[], float]) -> None:
        self._events = events
        self._desk = desk
        self._register = register
        self._now = now
        self._tidied = float("-inf")
        self._said = ""

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set."""
        while not stop.wait(EVERY_S):
            try:
                self.once()
                self._said = ""
            except SyncError as error:
                if str(error) != self._said:
                    self._said = str(error)
                    log.error("tablet: %s; %s", error, error.fix)

    def once(self) -> None:
        """One round: what has arrived, what was tapped, what is over."""
        now = self._now()
        after = self._desk.through
        while rows := self._events.alerts(after, PAGE):
            for row in rows:
                after = row.seq
                self._take(row, now)
        while waiting := self._desk.unsent():
            self._events.put([event for _, event in waiting])
            self._desk.sent([name for name, _ in waiting])
        while untold := self._register.untold():
            self._events.put([event for _, event in untold])
            self._register.told(untold[-1][0])
        if now - self._tidied >= TIDY_EVERY_S or now < self._tidied:
            self._tidied = now
            self._desk.expire(now)

    def _take(self, row: Row, now: float) -> None:
        try:
            event = decode(row.payload)
        except InvalidEvent as error:
            log.error("tablet: event %d is passed over: %s", row.seq, error)
            self._desk.passed(row.seq)
            return
        time = event.time.timestamp()
        if isinstance(event.data, Arrival) and event.data.expires.timestamp() > now:
            self._desk.arrived(event.id, event.data, time, row.seq)
        else:
            # Who came while this was off, and has left since, is no card any more.
            self._desk.passed(row.seq)
