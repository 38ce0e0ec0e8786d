"""Receives Meraki's posts over HTTP. Addresses are hashed in the thread that reads them, and never queued."""

import hmac
import queue
import ssl
import threading
import time as clocks
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket
from types import TracebackType
from typing import Any, Self

from sensors.errors import FormatError, SourceError
from sensors.readings import Attention, ClientHeard, Silence
from sensors.wifi.feeds import meraki
from sensors.wifi.feeds.config import MerakiConfig
from sensors.wifi.feeds.parsing import Hasher

LARGEST_POST = 4 * 1024 * 1024
"""Bytes. A client takes about a kilobyte in version 3, so some thousand clients a minute."""
TIMEOUT_S = 10.0
"""Seconds that a sender may be silent within a post."""
_WHOLE_S = 30.0
_SENDERS = 8
"""Posts read at the same time; Meraki sends one a minute and network."""
_WAITING = 32
_WAIT = 1.0

Batch = tuple[float, list[ClientHeard]]


class MerakiSource:
    """The receiver of one Meraki network; see ``sensors.readings.Source``.

    Entering binds the address and raises ``SourceError`` when that, the secret or the certificate fails. ``port`` is
    the one that is listened on. ``malformed`` counts posts and clients that could not be read, ``refused`` posts
    without the secret, ``dropped`` posts that came faster than they could be taken.
    """

    def __init__(
        self, config: MerakiConfig, clock: Callable[[], float] = clocks.time, hasher: Hasher | None = None
    ) -> None:
        self._config = config
        self._clock = clock
        self._hasher = hasher or Hasher()
        self._batches: queue.Queue[Batch] = queue.Queue(_WAITING)
        self._lock = threading.Lock()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self.malformed = 0
        self.refused = 0
        self.dropped = 0
        self.port = 0

    def __enter__(self) -> Self:
        secret = _secret(self._config.secret_file)
        where = f"{self._config.host}:{self._config.port}"
        try:
            context = _tls(self._config)
            self._server = _Server((self._config.host, self._config.port), self, secret, context)
        except OSError as error:
            raise SourceError(
                f"{self._config.name}: {where} cannot be listened on: {error.strerror or error}",
                "correct host, port, certificate or key of this access point's section",
            ) from error
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.2,), name="meraki", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        assert self._thread is not None
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __iter__(self) -> Iterator[ClientHeard | Attention | Silence]:
        while True:
            try:
                time, readings = self._batches.get(timeout=_WAIT)
            except queue.Empty:
                yield Silence(self._clock())
                continue
            yield Attention(time, None)
            yield from readings

    @property
    def validator(self) -> str:
        """What a GET is answered with, so that Meraki believes that this is the receiver that was meant."""
        return self._config.validator

    def take(self, body: bytes, secret: str) -> int:
        """One post, in the thread of its connection; gives the HTTP status."""
        now = self._clock()
        try:
            post = meraki.secret_fits(body, secret)
            if post is None:
                self._count("refused")
                return 403
            heard, damaged = meraki.heard(post)
        except FormatError:
            self._count("malformed")
            return 400
        self._count("malformed", damaged)
        try:
            self._batches.put_nowait((now, self._hasher.readings(heard, now)))
        except queue.Full:
            self._count("dropped")
            return 503
        return 200

    def _count(self, what: str, number: int = 1) -> None:
        with self._lock:
            setattr(self, what, getattr(self, what) + number)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(
        self, address: tuple[str, int], source: MerakiSource, secret: str, context: ssl.SSLContext | None
    ) -> None:
        self.source = source
        self.secret = secret
        self._context = context
        self._places = threading.BoundedSemaphore(_SENDERS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            request.settimeout(TIMEOUT_S)
            if self._context is not None:
                # Here, so that a slow handshake keeps nobody else waiting.
                request = self._context.wrap_socket(request, server_side=True)
            super().process_request_thread(request, client_address)
        except OSError:
            self.shutdown_request(request)
        finally:
            self._places.release()

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """A connection that broke is the sender's affair; nothing of it is written anywhere."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "yingke"
    sys_version = ""
    timeout = TIMEOUT_S

    def do_GET(self) -> None:
        self._answer(200, self.server.source.validator)

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit():
            self._answer(411, "length required")
            return
        if int(length) > LARGEST_POST:
            self._answer(413, "too large")
            return
        body = self._body(int(length))
        if body is not None:
            status = self.server.source.take(body, self.server.secret)
            self._answer(status, "ok" if status == 200 else "refused")

    def _body(self, length: int) -> bytes | None:
        """The body; None for one that came too slowly or not whole."""
        deadline = clocks.monotonic() + _WHOLE_S
        body = bytearray()
        while len(body) < length:
            part = self.rfile.read1(min(65536, length - len(body)))
            if not part or clocks.monotonic() > deadline:
                self.close_connection = True
                return None
            body += part
        return bytes(body)

    def _answer(self, status: int, text: str) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: request lines could hold anything."""


def _secret(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8").split("\n", 1)[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"the secret file {path} cannot be read", "create it with mode 0600") from error
    if mode & 0o007:
        raise SourceError(f"the secret file {path} is open to every user", f"chmod o-rwx {path}")
    if len(text) < 12 or hmac.compare_digest(text.lower().encode(), b"supersecret123"):
        raise SourceError(
            f"the secret in {path} is too short, or an example", "take a random one of 12 characters or more"
        )
    return text


def _tls(config: MerakiConfig) -> ssl.SSLContext | None:
    if config.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(config.certificate, config.key)
    return context
