"""Impinj R700 (and R510, R515, R720): events of the IoT device interface, by HTTP stream, HTTP POST or MQTT.

Written after Impinj's public description of the interface (REST API 1.x: ``/data/stream`` gives one JSON object a line,
``tagInventory`` events; the MQTT and HTTP forms carry the same objects, one or an array of them) and after open-source
clients of it. Read against those documents only; no reader and no recording of one has been tried.
"""

import base64
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

from sensors.errors import FormatError, SourceError
from sensors.http_body import Body
from sensors.readings import Silence, TagRead
from sensors.rfid import heard
from sensors.rfid.heard import Heard, Parsed, Timing
from sensors.secret import read_secret

_CHUNK: Final = 64 * 1024
_MAX_HEAD: Final = 16 * 1024
_LONGEST_LINE: Final = 64 * 1024
_WAKE: Final = 1.0
_AGAIN: Final = "check that the reader is on, its address, and that its interface is set to IoT device interface"
_LOGIN: Final = "correct user and password_file of this reader"


def parse_impinj(payload: bytes, antenna: int = 0) -> Parsed:
    """The ``tagInventory`` events in one message: an object, or an array. Other kinds of events hold no reads."""
    events = heard.document(payload)
    return heard.each(events if isinstance(events, list) else [events], lambda event: _read(event, antenna))


def _read(event: Any, antenna: int) -> Heard | None:
    document = heard.dictionary(event)
    if "tagInventoryEvent" not in document:
        if "eventType" in document or any(name.endswith("Event") for name in document):
            return None  # the start and end of an inventory, antennas, GPIO
        raise heard.refused("no event of an Impinj reader")
    tag = heard.dictionary(document["tagInventoryEvent"])
    epc = heard.epc_of(tag["epcHex"]) if "epcHex" in tag else heard.epc_of_base64(tag.get("epc"))
    seen = tag.get("lastSeenTime", document.get("timestamp"))
    port = heard.antenna_of(tag.get("antennaPort"), antenna)
    return Heard(heard.moment_of(seen), epc, port, heard.rssi_of(tag.get("peakRssiCdbm"), 0.01))


