"""A real centre's page over a real SQLite store, on a free port, for tests that read it as a browser would."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time
from typing import Literal

from dashboard.app import create_app
from dashboard.server import PageServer
from sync.events import Event, FootfallMinute, Health, utc
from sync.settings import StoreConfig
from sync.store.store import CentralStore
from tests.sync.making import Box, tryon, visit

SHOP = StoreConfig(id="nanjing-road", name="南京路店", timezone="Asia/Shanghai", opens=time(10), closes=time(22))
OPENS = datetime(2026, 11, 21, 2, tzinfo=UTC).timestamp()
"""10:00 in Shanghai."""


class Feed:
    """Puts events into the store as the box ``nanjing-road`` would deliver them."""

    def __init__(self, store: CentralStore) -> None:
        self.store, self.box = store, Box(SHOP.id)

    def send(self, *events: Event) -> None:
        assert self.store.ingest([self.box.send(event) for event in events]).stored == len(events)

    def minutes(
        self,
        start: float,
        count: int,
        entered: int = 1,
        coverage: float = 60.0,
        place: str = "entrance",
        kind: Literal["line", "zone"] | None = None,
    ) -> None:
        for begin in (start + 60 * i for i in range(count)):
            data = FootfallMinute(
                minute=utc(begin), place=place, entered=entered, left=0, coverage=coverage, revision=0, kind=kind
            )
            self.send(Event.new("door", begin, data))

    def a_morning(self) -> None:
        """An hour fully seen, an hour that nobody saw, half an hour seen; one visit, one try-on, one lost sensor."""
        self.minutes(OPENS, 60)
        self.minutes(OPENS + 2 * 3600, 30, entered=2)
        self.send(visit(OPENS + 30), tryon(OPENS + 600))
        self.send(Event.new("fitting", OPENS, Health(state="lost", reason="source_lost")))


@contextmanager
def served(store: CentralStore, now: float, note: str = "") -> Iterator[str]:
    """The address of the page while it is served."""
    app = create_app(store, [SHOP], lambda: now, {"zh": note} if note else {}, simulated=bool(note))
    server = PageServer(app)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join()
