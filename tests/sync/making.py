"""Events for tests: small, valid, of every kind that sync treats differently."""

import random
from uuid import UUID, uuid4

from sync.events import (
    Arrival,
    Data,
    DevicesWindow,
    Event,
    Evidence,
    FootfallMinute,
    Health,
    Interval,
    TryOn,
    Visit,
    event_topic,
    utc,
)
from sync.store.incoming import Incoming

T0 = 1_790_000_040.0
"""A whole minute."""


def visit(seconds: float = T0, direction: str = "in") -> Event:
    evidence = Evidence(track=1, track_seconds=2.5, detections=20, rule="segment_crossed")
    data = Visit(line="door", direction=direction, confidence=0.9, evidence=evidence)  # type: ignore[arg-type]
    return Event.new("camera-1", seconds, data)


def minute(
    number: int = 0, entered: int = 1, revision: int = 0, *, coverage: float = 60.0, **apart: int | None
) -> Event:
    """``apart``: staff_entered, staff_left, excluded, groups."""
    start = T0 + 60 * number
    data = FootfallMinute(
        minute=utc(start), place="door", entered=entered, left=0, coverage=coverage, revision=revision
    ).model_copy(update=apart)
    return Event.new("camera-1", start + 60, data)


def arrival(seconds: float = T0) -> Event:
    data = Arrival(candidates=("M-1234",), method="qr", confidence=1.0, expires=utc(seconds + 600))
    return Event.new("camera-1", seconds, data)


def health(state: str = "ok", seconds: float = T0, sensor: str = "camera-1") -> Event:
    return Event.new(sensor, seconds, Health(state=state))  # type: ignore[arg-type]


def tryon(seconds: float = T0, gtin: str | None = "04012345678901", spent: float = 90.0) -> Event:
    data = TryOn(
        epc="30340789000C0E42DFDC1C35",
        gtin=gtin,
        room="room-1",
        start=utc(seconds),
        end=utc(seconds + spent),
        kind="tried_on",
        confidence=0.8,
    )
    return Event.new("rfid-1", seconds + spent, data)


def devices(seconds: float = T0) -> Event:
    data = DevicesWindow(
        start=utc(seconds), seconds=600, inside=Interval(value=9, low=6, high=12), bursts=30, frames=90, malformed=1
    )
    return Event.new("wifi-1", seconds + 600, data)


def any_event(rng: random.Random, number: int) -> Event:
    """The ``number``-th event of a generator: all kinds, few keys, so that roll-ups really merge."""
    seconds = T0 + number * 0.5
    kind = rng.randrange(10)
    if kind < 4:
        return visit(seconds)
    if kind < 7:
        apart = {"staff_entered": rng.randrange(3), "excluded": rng.randrange(3)} if rng.random() < 0.5 else {}
        return minute(rng.randrange(20), rng.randrange(5), number, coverage=float(rng.randrange(61)), **apart)
    return (arrival, tryon, devices)[kind - 7](seconds)


class Box:
    """An outbox without a file: gives events their numbers and makes the messages that a relay would send."""

    def __init__(self, store: str = "s1", boot: UUID | None = None) -> None:
        self.store = store
        self.id = uuid4()
        self.boot = boot or uuid4()
        self.seq = 0

    def send(self, event: Event | Data, seq: int | None = None) -> Incoming:
        if isinstance(event, Data):
            event = Event.new("camera-1", T0, event)
        if seq is None:
            self.seq += 1
            seq = self.seq
        envelope = event.envelope(store=self.store, boot=self.boot, outbox=self.id, seq=seq)
        return Incoming(event_topic(envelope), envelope.encode())
