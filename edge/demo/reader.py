"""A SIMULATED LLRP reader: real LLRP bytes over TCP on loopback, from made-up fitting rooms in store time.

For the demo and for tests. It answers what ``LlrpSource`` asks, serves one client at a time and refuses a second as
readers do. Reports begin at START_ROSPEC and stop with the connection; what happened in between was not seen.
"""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

from edge.demo.fitting_rooms import FittingRooms, Scene
from sensors.errors import FormatError
from sensors.rfid import messages as m
from sensors.rfid.llrp import ERROR_MESSAGE, KEEPALIVE, READER_EVENT_NOTIFICATION, RO_ACCESS_REPORT, Decoder, Message

_STEP: Final = 0.05
"""Seconds between two looks at the clock."""
_MOST: Final = 64
"""Tag reports per message at most; a reader that sends each read at once sends 1."""
DAY: Final = 86400


class EmulatedReader:
    """A reader whose store time is ``start + elapsed * speed`` (epoch seconds); ``port`` 0 takes a free one.

    ``elapsed`` gives the seconds since the store opened by whatever clock the demo uses; without it, real seconds since
    the reader was entered. ``rooms.visits`` is the truth behind the reads.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        start: float,
        speed: float = 1.0,
        seed: int = 1,
        scene: Scene | None = None,
        elapsed: Callable[[], float] | None = None,
    ) -> None:
        self.rooms = FittingRooms(replace(scene, start=start) if scene else Scene(start=start, seed=seed, seconds=DAY))
        self.antennas = self.rooms.scene.antennas
        self._start, self._speed = start, speed
        self._address = (host, port)
        self._elapsed = elapsed
        self._next = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="emulated-reader", daemon=True)

    def now(self) -> float:
        """Store time."""
        elapsed = self._elapsed() if self._elapsed else time.monotonic() - self._entered
        return self._start + elapsed * self._speed

    @property
    def port(self) -> int:
        """The port that it listens on."""
        port: int = self._listener.getsockname()[1]
        return port

    def __enter__(self) -> Self:
        self._listener = socket.create_server(self._address)
        self._listener.settimeout(_STEP)
        self._entered = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                client, _ = self._listener.accept()
                with client, suppress(OSError, FormatError):  # a client that leaves or talks nonsense is let go
                    self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        client.settimeout(_STEP)
        client.sendall(self._event(connection=0))
        decoder, session = Decoder(), _Session()
        while not self._stopping.is_set() and not session.closed:
            try:
                data = client.recv(1 << 16)
                if not data:
                    return
                decoder.feed(data)
                for message in decoder.messages():
                    client.sendall(self._answer(message, session))
            except TimeoutError:
                pass
            self._refuse_others()
            if session.reading:
                self._report(client)
            if session.keepalive and time.monotonic() - session.alive >= session.keepalive:
                session.alive = time.monotonic()
                client.sendall(m.encode(KEEPALIVE, 0))

    def _refuse_others(self) -> None:
        self._listener.setblocking(False)
        with suppress(OSError):
            other, _ = self._listener.accept()
            with other:
                other.sendall(self._event(connection=2))
        self._listener.settimeout(_STEP)

    def _event(self, connection: int) -> bytes:
        return m.encode(READER_EVENT_NOTIFICATION, 0, m.reader_event(round(self.now() * 1e6), connection=connection))

    def _answer(self, message: Message, session: "_Session") -> bytes:
        answer = m.RESPONSES.get(message.type)
        if message.type in (m.ENABLE_EVENTS_AND_REPORTS, m.KEEPALIVE_ACK):
            return b""
        if answer is None:
            return m.encode(ERROR_MESSAGE, message.id, m.status(109, "not simulated"))
        parts = [m.status(0)]
        if message.type == m.GET_READER_CAPABILITIES:
            parts.append(m.general_capabilities(m.Capabilities(self.antennas, True, 0, 0, "simulated")))
        elif message.type == m.SET_READER_CONFIG:
            session.keepalive, session.alive = m.keepalive_of(message), time.monotonic()
        elif message.type == m.ADD_ROSPEC:
            session.added = True
        elif message.type == m.START_ROSPEC:
            session.reading = session.added
            self._next = int(self.now() - self._start)
            if not session.added:
                parts = [m.status(300, "no such ROSpec")]
        elif message.type == m.DELETE_ROSPEC:
            session.reading = session.added = False
        session.closed = message.type == m.CLOSE_CONNECTION
        return m.encode(answer, message.id, *parts)

    def _report(self, client: socket.socket) -> None:
        """The reads of every store second that has passed since the last report."""
        while self._next < int(self.now() - self._start) and not self._stopping.is_set():
            reports = [
                m.tag_report(bytes.fromhex(read.epc), read.antenna, round(read.rssi_dbm or 0), round(read.time * 1e6))
                for read in self.rooms.reads(self._next)
            ]
            self._next += 1
            client.settimeout(5.0)
            for first in range(0, len(reports), _MOST):
                client.sendall(m.encode(RO_ACCESS_REPORT, 0, *reports[first : first + _MOST]))
            client.settimeout(_STEP)


class _Session:
    """What one client asked for."""

    def __init__(self) -> None:
        self.added = self.reading = self.closed = False
        self.keepalive = 0.0
        self.alive = 0.0
