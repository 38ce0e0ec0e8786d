"""The reader's half of LLRP 1.0.1/1.1: bytes of a TCP stream to messages, messages to tag reports.

Clause 17.1 of the EPCglobal Low Level Reader Protocol standard, version 1.1: a message begins with 3 reserved bits,
3 of version, 10 of type; u32 length, header included; u32 id.
"""

import struct
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from sensors.errors import FormatError
from sensors.readings import TagRead
from sensors.rfid.report import TAG_REPORT_DATA, Layout, TagReport, damaged, spans, unwrapped

HEADER: Final = struct.Struct(">HII")
"""Version and type, length (header included), id: 10 bytes."""
MAX_MESSAGE: Final = 4 << 20
"""Bytes. A report of one tag takes about 50; 4 MiB is 80,000 tags at once, and a garbled length is usually more."""
MAX_LAYOUTS: Final = 64

READER_EVENT_NOTIFICATION: Final = 63
RO_ACCESS_REPORT: Final = 61
KEEPALIVE: Final = 62
ERROR_MESSAGE: Final = 100
MESSAGE_TYPES: Final = frozenset(
    {*range(1, 5), *range(11, 15), *range(20, 27), *range(30, 37), *range(40, 48), *range(50, 58)}
    | {*range(60, 65), 72, ERROR_MESSAGE, 1023}
)
"""Every message type of LLRP 1.0.1 and 1.1 (table 8 of clause 9), 1023 being the vendors' own."""


class Message(NamedTuple):
    """One LLRP message; ``body`` is without the header, ``offset`` is where its header begins in the stream."""

    type: int
    id: int
    body: bytes
    offset: int


class Decoder:
    """Incremental: ``feed`` bytes as they come, take ``messages()``, and of those ``reads()`` or ``reports()``.

    Holds at most one message (``MAX_MESSAGE``) plus what was fed last. After a ``FormatError`` it is of no more use.
    ``boot`` is when the reader started (epoch seconds), for readers that only know their uptime; ``latest`` the time
    given to a report without any timestamp. A recording leaves them at what its event notifications say.
    """

    def __init__(self) -> None:
        self.boot = 0.0
        self.latest = 0.0
        self._buffer = bytearray()
        self._position = 0
        self._offset = 0
        self._layouts: dict[int, Layout] = {}

    @property
    def offset(self) -> int:
        """How many bytes of the stream have been taken as whole messages."""
        return self._offset + self._position

    def feed(self, data: bytes) -> None:
        """Append what came from the reader."""
        del self._buffer[: self._position]
        self._offset += self._position
        self._position = 0
        self._buffer += data

    def messages(self) -> Iterator[Message]:
        """The whole messages fed so far, each once. Raises ``FormatError`` where the stream stops being LLRP."""
        buffer, header = self._buffer, HEADER.size
        while len(buffer) - self._position >= header:
            position = self._position
            offset = self._offset + position
            head, length, number = HEADER.unpack_from(buffer, position)
            kind = head & 0x3FF
            if not 1 <= head >> 10 <= 3 or (offset == 0 and kind not in MESSAGE_TYPES):
                raise self._not_llrp()
            if not header <= length <= MAX_MESSAGE:
                raise damaged(offset, f"message type {kind} claims a length of {length} bytes")
            if position + length > len(buffer):
                return
            self._position = position + length
            yield Message(kind, number, bytes(buffer[position + header : position + length]), offset)

    def _not_llrp(self) -> FormatError:
        if self.offset:
            return damaged(self.offset, "no message begins here")
        return FormatError(
            "not an LLRP stream: its first bytes are no LLRP message",
            "give the bytes that a reader sent over TCP (port 5084), from the first byte of a message on",
        )

    def close(self) -> None:
        """Say that the stream has ended. Raises ``FormatError`` if that was in the middle of a message, or at 0."""
        left = len(self._buffer) - self._position
        if left >= HEADER.size:
            length = HEADER.unpack_from(self._buffer, self._position)[1]
            raise damaged(self.offset, f"cut off, the message has {left} of its {length} bytes")
        if self.offset == 0:
            raise self._not_llrp() if left else FormatError("empty LLRP stream", "record at least one message")
        if left:
            raise damaged(self.offset, f"cut off, the header of a message has {left} of its {HEADER.size} bytes")

    def _layouts_of(self, message: Message) -> Iterator[tuple[int, Layout]]:
        body, base, position = message.body, message.offset + HEADER.size, 0
        if message.type != RO_ACCESS_REPORT:
            return
        size, layouts = len(body), self._layouts
        while position < size:
            layout = layouts.get(int.from_bytes(body[position + 2 : position + 4], "big"))
            if (
                layout is None
                or int.from_bytes(body[position : position + layout.length], "big") & layout.mask != layout.pattern
            ):
                span = next(spans(body, position, len(body), base))
                if span.type != TAG_REPORT_DATA or body[position] & 0x80:
                    position = span.end
                    continue
                layout = Layout(body, span, base)
                if len(layouts) >= MAX_LAYOUTS:
                    layouts.clear()
                layouts[layout.length] = layout
            yield position, layout
            position += layout.length

    def reports(self, message: Message) -> Iterator[TagReport]:
        """Every tag report of ``message`` with all its fields; nothing if it is no report."""
        for position, layout in self._layouts_of(message):
            values: tuple[Any, ...] = layout.unpack(message.body, position)
            yield TagReport(epc_bits=layout.epc_bits, **dict(zip(layout.names, values, strict=True)))

    def reads(self, message: Message) -> Iterator[TagRead]:
        """The same reports as readings: first seen (else last seen), EPC, antenna (0 = not told), peak RSSI."""
        body = message.body
        for position, layout in self._layouts_of(message):
            values: tuple[Any, ...] = (*layout.unpack_read(body, position), None)
            clock, rssi, epc = values[layout.clock], values[layout.rssi], values[layout.epc]
            if clock is None:
                time = self.latest
            else:
                time = clock / 1e6 + self.boot if layout.uptime else clock / 1e6
            text = epc.hex().upper()
            if layout.ascii:
                text = unwrapped(epc, text)
            yield TagRead(time, text, values[layout.antenna] or 0, None if rssi is None else rssi / layout.rssi_per_dbm)
