"""What ingest says to the broker and to the edge, and when: over a broker in memory and a real database."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from sync.config import MqttConfig, SyncConfig
from sync.delivery import Ack
from sync.events import decode
from sync.ingest import Consumer, Ingest
from sync.mqtt import Link, Message, Session
from sync.store.store import CentralStore
from tests.fakes import FakeBroker
from tests.sync.children import until
from tests.sync.making import Box, arrival, visit

FAST = SyncConfig(mqtt=MqttConfig(retry_min=0.01, retry_max=0.05))


class Watched:
    """A broker whose links call ``look`` before each word to the broker or the edge: acknowledgement or ack."""

    def __init__(self, broker: FakeBroker, look: Callable[[list[int], int], None]) -> None:
        self._broker = broker
        self._look = look

    def connect(self, session: Session) -> AbstractContextManager[Link]:
        return self._connect(session)

    @contextmanager
    def _connect(self, session: Session) -> Iterator[Link]:
        with self._broker.connect(session) as link:
            yield WatchedLink(link, self._look)


class WatchedLink:
    def __init__(self, link: Link, look: Callable[[list[int], int], None]) -> None:
        self._link = link
        self._look = look

    @property
    def unacknowledged(self) -> int:
        return self._link.unacknowledged

    def receive(self, timeout: float) -> Message | None:
        return self._link.receive(timeout)

    def acknowledge(self, message: Message) -> None:
        self._look([decode(message.payload).seq], 0)
        self._link.acknowledge(message)

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        ack = Ack.decode(payload)
        assert ack is not None
        self._look(list(range(1, ack.through + 1)), ack.through)
        self._link.publish(topic, payload, qos=qos, retain=retain)


@contextmanager
def running(ingest: Ingest | Consumer) -> Iterator[None]:
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(ingest.run, stop)
        try:
            yield
        finally:
            stop.set()
        future.result()


def test_nothing_is_acknowledged_before_another_connection_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "central.db"
    broker, box = FakeBroker(), Box()
    looks: list[int] = []
    early: list[tuple[list[int], int]] = []

    def look(said: list[int], through: int) -> None:
        # Another connection, as after a power cut: only what is committed is there.
        with sqlite3.connect(path) as other:
            held = {seq for (seq,) in other.execute("SELECT seq FROM event")}
            marked = other.execute("SELECT max(through) FROM outbox").fetchone()[0] or 0
        other.close()
        looks.append(through)
        if not held.issuperset(said) or marked < through:
            early.append((said, through))

    with CentralStore(f"sqlite:///{path}") as store, running(Ingest(store, FAST, Watched(broker, look))):
        until(lambda: len(broker._kept) == 2, 5)
        for number in range(40):
            message = box.send(arrival() if number % 10 == 0 else visit())
            broker.publish(message.topic, message.payload)
        until(lambda: 40 in looks, 10)
    assert early == []


@pytest.mark.parametrize("moment", ["commit", "before_cursor_execute"])
def test_a_batch_whose_commit_fails_is_acknowledged_to_nobody_and_comes_again(tmp_path: Path, moment: str) -> None:
    broker, box = FakeBroker(), Box()
    said: list[list[int]] = []
    failing = threading.Event()
    failed = threading.Semaphore(0)

    with CentralStore(f"sqlite:///{tmp_path}/central.db") as store:

        @event.listens_for(store._engine, moment)
        def _fail(connection: Any, *arguments: Any) -> None:
            if failing.is_set():
                failed.release()
                raise OperationalError("COMMIT", {}, sqlite3.OperationalError("database or disk is full"))

        with running(Ingest(store, FAST, Watched(broker, lambda seqs, through: said.append(seqs)))):
            until(lambda: len(broker._kept) == 2, 5)
            failing.set()
            message = box.send(visit())
            broker.publish(message.topic, message.payload)
            # More attempts than are made before the link is given up and made again.
            for _ in range(7):
                assert failed.acquire(timeout=10)
            assert said == []
            failing.clear()
            until(lambda: [1] in said, 10)
        assert store.last_cursor("s1") == 1
