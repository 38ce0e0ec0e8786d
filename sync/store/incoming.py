"""What a message is before it meets the database: an event, a statement about an outbox, or a dead letter."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from uuid import UUID

from sync.config import MAX_EVENT_BYTES
from sync.delivery import MAX_SEQ, Floor, numbered
from sync.events import AnyEvent, InvalidEvent, decode

TOPIC = re.compile(r"^yingke/v1/(?P<store>[a-z0-9-]{1,32})/(?P<leaf>[a-z0-9/-]{1,64})$")
UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
KEPT_OF_OVERSIZED = 4096
"""Bytes kept of a message over ``MAX_EVENT_BYTES``: enough to see whose it is."""
Key = tuple[str, UUID]
"""A store's outbox."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message as it came: the topic says which store's credential sent it."""

    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that is no event of the store it came from. ``number`` is (outbox, seq) where it can be read.

    Its number counts as held only because all its bytes are: of an oversized message they are not.
    """

    store: str
    reason: str
    topic: str
    payload: bytes
    size: int
    number: tuple[UUID, int] | None

    @property
    def digest(self) -> bytes:
        """The same message delivered twice is one dead letter."""
        return digest(self.topic, self.payload)


@dataclass(frozen=True, slots=True)
class Good:
    """An event of the store that sent it."""

    event: AnyEvent
    incoming: Incoming


@dataclass(slots=True)
class Sorted:
    """A batch, taken apart."""

    good: dict[tuple[str, UUID], Good] = field(default_factory=dict)
    repeated: int = 0
    letters: list[Letter] = field(default_factory=list)
    floors: dict[Key, int] = field(default_factory=dict)

    def stores(self) -> list[str]:
        """Every store concerned, in order."""
        names = {store for store, _ in self.good} | {letter.store for letter in self.letters if letter.number}
        return sorted(names | {store for store, _ in self.floors})


def digest(topic: str, payload: bytes) -> bytes:
    """16 bytes that stand for a message."""
    return blake2b(topic.encode("utf-8", "replace") + b"\0" + payload, digest_size=16).digest()


def sort(batch: Iterable[Incoming]) -> Sorted:
    """Take a batch apart. Never raises: what is no event is a dead letter."""
    result = Sorted()
    for incoming in batch:
        match = TOPIC.match(incoming.topic)
        if match is None:
            result.letters.append(_letter(incoming, "-", "topic: not of a store", None))
            continue
        store = match["store"]
        if match["leaf"] == "outbox":
            _floor(result, store, incoming)
        else:
            _event(result, store, incoming)
    return result


def _event(result: Sorted, store: str, incoming: Incoming) -> None:
    if len(incoming.payload) > MAX_EVENT_BYTES:
        result.letters.append(_letter(incoming, store, "oversized", None))
        return
    try:
        event = decode(incoming.payload)
    except InvalidEvent as error:
        result.letters.append(_letter(incoming, store, str(error), numbered(incoming.payload)))
        return
    if event.storeid != store:
        # Held under the topic's store: under the payload's it would confirm events that store never sent.
        result.letters.append(_letter(incoming, store, "store_mismatch", (event.outboxid, event.seq)))
    elif not 1 <= event.seq <= MAX_SEQ:
        result.letters.append(_letter(incoming, store, "sequence: out_of_range", None))
    elif (store, event.id) in result.good:
        result.repeated += 1
    else:
        result.good[store, event.id] = Good(event, incoming)


def _floor(result: Sorted, store: str, incoming: Incoming) -> None:
    floor = Floor.decode(incoming.payload)
    if floor is None:
        result.letters.append(_letter(incoming, store, "outbox: not understood", None))
    else:
        key = store, floor.outbox
        result.floors[key] = max(result.floors.get(key, 0), floor.oldest)


def _letter(incoming: Incoming, store: str, reason: str, number: tuple[UUID, int] | None) -> Letter:
    if reason.endswith(": extra_forbidden"):
        # The name of an unknown field is content: it might be anything, a phone number included.
        reason = "a field that the contract does not have"
    kept = incoming.payload if len(incoming.payload) <= MAX_EVENT_BYTES else incoming.payload[:KEPT_OF_OVERSIZED]
    if number is not None and not 1 <= number[1] <= MAX_SEQ:
        number = None
    clean = UNPRINTABLE.sub("?", reason)[:200]
    return Letter(store, clean, UNPRINTABLE.sub("?", incoming.topic)[:200], kept, len(incoming.payload), number)


def refused(good: Good, reason: str) -> Letter:
    """The dead letter of an event that the contract allows and the database does not."""
    event = good.event
    return _letter(good.incoming, event.storeid, f"database: {reason}", (event.outboxid, event.seq))
