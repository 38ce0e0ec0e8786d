"""A live LLRP reader as a source of tag reads: one TCP connection, one request at a time."""

import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Literal, Self

from sensors.errors import FormatError, SourceError
from sensors.readings import Silence, TagRead
from sensors.rfid import messages as m
from sensors.rfid.llrp import ERROR_MESSAGE, KEEPALIVE, READER_EVENT_NOTIFICATION, Decoder, Message

_WAKE: Final = 0.5
"""Seconds without a byte after which iteration yields ``Silence``."""
_CLOSING: Final = 2.0
"""Seconds that a reader gets to answer each of the two messages that end a session."""
_ROSPEC: Final = 1
_SKEW: Final = 5.0
"""Seconds by which a reader's clock may differ before its timestamps are shifted (the skew that health reports)."""


class _Connection:
    """Messages over one socket. Every ``OSError`` and ``FormatError`` leaves as a ``SourceError`` naming the reader."""

    def __init__(self, host: str, port: int, patience: float, clock: Callable[[], float]) -> None:
        self._name = f"{host}:{port}"
        self._clock = clock
        self.decoder = Decoder()
        self.heard = time.monotonic()
        self._number = 0
        try:
            self._socket = socket.create_connection((host, port), patience)
        except OSError as error:
            reason = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
            raise SourceError(
                f"cannot connect to RFID reader {self._name}: {reason}",
                "check that the reader is on, its address, and that LLRP is enabled on that port",
            ) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, kind: int, *parts: bytes, number: int | None = None) -> int:
        """Send one message, answer its id."""
        if number is None:
            self._number = number = self._number + 1
        try:
            self._socket.sendall(m.encode(kind, number, *parts))
        except OSError as error:
            raise self.lost(error.strerror or str(error)) from error
        return number

    def receive(self, seconds: float) -> list[Message]:
        """The messages that the next bytes complete, within ``seconds``; keepalives are answered here."""
        self._socket.settimeout(max(seconds, 0.001))
        try:
            data = self._socket.recv(1 << 16)
        except TimeoutError:
            return []
        except OSError as error:
            raise self.lost(error.strerror or str(error)) from error
        if not data:
            raise self.lost("it closed the connection")
        self.heard = time.monotonic()
        self.decoder.latest = self._clock()
        self.decoder.feed(data)
        try:
            received = list(self.decoder.messages())
        except FormatError as error:
            raise SourceError(
                f"RFID reader {self._name}: {error}", "is this port LLRP? else restart the reader"
            ) from error
        for message in received:
            if message.type == KEEPALIVE:
                self.send(m.KEEPALIVE_ACK, number=message.id)
        return received

    def lost(self, reason: str) -> SourceError:
        return SourceError(f"lost RFID reader {self._name}: {reason}", "check its power and network; it is tried again")

    def refused(self, what: str, reason: str, fix: str) -> SourceError:
        return SourceError(f"RFID reader {self._name} refused {what}: {reason}", fix)

    def close(self) -> None:
        self._socket.close()


