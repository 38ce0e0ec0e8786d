"""Recorded reads: the bytes that a reader sent over TCP, or JSON lines as ``yingke rfid decode --json`` writes them."""

import json
import math
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from sensors.errors import FormatError, SourceError
from sensors.readings import Silence, TagRead
from sensors.rfid.llrp import READER_EVENT_NOTIFICATION, Decoder
from sensors.rfid.messages import GET_READER_CAPABILITIES, RESPONSES, parse_event

_CHUNK: Final = 1 << 16
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})*")
_REQUESTS: Final = frozenset(RESPONSES) | {GET_READER_CAPABILITIES}


def open_recording(path: str) -> AbstractContextManager[BinaryIO]:
    """The file at ``path``, or standard input for ``-``. Raises ``SourceError`` when it cannot be opened."""
    if path == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise SourceError(
            f"cannot open {path}: {error.strerror}", "check the name; it must be a readable file"
        ) from error


def decode_stream(stream: BinaryIO) -> Iterator[TagRead]:
    """Every tag read of a recorded LLRP stream, in the order of the bytes.

    A report without a timestamp takes that of the message before it. Raises ``FormatError``, after the last good read,
    where the stream is cut or damaged, and when it is the client's half of a conversation.
    """
    decoder, reads, requests = Decoder(), 0, 0
    while chunk := _read(stream):
        decoder.feed(chunk)
        for message in decoder.messages():
            for read in decoder.reads(message):
                decoder.latest = read.time
                reads += 1
                yield read
            if message.type == READER_EVENT_NOTIFICATION:
                event = parse_event(message)
                if event.utc is not None:
                    decoder.latest = event.utc / 1e6
                    if event.uptime is not None:
                        decoder.boot = (event.utc - event.uptime) / 1e6
            requests += message.type in _REQUESTS
    decoder.close()
    if requests and not reads:
        raise FormatError(
            "the stream holds requests to a reader and no tag reports",
            "record the bytes that come from the reader, not those sent to it",
        )


def _read(stream: BinaryIO) -> bytes:
    try:
        return stream.read(_CHUNK)
    except OSError as error:
        raise SourceError(f"cannot read the recording: {error.strerror}", "it must be a file, not a folder") from error


def parse_lines(lines: Iterable[bytes]) -> Iterator[TagRead]:
    """Reads from JSON lines ``{"t", "epc", "antenna", "rssi_dbm"}``; blank lines are skipped.

    ``antenna`` and ``rssi_dbm`` may be null or missing. Raises ``FormatError`` naming the line (from 1).
    """
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield _parse(line)
            except (ValueError, RecursionError) as error:
                reason = "not JSON" if isinstance(error, json.JSONDecodeError | RecursionError) else str(error)
                raise FormatError(
                    f"line {number} is not a tag read: {reason}",
                    'each line is {"t": seconds, "epc": "hex", "antenna": number, "rssi_dbm": number or null}',
                ) from error


def _parse(line: bytes) -> TagRead:
    try:
        document = json.loads(line)
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8 text") from error
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")
    epc = document.get("epc")
    if not isinstance(epc, str) or not _HEX.fullmatch(epc):
        raise ValueError("epc is not hexadecimal text")
    antenna = document.get("antenna")
    if antenna is not None and (type(antenna) is not int or not 0 <= antenna <= 0xFFFF):
        raise ValueError("antenna is not a number from 1")
    time, rssi = _number(document, "t"), _number(document, "rssi_dbm")
    if time is None:
        raise ValueError("t is missing")
    return TagRead(time, epc.upper(), antenna or 0, rssi)


def _number(document: dict[str, object], name: str) -> float | None:
    value = document.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
        raise ValueError(f"{name} is not a number")
    assert math.isfinite(value)
    return float(value)


class ReplaySource:
    """A recording as a source: as fast as it is read, then it ends.

    A name that ends in `.jsonl`, `.ndjson` or `.json` is JSON lines, any other LLRP bytes.
    """

    dropped = 0

    def __init__(self, path: str) -> None:
        self._path = path
        self._opened: AbstractContextManager[BinaryIO] | None = None
        self._stream: BinaryIO | None = None

    def __enter__(self) -> Self:
        self._opened = open_recording(self._path)
        self._stream = self._opened.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened is not None:
            self._opened.__exit__(kind, error, trace)
            self._opened = self._stream = None

    def __iter__(self) -> Iterator[TagRead | Silence]:
        if self._stream is None:
            raise SourceError(f"{self._path} is not open", "enter the source before iterating it")
        if self._path.endswith((".jsonl", ".ndjson", ".json")):
            yield from parse_lines(self._stream)
        else:
            yield from decode_stream(self._stream)
