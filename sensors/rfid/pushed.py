"""Tags that readers send by HTTP POST: a small server on the box, for machines in the store's network only."""

import base64
import binascii
import hmac
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

from sensors.errors import FormatError, SourceError
from sensors.readings import Silence, TagRead
from sensors.rfid.heard import LARGEST, Parse, Timing

_WAITING: Final = 20_000
"""Reads that wait for the box at most: ten seconds of two busy readers, some 4 MB."""
_CONNECTIONS: Final = 32
_CHUNK: Final = 64 * 1024
_SILENCE_AFTER: Final = 1.0
_CLOSING: Final = 2.0


class PushedSource:
    """The reads in POST requests to ``path`` on ``host``:``port`` (0: any free one, see ``port``), by ``parse``.

    With a ``secret``, a request must bring it: as ``Authorization: Bearer SECRET``, or as the password of Basic. A
    request is taken whole and answered 200, or not at all: 400 what cannot be read, 401 without the secret, 413 over
    256 KB, 503 while 20,000 reads wait. A connection that has sent no whole request within ``patience`` seconds is
    closed. ``dropped`` counts what was not taken: reads where they could be counted, else requests.
    """

    def __init__(
        self,
        host: str,
        port: int,
        path: str,
        parse: Parse,
        timing: Timing,
        *,
        secret: str | None = None,
        patience: float = 10.0,
        waiting: int = _WAITING,
    ) -> None:
        self._address = (host, port)
        self.path = path
        self._parse = parse
        self._timing = timing
        self._secret = secret
        self.patience = patience
        self._most = waiting
        self._reads: deque[TagRead] = deque()
        self._ready = threading.Condition()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self.dropped = 0

    @property
    def port(self) -> int:
        """Where it listens, once entered."""
        assert self._server is not None
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        host, port = self._address
        try:
            self._server = _Server(self, host, port)
        except (OSError, OverflowError) as error:
            said = getattr(error, "strerror", None) or str(error)
            fix = "choose a free port, and an address of this machine, for this reader"
            raise SourceError(f"cannot listen on {host}:{port}: {said}", fix) from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="tags", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.close_connections(0.0)
            server.server_close()
        if self._thread is not None:
            self._thread.join(_CLOSING)

    def __iter__(self) -> Iterator[TagRead | Silence]:
        while (server := self._server) is not None:
            with self._ready:
                if not self._reads:
                    self._ready.wait(_SILENCE_AFTER)
                reads = list(self._reads)
                self._reads.clear()
            yield from reads
            server.close_connections(self.patience)
            if not reads:
                yield Silence(self._timing.now())

    def allowed(self, header: str | None) -> bool:
        """Whether a request with this ``Authorization`` brings the secret."""
        if self._secret is None:
            return True
        kind, _, given = (header or "").partition(" ")
        if kind.lower() == "basic":
            try:
                given = base64.b64decode(given, validate=True).decode().partition(":")[2]
            except (binascii.Error, ValueError):
                return False
        elif kind.lower() != "bearer":
            return False
        return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), self._secret.encode())

    def take(self, payload: bytes) -> int:
        """Take one request's body; the status to answer with."""
        try:
            parsed = self._parse(payload)
        except FormatError:
            self.refuse()
            return 400
        with self._ready:
            if len(self._reads) + len(parsed.reads) > self._most:
                self.dropped += max(1, len(parsed.reads))
                return 503
            self.dropped += parsed.unreadable
            self._reads.extend(self._timing.timed(read) for read in parsed.reads)
            self._ready.notify()
        return 400 if parsed.unreadable and not parsed.reads else 200

    def refuse(self) -> None:
        """Count a request that was not taken."""
        with self._ready:
            self.dropped += 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, source: PushedSource, host: str, port: int) -> None:
        self.source = source
        self._began: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # Without the look for a host name of HTTPServer, which asks the network.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def verify_request(self, request: Any, client_address: Any) -> bool:
        with self._lock:
            if len(self._began) >= _CONNECTIONS:
                return False
            self._began[request] = time.monotonic()
        return True

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._began.pop(request, None)
        super().shutdown_request(request)

    def begin(self, request: socket.socket) -> None:
        """A request of this connection is awaited from now on."""
        with self._lock:
            if request in self._began:
                self._began[request] = time.monotonic()

    def close_connections(self, patience: float) -> None:
        """Those whose request has taken ``patience`` seconds or more; their threads end."""
        now = time.monotonic()
        with self._lock:
            late = [connection for connection, began in self._began.items() if now - began >= patience]
        for connection in late:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # gone by itself

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Who hangs up in the middle of a request sends it again, or does not; nothing of it was taken.
        self.source.refuse()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "yingke", ""
    server: _Server

    def handle_one_request(self) -> None:
        self.server.begin(self.connection)
        super().handle_one_request()

    def do_POST(self) -> None:
        """Take the body, or say why not."""
        source = self.server.source
        if not source.allowed(self.headers.get("Authorization")):
            return self._refuse(401)
        if self.path.partition("?")[0] != source.path:
            return self._refuse(404)
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not length:
            return self._refuse(411)
        if not (length.isascii() and length.isdigit() and len(length) < 12):
            return self._refuse(400)
        if int(length) > LARGEST:
            return self._refuse(413)
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            return self._refuse(400)
        self._answer(source.take(body))

    do_PUT = do_POST

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: what strangers send does not belong in the log."""

    def _refuse(self, status: int) -> None:
        """The rest of the request is not read: the connection ends."""
        self.server.source.refuse()
        self.close_connection = True
        self._answer(status)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        if status == 401:
            self.send_header("WWW-Authenticate", "Basic")
        if status == 503:
            self.send_header("Retry-After", "1")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
