"""The central half of the way: batches from the broker into the store, acknowledged only once they are committed.

Two consumers with sessions of their own: one for events, one for arrivals, which a backlog therefore never delays.
"""

import logging
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from sync.config import SyncConfig
from sync.events import topic
from sync.mqtt import Broker, Link, LinkLost, Message, MqttBroker, Retry, Session
from sync.store.database import StoreError
from sync.store.incoming import Incoming
from sync.store.store import CentralStore, IngestResult

log = logging.getLogger(__name__)

EVENTS = ("yingke/v1/+/events/+", "yingke/v1/+/outbox")
ALERTS = ("yingke/v1/+/alerts",)
IDLE_S = 0.2
"""How soon a stop is seen."""
TRIES = 5
"""Attempts at a batch, over about a second (deadlock, restart of the database), before the link is given up."""


class Consumer:
    """One persistent session: takes batches, stores them, acknowledges them. ``run`` blocks."""

    def __init__(
        self, name: str, filters: Sequence[str], store: CentralStore, config: SyncConfig, broker: Broker | None = None
    ) -> None:
        self._store = store
        self._config = config.ingest
        self._broker = broker or MqttBroker(config.mqtt)
        self._session = Session(f"{config.ingest.client_id}-{name}", tuple((item, 1) for item in filters), True)
        low, high = config.mqtt.retry_min, config.mqtt.retry_max
        self._links = Retry(f"ingest of {name}", low, high)
        self._database = Retry(f"ingest of {name}", low, high)
        self._rng = random.Random()  # noqa: S311  # jitter, not secrets
        self.totals = IngestResult()

    def run(self, stop: threading.Event) -> None:
        """Until ``stop`` is set. A lost broker or database is waited for; what was not committed comes again."""
        while not stop.is_set():
            try:
                with self._broker.connect(self._session) as link:
                    self._links.good(f"connected to {self._broker}")
                    while not stop.is_set():
                        self._one_batch(link, stop)
            except LinkLost as error:
                self._links.wait(error, stop)
            except StoreError as error:
                # The link is given up, so that the broker keeps the messages instead of us.
                self._database.wait(error, stop)

    def _one_batch(self, link: Link, stop: threading.Event) -> None:
        batch = self._collect(link)
        if not batch:
            return
        result = self._commit([Incoming(message.topic, message.payload) for message in batch], stop)
        for message in batch:
            link.acknowledge(message)
        for store, ack in result.acks:
            link.publish(topic(store, "ack"), ack.encode(), qos=0)
        self.totals += IngestResult(result.stored, result.duplicates, result.dead, result.refused)
        if result.dead:
            log.warning("%d messages became dead letters, kept with their reasons", result.dead)
        if result.refused:
            log.error("%d messages were refused: a store has too many dead letters", result.refused)

    def _collect(self, link: Link) -> list[Message]:
        """Wait for a message, then take what is there: up to the configured rows and time, less when it runs dry.

        While a batch is being committed the next one gathers, so batches grow with the load by themselves; and a
        broker that hands out only 20 unacknowledged messages is not kept waiting.
        """
        first = link.receive(IDLE_S)
        if first is None:
            return []
        batch = [first]
        deadline = time.monotonic() + self._config.batch_seconds
        while len(batch) < self._config.batch_rows and time.monotonic() < deadline:
            message = link.receive(0)
            if message is None:
                break
            batch.append(message)
        return batch

    def _commit(self, batch: Sequence[Incoming], stop: threading.Event) -> IngestResult:
        for attempt in range(TRIES):
            try:
                result = self._store.ingest(batch)
            except StoreError:
                if attempt == TRIES - 1 or stop.is_set():
                    raise
                stop.wait(self._rng.uniform(0, 0.05 * 2**attempt))
            else:
                self._database.good("the database takes events")
                return result
        raise AssertionError("unreachable")


class Ingest:
    """Both consumers of the centre. ``run`` blocks until ``stop`` is set, and sets it when it fails."""

    def __init__(self, store: CentralStore, config: SyncConfig, broker: Broker | None = None) -> None:
        self.events = Consumer("events", EVENTS, store, config, broker)
        self.alerts = Consumer("alerts", ALERTS, store, config, broker)

    def run(self, stop: threading.Event) -> None:
        """Events in the caller's thread, arrivals in a thread that ends with it."""
        with ThreadPoolExecutor(1, "ingest-alerts") as pool:
            alerts = pool.submit(self.alerts.run, stop)
            alerts.add_done_callback(lambda _: stop.set())
            try:
                self.events.run(stop)
            finally:
                stop.set()
        alerts.result()


def run_ingest(store: CentralStore, config: SyncConfig, stop: threading.Event) -> None:
    """Ingest into ``store`` until ``stop`` is set; see ``Ingest``."""
    Ingest(store, config).run(stop)
