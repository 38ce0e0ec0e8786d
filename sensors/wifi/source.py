"""Sources of probe requests: recorded captures and live pipes, both pseudonymous as they come out."""

import heapq
import math
import os
import select
import stat
import time as clocks
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from sensors.errors import FormatError, SourceError
from sensors.readings import Attention, ProbeRequest, Silence
from sensors.wifi.capture import HEAD, Packet, Parser, open_parser
from sensors.wifi.config import FifoConfig, KismetConfig, LiveConfig, PcapConfig
from sensors.wifi.hashing import Pseudonyms
from sensors.wifi.kismet import KismetSource
from sensors.wifi.live import LiveSource
from sensors.wifi.probes import WAIT, Hearing, Probes

_CHUNK = 64 * 1024
MAX_SILENT_GAP = 3600.0
"""Seconds without any frame after which a recording no longer counts as having listened: a stopped capture and an empty
hour look alike, and a gap must not be shown as nobody (DESIGN, delivery 4)."""

MAX_SPANS = 10_000
"""More pauses of an hour, or jumps of the clock, are no recording of a store; what lies behind them is damaged."""


def open_wifi(
    config: PcapConfig | FifoConfig | LiveConfig | KismetConfig, clock: Callable[[], float] = clocks.time
) -> "AnyWifi":
    """The source that a configuration names, not yet entered. ``clock`` (epoch seconds) dates a live one's silences."""
    if isinstance(config, LiveConfig):
        return LiveSource(config.interface, ring_mib=config.ring_mib, clock=clock)
    if isinstance(config, KismetConfig):
        return KismetSource(config, clock=clock)
    if isinstance(config, FifoConfig):
        return PipeSource(config.path, clock=clock)
    return CaptureSource(config.paths, start=config.start, speed=config.speed)


class CaptureSource(Probes):
    """Recorded captures of one place, merged by time.

    ``start`` is added to every time. With ``speed`` the readings come at that pace and the waits are told as
    ``Silence``; without it they come as fast as they are asked for. A record that is cut off at the end of a file, as
    when the capture was stopped, ends that file with a sentence in ``notices`` and one more in ``malformed``.
    Iterating raises ``FormatError`` at damage in the middle, after what came before it.
    ``spans`` says what the recordings cover: ``(first, last)`` seconds, one for each stretch without a longer gap than
    ``MAX_SILENT_GAP``, as far as it was read.
    """

    def __init__(
        self,
        paths: tuple[Path, ...],
        *,
        start: float = 0.0,
        speed: float | None = None,
        pseudonyms: Pseudonyms | None = None,
        clock: Callable[[], float] = clocks.monotonic,
        wait: Callable[[float], None] = clocks.sleep,
    ) -> None:
        super().__init__(pseudonyms)
        self._paths = paths
        self._shift = start
        self._speed = speed
        self._clock = clock
        self._wait = wait
        self._files = ExitStack()
        self._open: list[tuple[BinaryIO, Parser, bytes, str]] = []
        self.notices: list[str] = []
        self._spans: list[list[float]] = []

    def __enter__(self) -> Self:
        try:
            for path in self._paths:
                self._open.append(self._opened(path))
        except BaseException:
            self._files.close()
            raise
        return self

    def _opened(self, path: Path) -> tuple[BinaryIO, Parser, bytes, str]:
        try:
            file = self._files.enter_context(path.open("rb"))
            head = file.read(_CHUNK)
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror}", "check the path and the permissions") from error
        return file, open_parser(head, str(path)), head, str(path)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def __iter__(self) -> Iterator[ProbeRequest | Silence]:
        streams = [chain.from_iterable(self._fed(*opened)) for opened in self._open]
        merged = streams[0] if len(streams) == 1 else heapq.merge(*streams, key=_time)
        return self._readings(merged) if self._speed is None else self._paced(merged, self._speed)

    def _fed(self, file: BinaryIO, parser: Parser, head: bytes, name: str) -> Iterator[Iterator[Packet]]:
        chunk = head
        while chunk:
            yield parser.feed(chunk)
            try:
                chunk = file.read(_CHUNK)
            except OSError as error:
                raise SourceError(f"{name}: {error.strerror}", "check the disk that holds it") from error
        if parser.leftover is not None:
            self.malformed += 1
            self.notices.append(f"{name}: the last record, at offset {parser.leftover}, is cut off and was left out")

    @property
    def spans(self) -> list[tuple[float, float]]:
        """What has been covered so far; a clock that was set back may make spans overlap."""
        return [(first, last) for first, last in self._spans]

    def _readings(self, packets: Iterator[Packet]) -> Iterator[ProbeRequest]:
        shift, parse = self._shift, self._parser.parse
        span = [math.inf, math.inf]
        for time, link, data, cut in packets:
            time += shift
            if 0 <= time - span[1] <= MAX_SILENT_GAP:
                span[1] = time
            elif (found := self._span(span, time)) is not None:
                span = found
            else:
                self.malformed += 1
                continue
            try:
                probe = parse(time, link, data, cut)
            except FormatError:
                self.malformed += 1
                continue
            if probe is not None:
                self.frames += 1
                yield probe

    def _paced(self, packets: Iterator[Packet], speed: float) -> Iterator[ProbeRequest | Silence]:
        begun: float | None = None
        first = 0.0
        for probe in self._readings(packets):
            if begun is None:
                begun, first = self._clock(), probe.time
            due = begun + (probe.time - first) / speed
            while (left := due - self._clock()) > 0:
                self._wait(min(left, WAIT))
                yield Silence(min(probe.time, first + (self._clock() - begun) * speed))
            yield probe

    def _span(self, span: list[float], time: float) -> list[float] | None:
        """The span that ``time`` belongs to: the present one when it is a little late, else a new one.

        ``None`` when there are ``MAX_SPANS`` already: then the times are damaged.
        """
        if span[0] <= time <= span[1] or 0 <= span[0] - time <= MAX_SILENT_GAP:
            span[0] = min(span[0], time)
            return span
        if len(self._spans) >= MAX_SPANS:
            return None
        self._spans.append([time, time])
        return self._spans[-1]


