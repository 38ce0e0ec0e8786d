"""Fakes shared by several tests. Each passes the same contract test as the real thing."""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Generic, Self, TypeVar

from sensors.readings import Silence
from sync.mqtt import OFFLINE, ONLINE, Link, LinkLost, Message, Session

Reading = TypeVar("Reading")


class FakeSource(Generic[Reading]):
    """A source for ``sensors.readings.Source`` that yields what ``readings`` makes; what that raises is raised.

    ``readings`` is called when the source is entered and may raise then, as a device that cannot be opened does.
    ``dropped`` is for its maker to count up; ``opened`` and ``closed`` tell how often it was entered and left.
    """

    def __init__(self, readings: Callable[[], Iterator[Reading | Silence]]) -> None:
        self._readings = readings
        self._current: Iterator[Reading | Silence] = iter(())
        self.dropped = self.opened = self.closed = 0

    def __enter__(self) -> Self:
        self._current = self._readings()
        self.opened += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed += 1
        if isinstance(self._current, Generator):
            self._current.close()

    def __iter__(self) -> Iterator[Reading | Silence]:
        return self._current


@dataclass
class _Kept:
    """A session on the broker's side: what waits, and what was handed out without an acknowledgement."""

    session: Session
    waiting: deque[Message] = field(default_factory=deque)
    handed_out: dict[int, Message] = field(default_factory=dict)
    link: "_FakeLink | None" = None
    tokens: int = 0


class FakeBroker:
    """A broker in memory for ``sync.mqtt.Broker``.

    ``loses(topic, payload)`` makes it lie: such a publication is acknowledged and dropped. ``sent`` lists everything
    that was published. ``down`` refuses connections. ``window`` is how many messages it hands out unacknowledged.
    """

    def __init__(self, window: int = 1000, loses: Callable[[str, bytes], bool] | None = None) -> None:
        self.loses = loses or (lambda topic, payload: False)
        self.sent: list[tuple[str, bytes]] = []
        self.down = False
        self._window = window
        self._retained: dict[str, bytes] = {}
        self._kept: dict[str, _Kept] = {}
        self._changed = threading.Condition()

    def __str__(self) -> str:
        return "fake broker"

    @contextmanager
    def connect(self, session: Session) -> Iterator[Link]:
        link = self._open(session)
        clean = False
        try:
            yield link
            clean = not link.lost
        finally:
            with self._changed:
                if not link.lost:
                    self._lose(link)
            if clean and session.available is not None:
                self.publish(session.available, OFFLINE, retain=True)

    def kill(self, *, forget: bool = True) -> None:
        """End every connection; with ``forget`` all that it held is gone, as after kill -9 without persistence."""
        with self._changed:
            for kept in list(self._kept.values()):
                if kept.link is not None:
                    self._lose(kept.link)
            if forget:
                self._kept.clear()
                self._retained.clear()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """As any client would."""
        with self._changed:
            self.sent.append((topic, payload))
            if self.loses(topic, payload):
                return
            if retain:
                self._retained[topic] = payload
            for kept in self._kept.values():
                self._offer(kept, topic, payload)
            self._changed.notify_all()

    def _open(self, session: Session) -> "_FakeLink":
        with self._changed:
            if self.down:
                raise LinkLost("fake broker: is down", "start it")
            old = self._kept.get(session.client_id)
            if old is not None and old.link is not None:
                self._lose(old.link)
            kept = old if old is not None and session.persistent else _Kept(session)
            known = set(kept.session.subscriptions) if kept is old else set()
            kept.session = session
            kept.waiting.extendleft(reversed(list(kept.handed_out.values())))
            kept.handed_out.clear()
            kept.link = _FakeLink(self, kept)
            self._kept[session.client_id] = kept
            for item in session.subscriptions:
                for topic, payload in self._retained.items():
                    if matches(item[0], topic) and item not in known:
                        self._offer(kept, topic, payload)
        if session.available is not None:
            self.publish(session.available, ONLINE, retain=True)
        return kept.link

    def _lose(self, link: "_FakeLink") -> None:
        link.lost = True
        kept = link.kept
        kept.link = None
        if not kept.session.persistent:
            self._kept.pop(kept.session.client_id, None)
        self._changed.notify_all()
        if kept.session.available is not None:
            self.publish(kept.session.available, OFFLINE, retain=True)

    def _offer(self, kept: _Kept, topic: str, payload: bytes) -> None:
        qos = max((qos for item, qos in kept.session.subscriptions if matches(item, topic)), default=None)
        if qos is not None:
            kept.tokens += 1
            kept.waiting.append(Message(topic, payload, qos, kept.tokens))


class _FakeLink:
    def __init__(self, broker: FakeBroker, kept: _Kept) -> None:
        self.kept = kept
        self.lost = False
        self._broker = broker

    @property
    def unacknowledged(self) -> int:
        return 0

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        self._check()
        self._broker.publish(topic, payload, retain=retain)

    def receive(self, timeout: float) -> Message | None:
        with self._broker._changed:
            self._broker._changed.wait_for(lambda: self.lost or self._ready(), timeout)
            self._check()
            if not self._ready():
                return None
            message = self.kept.waiting.popleft()
            if message.qos:
                self.kept.handed_out[message.token] = message
            return message

    def acknowledge(self, message: Message) -> None:
        self._check()
        with self._broker._changed:
            self.kept.handed_out.pop(message.token, None)

    def _ready(self) -> bool:
        return bool(self.kept.waiting) and len(self.kept.handed_out) < self._broker._window

    def _check(self) -> None:
        if self.lost:
            raise LinkLost("fake broker: the connection was lost", "connect again")


def matches(item: str, topic: str) -> bool:
    """Whether an MQTT filter covers a topic."""
    filters, levels = item.split("/"), topic.split("/")
    if filters[-1] == "#":
        filters = filters[:-1]
        levels = levels[: len(filters)]
    return len(filters) == len(levels) and all(one in ("+", two) for one, two in zip(filters, levels, strict=True))
