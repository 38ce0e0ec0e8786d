"""Probe requests from a running Kismet: its live pcapng stream over HTTP.

Written after Kismet's documentation ("Packet capture" and "Logins and sessions" at kismetwireless.net/docs/api), and
tested against a server made after the same pages; no real Kismet has been tried.
"""

import os
import re
import select
import socket
import stat
import time as clocks
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from sensors.errors import SourceError
from sensors.http_body import Body
from sensors.readings import Attention, ProbeRequest, Silence
from sensors.wifi.capture import PcapngParser
from sensors.wifi.config import KismetConfig
from sensors.wifi.hashing import Pseudonyms
from sensors.wifi.probes import WAIT, Hearing, Probes

_CHUNK = 64 * 1024
_OPEN_S = 10.0
_MAX_HEAD = 16 * 1024
_AGAIN = "see that Kismet runs, and that edge and Kismet agree on host and port"
_KEY = "make an API key with the role readonly in Kismet's settings, and put it into the file"


class KismetSource(Probes):
    """All packets, or those of one data source, from the moment of entering on.

    Entering raises ``SourceError`` when Kismet is not there or refuses the key. Iterating yields as ``LiveSource`` does
    and raises ``SourceError`` when the stream ends, ``FormatError`` when it is damaged. Packets that are not Wi-Fi are
    left out: Kismet may listen to Bluetooth as well.
    """

    def __init__(
        self,
        config: KismetConfig,
        *,
        pseudonyms: Pseudonyms | None = None,
        clock: Callable[[], float] = clocks.time,
    ) -> None:
        super().__init__(pseudonyms)
        self._config = config
        self._name = f"Kismet at {config.host}:{config.port}"
        self._clock = clock
        self._socket: socket.socket
        self._body: Body
        self._first = b""

    def __enter__(self) -> Self:
        key = _key(self._config.token_file)
        try:
            self._socket = socket.create_connection((self._config.host, self._config.port), _OPEN_S)
        except OSError as error:
            raise SourceError(f"{self._name}: {error.strerror or error}", _AGAIN) from error
        try:
            self._body, self._first = self._ask(key)
        except OSError as error:
            self._socket.close()
            raise SourceError(f"{self._name}: {error.strerror or error}", _AGAIN) from error
        except BaseException:
            self._socket.close()
            raise
        return self

    def _ask(self, key: str) -> tuple["Body", bytes]:
        source = self._config.source
        path = f"/datasource/pcap/by-uuid/{source}/packets.pcapng" if source else "/pcap/all_packets.pcapng"
        # A key goes into the cookie of the same name, alone ("Logins and sessions").
        lines = (f"GET {path} HTTP/1.1", f"Host: {self._config.host}", f"Cookie: KISMET={key}", "Connection: close")
        self._socket.sendall("\r\n".join((*lines, "", "")).encode("ascii"))
        answer = b""
        while b"\r\n\r\n" not in answer:
            chunk = self._socket.recv(_CHUNK)
            answer += chunk
            if not chunk or len(answer) > _MAX_HEAD + _CHUNK:
                raise SourceError(f"{self._name}: no HTTP answer", _AGAIN)
        head, rest = answer.split(b"\r\n\r\n", 1)
        status, *fields = head.split(b"\r\n")
        code = status.split()[1:2]
        if code in ([b"401"], [b"403"]):
            raise SourceError(f"{self._name}: refuses the API key", _KEY, patience=60.0)
        if code != [b"200"]:
            shown = status[:60].decode("ascii", "replace")
            raise SourceError(f"{self._name}: answers {shown}", "see that the data source's UUID is one of Kismet's")
        chunked = any(
            name.strip().lower() == b"transfer-encoding" and b"chunked" in value.lower()
            for name, _, value in (field.partition(b":") for field in fields)
        )
        return Body(chunked, self._name), rest

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def __iter__(self) -> Iterator[ProbeRequest | Attention | Silence]:
        parser = PcapngParser(self._name, only_wifi=True)
        told = self._clock()
        hearing, heard = Hearing(told), False
        chunk = self._first
        while True:
            for packet in parser.feed(self._body.feed(chunk)):
                heard = True
                probe = self._probe(packet)
                if probe is not None:
                    yield probe
            now = self._clock()
            if not 0 <= now - told < WAIT:
                told = now
                self._names.rotate_at(now)  # a salt ends in time, whether anything is heard or not
                sign, heard = hearing.sign(heard, now), False
                if sign is not None:
                    yield sign
                yield Silence(now)
            chunk = self._read()

    def _read(self) -> bytes:
        """The next bytes, or none after a second without any."""
        try:
            ready, _, _ = select.select([self._socket], [], [], WAIT)
            if not ready:
                return b""
            chunk = self._socket.recv(_CHUNK)
        except OSError as error:
            raise SourceError(f"{self._name}: {error.strerror or error}", _AGAIN) from error
        if not chunk:
            raise SourceError(f"{self._name}: the stream ended", _AGAIN)
        return chunk


def _key(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            key = file.read(4096).strip()
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}", _KEY) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SourceError(f"{path}: others may read the API key", f"chmod 600 {path}")
    if not re.fullmatch(rb"[!-:<-~]{1,2048}", key):
        raise SourceError(f"{path}: holds no API key", _KEY)
    return key.decode("ascii")