def _time(packet: Packet) -> float:
    return packet[0]


class PipeSource(Probes):
    """A live capture through a named pipe or standard input (``-``).

    Iterating waits for the writer as long as it takes, with a ``Silence`` each second and an ``Attention`` when no
    frame of any kind has come for a minute, and raises ``SourceError`` when the writer has gone. ``clock`` gives the
    time of a silence (epoch seconds).
    """

    def __init__(
        self, path: Path, *, pseudonyms: Pseudonyms | None = None, clock: Callable[[], float] = clocks.time
    ) -> None:
        super().__init__(pseudonyms)
        self._path = path
        self._name = "standard input" if str(path) == "-" else str(path)
        self._clock = clock
        self._descriptor = -1

    def __enter__(self) -> Self:
        try:
            if str(self._path) == "-":
                self._descriptor = os.dup(0)
                return self
            # Without O_NONBLOCK, opening would hang until somebody writes, and nobody could stop us.
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            if not stat.S_ISFIFO(os.fstat(self._descriptor).st_mode):
                os.close(self._descriptor)
                raise SourceError(f"{self._name}: not a named pipe", f"make one with: mkfifo {self._name}")
        except OSError as error:
            fix = f"make it with: mkfifo {self._name}"
            raise SourceError(f"{self._name}: {error.strerror}", fix) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def __iter__(self) -> Iterator[ProbeRequest | Attention | Silence]:
        head = b""
        parser: Parser | None = None
        told = self._clock()
        hearing, heard = Hearing(told), False
        while True:
            chunk = self._read()
            now = self._clock()
            if chunk and parser is None:
                head += chunk
                if len(head) >= HEAD:
                    parser, chunk = open_parser(head, self._name), head
            if chunk and parser is not None:
                for packet in parser.feed(chunk):
                    heard = True
                    probe = self._probe(packet)
                    if probe is not None:
                        yield probe
            if not chunk or not 0 <= now - told < WAIT:  # also when only frames of other kinds are in the air
                told = now
                self._names.rotate_at(now)  # a salt ends in time, whether anything is heard or not
                sign, heard = hearing.sign(heard, now), False
                if sign is not None:
                    yield sign
                yield Silence(now)

    def _read(self) -> bytes:
        """The next bytes, or none after a second without any. Raises ``SourceError`` when the writer has gone."""
        try:
            ready, _, _ = select.select([self._descriptor], [], [], WAIT)
            if not ready:
                return b""
            chunk = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise SourceError(f"{self._name}: {error.strerror}", "start the capture tool again") from error
        if not chunk:
            raise SourceError(f"{self._name}: the capture ended", "start the capture tool again (tcpdump -U -w)")
        return chunk


AnyWifi = CaptureSource | PipeSource | LiveSource | KismetSource
"""Every kind of source that captured frames come from."""