class ImpinjSource:
    """The stream of events of one reader, from the moment of entering on; ``preset`` is an inventory to start first.

    ``tls`` is None for plain HTTP, else the context to use. ``dropped`` counts what was no event.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        timing: Timing,
        user: str,
        password_file: Path | None = None,
        tls: ssl.SSLContext | None = None,
        preset: str | None = None,
        antenna: int = 0,
        patience: float = 5.0,
    ) -> None:
        self._address = (host, port)
        self._name = f"Impinj reader {host}:{port}"
        self._timing = timing
        self._user, self._password_file = user, password_file
        self._tls = tls
        self._preset = preset
        self._antenna = antenna
        self._patience = patience
        self._socket: socket.socket | None = None
        self._body = Body(False, self._name)
        self._first = b""
        self.dropped = 0

    def __enter__(self) -> Self:
        self._line, self._skipping = b"", False
        if self._preset is not None:
            started, status, _, _ = self._ask(
                f"POST /api/v1/profiles/inventory/presets/{quote(self._preset, '')}/start"
            )
            started.close()
            if not 200 <= status < 300 and status != 409:  # 409: an inventory runs already
                fix = "see that the preset is one of the reader's (GET /api/v1/profiles/inventory/presets)"
                raise SourceError(f"{self._name}: answers {status} to the start of {self._preset}", fix)
        stream, status, chunked, rest = self._ask("GET /api/v1/data/stream")
        if status != 200:
            stream.close()
            fix = "start an inventory on the reader, or set preset, such as default"
            raise SourceError(f"{self._name}: answers {status} to /api/v1/data/stream", fix)
        self._socket, self._body, self._first = stream, Body(chunked, self._name), rest
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __iter__(self) -> Iterator[TagRead | Silence]:
        if self._socket is None:
            raise SourceError(f"{self._name} is not connected", "enter the source before iterating it")
        chunk: bytes = self._first
        while True:
            reads = [read for line in self._lines(self._body.feed(chunk)) for read in self._take(line)]
            yield from reads
            if not reads:
                yield Silence(self._timing.now())
            chunk = self._receive(self._socket)

    def _take(self, line: bytes) -> list[TagRead]:
        if not line.strip():
            return []  # keeps the connection alive
        try:
            parsed = parse_impinj(line, self._antenna)
        except FormatError:
            self.dropped += 1
            return []
        self.dropped += parsed.unreadable
        return [self._timing.timed(read) for read in parsed.reads]

    def _lines(self, data: bytes) -> list[bytes]:
        """The lines that ``data`` completes; one that is too long is counted and left out."""
        *whole, self._line = (self._line + data).split(b"\n")
        if whole and self._skipping:
            del whole[0]
            self._skipping = False
        if len(self._line) > _LONGEST_LINE:
            self.dropped += not self._skipping
            self._line, self._skipping = b"", True
        return whole

    def _receive(self, stream: socket.socket) -> bytes:
        """The next bytes, or none after a second without any."""
        try:
            chunk = stream.recv(_CHUNK)
        except TimeoutError:
            return b""
        except OSError as error:
            raise self._lost(error) from error
        if not chunk:
            raise SourceError(f"{self._name}: the stream ended", _AGAIN)
        return chunk

    def _ask(self, request: str) -> tuple[socket.socket, int, bool, bytes]:
        """Connect and send one request: the connection, the status, whether chunks follow, and their beginning."""
        password = read_secret(self._password_file, _LOGIN) if self._password_file is not None else "impinj"
        login = base64.b64encode(f"{self._user}:{password}".encode()).decode("ascii")
        head = f"{request} HTTP/1.1\r\nHost: {self._address[0]}\r\nAuthorization: Basic {login}\r\n"
        head += "Accept: application/json\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        try:
            plain = socket.create_connection(self._address, self._patience)
        except OSError as error:
            raise self._lost(error) from error
        try:
            # A reader that loses power says nothing: the kernel asks it.
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
                if hasattr(socket, name):
                    plain.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
            if self._tls is not None:
                plain = self._tls.wrap_socket(plain, server_hostname=self._address[0])
            plain.sendall(head.encode("ascii"))
            status, chunked, rest = self._answer(plain)
            plain.settimeout(_WAKE)
        except OSError as error:
            plain.close()
            raise self._lost(error) from error
        except BaseException:
            plain.close()
            raise
        return plain, status, chunked, rest

    def _answer(self, stream: socket.socket) -> tuple[int, bool, bytes]:
        answer = b""
        while b"\r\n\r\n" not in answer:
            chunk = stream.recv(_CHUNK)
            answer += chunk
            if not chunk or len(answer) > _MAX_HEAD + _CHUNK:
                raise SourceError(f"{self._name}: no HTTP answer", _AGAIN)
        head, rest = answer.split(b"\r\n\r\n", 1)
        first, *fields = head.split(b"\r\n")
        code = first.split()[1:2]
        if not code or not code[0].isdigit() or len(code[0]) != 3:
            raise SourceError(f"{self._name}: no HTTP answer", _AGAIN)
        if code[0] in (b"401", b"403"):
            raise SourceError(f"{self._name}: refuses the login", _LOGIN, reason="login_refused", patience=60.0)
        chunked = any(
            name.strip().lower() == b"transfer-encoding" and b"chunked" in value.lower()
            for name, _, value in (field.partition(b":") for field in fields)
        )
        return int(code[0]), chunked, rest

    def _lost(self, error: OSError) -> SourceError:
        if isinstance(error, ssl.SSLCertVerificationError):
            fix = "set certificate to the reader's own (PEM), or put a trusted one on the reader"
            return SourceError(f"{self._name}: its certificate is not trusted", fix)
        reason = "no answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
        return SourceError(f"{self._name}: {reason}", _AGAIN)


def reader_tls(certificate: Path | None) -> ssl.SSLContext:
    """TLS that trusts the system's authorities or, where given, ``certificate`` alone, whatever name stands in it.

    Readers come with a certificate that they made themselves, in no name that fits. Raises ``SourceError``.
    """
    if certificate is None:
        return ssl.create_default_context()
    try:
        context = ssl.create_default_context(cafile=str(certificate))
    except OSError as error:
        raise SourceError(
            f"{certificate}: {error.strerror or error}", "save the reader's certificate as PEM"
        ) from error
    context.check_hostname = False
    return context