class LlrpSource:
    """Reads every tag on ``antennas`` (none given: all) of one reader for as long as it is entered.

    ``timestamps``: ``reader`` takes the reader's, ``host`` the moment of arrival by ``clock``, ``auto`` the reader's
    unless they are over 5 s off ``clock``, then shifted by the difference (``clock_skew``). A reader without UTC
    counts from its start, which is found from its greeting. One that is silent for two ``keepalive`` periods is asked
    something, one that is silent for four is lost. ``patience`` bounds the connection and each answer, in seconds.
    """

    def __init__(
        self,
        host: str,
        port: int = 5084,
        *,
        antennas: tuple[int, ...] = (),
        session: Literal[0, 1, 2, 3] | None = None,
        timestamps: Literal["auto", "reader", "host"] = "auto",
        keepalive: float = 5.0,
        patience: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._host, self._port = host, port
        self._rospec = m.rospec(_ROSPEC, antennas, session)
        self._timestamps = timestamps
        self._keepalive = keepalive
        self._patience = patience
        self._clock = clock
        self._connection: _Connection | None = None
        self._waiting: deque[TagRead] = deque()
        self._shift = 0.0
        self._last: tuple[float, float] | None = None
        self.capabilities: m.Capabilities | None = None
        self.dropped = 0
        """How often the reader said that its report buffer overflowed; it does not say how many reports that cost."""

    @property
    def clock_skew(self) -> float:
        """Seconds by which the reader's clock is ahead, as corrected; 0 while it is within 5 s."""
        return 0.0 - self._shift

    def __enter__(self) -> Self:
        self._waiting.clear()
        self._shift, self._last = 0.0, None
        connection = _Connection(self._host, self._port, self._patience, self._clock)
        try:
            self._start(connection)
        except FormatError as error:
            connection.close()
            raise connection.lost(str(error)) from error
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            for farewell, body in ((m.DELETE_ROSPEC, _ROSPEC.to_bytes(4, "big")), (m.CLOSE_CONNECTION, b"")):
                # Without the first, a reader goes on transmitting for a client that has left.
                self._answer(connection, farewell, connection.send(farewell, body), min(_CLOSING, self._patience))
        except SourceError:
            pass  # a reader that is gone cannot be taken leave of; its socket closes all the same
        finally:
            connection.close()

    def __iter__(self) -> Iterator[TagRead | Silence]:
        connection = self._connection
        if connection is None:
            raise SourceError("the RFID reader is not connected", "enter the source before iterating it")
        asked = 0.0
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            received = connection.receive(_WAKE)
            for message in received:
                self._take(connection, message)
            if not received:
                silent = time.monotonic() - connection.heard
                if silent > 4 * self._keepalive:
                    raise connection.lost(f"silent for {silent:.0f} s")
                if silent > 2 * self._keepalive and asked < connection.heard:
                    connection.send(m.GET_READER_CAPABILITIES, b"\x01")
                    asked = time.monotonic()
                yield Silence(self._now())

    def _start(self, connection: _Connection) -> None:
        self._greet(connection)
        answer = self._request(connection, m.GET_READER_CAPABILITIES, b"\0")
        self.capabilities = m.parse_capabilities(answer)
        self._request(connection, m.SET_READER_CONFIG, m.configuration(self._keepalive))
        self._request(connection, m.DELETE_ROSPEC, bytes(4), needed=False)
        self._request(connection, m.ADD_ROSPEC, self._rospec)
        self._request(connection, m.ENABLE_ROSPEC, _ROSPEC.to_bytes(4, "big"))
        self._request(connection, m.START_ROSPEC, _ROSPEC.to_bytes(4, "big"))
        connection.send(m.ENABLE_EVENTS_AND_REPORTS)  # has no response; some readers answer ERROR_MESSAGE, some nothing

    def _greet(self, connection: _Connection) -> None:
        """Wait for the ConnectionAttemptEvent that a reader sends first (clause 8.2 of LLRP)."""
        deadline = time.monotonic() + self._patience
        while (left := deadline - time.monotonic()) > 0:
            for message in connection.receive(left):
                if message.type != READER_EVENT_NOTIFICATION:
                    continue
                event = m.parse_event(message)
                self._take_event(connection, event)
                if event.connection == 0:
                    return
                if event.connection is not None:
                    reason = m.REFUSALS.get(event.connection, f"status {event.connection}")
                    raise connection.refused(
                        "the connection", reason, "disconnect the other client, or restart the reader"
                    )
        raise connection.lost(f"no LLRP greeting within {self._patience:g} s")

    def _request(self, connection: _Connection, kind: int, body: bytes, *, needed: bool = True) -> Message:
        """Send and await the response. A failure is an error unless the request was not ``needed``.

        Requests never overlap: some readers see the second of two that arrive together only after more bytes come.
        """
        message = self._answer(connection, kind, connection.send(kind, body), self._patience)
        reason = m.parse_status(message)
        if message.type == ERROR_MESSAGE and reason is None:
            reason = "no reason given"
        if reason is not None and needed:
            fix = "check the antenna numbers and session in the configuration, and the reader's firmware"
            raise connection.refused(m.NAMES[kind], reason, fix)
        return message

    def _answer(self, connection: _Connection, kind: int, number: int, seconds: float) -> Message:
        deadline = time.monotonic() + seconds
        answer: Message | None = None
        while answer is None and (left := deadline - time.monotonic()) > 0:
            for message in connection.receive(left):
                if message.id == number and message.type in (m.RESPONSES[kind], ERROR_MESSAGE):
                    answer = message
                else:
                    self._take(connection, message)
        if answer is None:
            raise connection.lost(f"no answer to {m.NAMES[kind]} within {seconds:g} s")
        return answer

    def _take(self, connection: _Connection, message: Message) -> None:
        """Anything that is not the answer to a request: reports and events count, the rest needs no action."""
        try:
            self._waiting.extend(self._timed(read) for read in connection.decoder.reads(message))
            if message.type == READER_EVENT_NOTIFICATION:
                self._take_event(connection, m.parse_event(message))
        except FormatError as error:
            raise connection.lost(str(error)) from error

    def _take_event(self, connection: _Connection, event: m.ReaderEvent) -> None:
        if event.utc is None and event.uptime is not None:
            connection.decoder.boot = self._clock() - event.uptime / 1e6
        self.dropped += event.overflow
        if event.closed:
            raise connection.lost("it said that it closes the connection")

    def _timed(self, read: TagRead) -> TagRead:
        if self._timestamps != "reader":
            arrival = self._clock()
            if self._timestamps == "host":
                return TagRead(arrival, read.epc, read.antenna, read.rssi_dbm)
            if abs(arrival - read.time - self._shift) > _SKEW:
                self._shift = arrival - read.time if abs(arrival - read.time) > _SKEW else 0.0
            if self._shift:
                read = TagRead(read.time + self._shift, read.epc, read.antenna, read.rssi_dbm)
        self._last = (read.time, time.monotonic())
        return read

    def _now(self) -> float:
        """The time on the clock of the reads: with ``reader`` it goes on from the last of them."""
        if self._timestamps == "reader" and self._last is not None:
            return self._last[0] + time.monotonic() - self._last[1]
        return self._clock()
