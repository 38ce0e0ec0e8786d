"""Tags that a reader, or whatever reads it, publishes over MQTT."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

from sensors.errors import FormatError
from sensors.readings import Silence, TagRead
from sensors.rfid.heard import Parse, Timing
from sensors.subscription import Connect, Subscription

_SILENCE_AFTER: Final = 1.0


class PublishedSource:
    """The reads in the messages on ``topics``, each taken apart by ``parse``.

    ``dropped`` counts reads and messages that could not be read. Nothing waits here: what the box does not take in time
    stays at the broker, which keeps or drops it by its own rules.
    """

    def __init__(self, topics: tuple[str, ...], parse: Parse, connect: Connect, timing: Timing) -> None:
        self._topics = topics
        self._parse = parse
        self._connect = connect
        self._timing = timing
        self._stack = ExitStack()
        self._link: Subscription | None = None
        self.dropped = 0

    def __enter__(self) -> Self:
        self._link = self._stack.enter_context(self._connect(self._topics))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._link = None
        self._stack.close()

    def __iter__(self) -> Iterator[TagRead | Silence]:
        told = time.monotonic()
        while self._link is not None:
            message = self._link.receive(_SILENCE_AFTER)
            if message is not None:
                try:
                    parsed = self._parse(message.payload)
                except FormatError:
                    self.dropped += 1
                else:
                    self.dropped += parsed.unreadable
                    for read in parsed.reads:
                        yield self._timing.timed(read)
                        told = time.monotonic()
            if message is None or time.monotonic() - told > _SILENCE_AFTER:
                # Also between messages that hold no read: else nobody sees a request to stop.
                told = time.monotonic()
                yield Silence(self._timing.now())
