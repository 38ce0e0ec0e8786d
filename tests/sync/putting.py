"""The generator of events of the crash tests."""

import random
import threading
from pathlib import Path

from sync.outbox import Outbox
from tests.sync.ledger import Ledger
from tests.sync.making import any_event


def put_until(
    outbox: Outbox, ledger: Path, total: int, per_second: float, stop: threading.Event, rng: random.Random
) -> None:
    """Put events, a few at a time, until ``total`` were accepted over all runs with this ledger."""
    book = Ledger(ledger)
    done = len(Ledger.read(ledger)[1])
    while done < total and not stop.is_set():
        events = [any_event(rng, done + number) for number in range(rng.randrange(1, 8))]
        book.write("i", events)
        outbox.put(events)
        book.write("a", events)
        done += len(events)
        stop.wait(len(events) / per_second)
