"""SIGTERM and Ctrl-C as an event that loops look at."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_on_signals(stop: threading.Event) -> Iterator[None]:
    """While inside, SIGTERM and SIGINT set ``stop``; a second SIGINT interrupts at once. Main thread only."""

    told = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal told
        if (told or stop.is_set()) and number == signal.SIGINT:
            raise KeyboardInterrupt
        told = True
        # In a thread of its own: the signal may have come while this one holds the event's lock, within ``stop.wait``,
        # and would then wait for itself for ever.
        threading.Thread(target=stop.set, name="stopping", daemon=True).start()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
