"""LLRP messages other than tag reports: what a client asks, what a reader answers, both ways.

Layouts from the LLRP 1.1 standard, the clause behind each. Everything here is small and rare; speed is in ``llrp``.
"""

import struct
from dataclasses import dataclass
from typing import Final, Literal

from sensors.rfid.llrp import HEADER, Message
from sensors.rfid.report import Span, damaged, spans

GET_READER_CAPABILITIES: Final = 1
SET_READER_CONFIG: Final = 3
CLOSE_CONNECTION: Final = 14
ADD_ROSPEC: Final = 20
DELETE_ROSPEC: Final = 21
START_ROSPEC: Final = 22
ENABLE_ROSPEC: Final = 24
ENABLE_EVENTS_AND_REPORTS: Final = 64
KEEPALIVE_ACK: Final = 72
RESPONSES: Final = {1: 11, 2: 12, 3: 13, 14: 4, 20: 30, 21: 31, 22: 32, 23: 33, 24: 34, 25: 35}
"""The type of the response to each request type (clause 9, table 8)."""
NAMES: Final = {
    1: "GET_READER_CAPABILITIES",
    3: "SET_READER_CONFIG",
    14: "CLOSE_CONNECTION",
    20: "ADD_ROSPEC",
    21: "DELETE_ROSPEC",
    22: "START_ROSPEC",
    24: "ENABLE_ROSPEC",
}
VERSION: Final = 1
"""LLRP 1.0.1: what every reader speaks until SET_PROTOCOL_VERSION says otherwise (clause 9.1)."""

_UTC, _UPTIME, _GENERAL_CAPABILITIES, _EVENT_DATA = 128, 129, 137, 246
_KEEPALIVE_SPEC: Final = 220
_REPORT_OVERFLOW, _CONNECTION_ATTEMPT, _CONNECTION_CLOSE, _STATUS = 251, 256, 257, 287

STATUS_NAMES: Final = {
    100: "parameter error",
    101: "field error",
    102: "unexpected parameter",
    103: "missing parameter",
    104: "duplicate parameter",
    105: "too many of a parameter",
    106: "too many of a field",
    107: "unknown parameter",
    108: "unknown field",
    109: "unsupported message",
    110: "unsupported version",
    111: "unsupported parameter",
    112: "unexpected message",
    300: "invalid value",
    301: "value out of range",
    401: "device error",
}
"""LLRPStatus codes (clause 14.1, table 12) in words; other codes are given as their number."""
REFUSALS: Final = {
    1: "it keeps a connection that it opened itself",
    2: "another client is connected",
    3: "it failed to open the connection",
    4: "another client tries to connect",
}
"""ConnectionAttemptEvent statuses other than 0, success (clause 13.2.6.11)."""


@dataclass(frozen=True, slots=True)
class ReaderEvent:
    """A READER_EVENT_NOTIFICATION: ``utc`` or ``uptime`` in microseconds, ``connection`` None or the attempt's status.

    ``overflow``: the reader's report buffer overflowed and reports are lost (clause 13.2.6.6).
    """

    utc: int | None = None
    uptime: int | None = None
    connection: int | None = None
    closed: bool = False
    overflow: bool = False


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What GET_READER_CAPABILITIES_RESPONSE says in general; ``vendor`` is an IANA enterprise number."""

    antennas: int
    has_utc: bool
    vendor: int
    model: int
    firmware: str


def encode(kind: int, number: int, *parts: bytes) -> bytes:
    """A message with its header (clause 17.1)."""
    body = b"".join(parts)
    return HEADER.pack(VERSION << 10 | kind, HEADER.size + len(body), number) + body


def tlv(kind: int, *parts: bytes) -> bytes:
    """A TLV parameter with its header (clause 17.2.1)."""
    value = b"".join(parts)
    return struct.pack(">HH", kind, 4 + len(value)) + value


def text(words: str) -> bytes:
    """A UTF-8 string with its 16-bit length in bytes."""
    encoded = words.encode()
    return struct.pack(">H", len(encoded)) + encoded


def configuration(keepalive_seconds: float) -> bytes:
    """Body of SET_READER_CONFIG: nothing reset, a periodic keepalive (clauses 12.1.3 and 13.2.4)."""
    return b"\0" + tlv(_KEEPALIVE_SPEC, _KEEPALIVE.pack(1, round(keepalive_seconds * 1000)))


def rospec(number: int, antennas: tuple[int, ...], session: Literal[0, 1, 2, 3] | None) -> bytes:
    """The ROSpec (clause 11.2) that reads every tag on ``antennas`` (none given: all) and reports each read at once.

    ``session`` sets the Gen2 inventory session, without which the reader keeps its own choice. The report selector
    asks for antenna, channel, peak RSSI, first and last time seen, and count.
    """
    boundary = tlv(178, tlv(179, b"\0"), tlv(182, struct.pack(">BI", 0, 0)))
    command = b""
    if session is not None:
        singulation = tlv(336, struct.pack(">BHI", session << 6, 32, 0))
        command = tlv(222, struct.pack(">H", 0), tlv(330, b"\0", singulation))
    inventory = tlv(186, struct.pack(">HB", 1, 1), command)
    chosen = antennas or (0,)
    listed = struct.pack(f">H{len(chosen)}H", len(chosen), *chosen)
    inventories = tlv(183, listed, tlv(184, struct.pack(">BI", 0, 0)), inventory)
    selector = tlv(238, struct.pack(">H", 0b0001_1111_1000_0000), tlv(348, b"\0"))
    report = tlv(237, struct.pack(">BH", 2, 1), selector)
    return tlv(177, struct.pack(">IBB", number, 0, 0), boundary, inventories, report)


def status(code: int, description: str = "") -> bytes:
    """An LLRPStatus parameter (clause 14.2.1), of a reader."""
    return tlv(_STATUS, struct.pack(">H", code), text(description))


def reader_event(utc: int, *, connection: int | None = None, closed: bool = False) -> bytes:
    """Body of READER_EVENT_NOTIFICATION at ``utc`` microseconds (clause 13.2.6), of a reader."""
    parts = [tlv(_UTC, struct.pack(">Q", utc))]
    if connection is not None:
        parts.append(tlv(_CONNECTION_ATTEMPT, struct.pack(">H", connection)))
    if closed:
        parts.append(tlv(_CONNECTION_CLOSE))
    return tlv(_EVENT_DATA, *parts)


def general_capabilities(value: Capabilities) -> bytes:
    """A GeneralDeviceCapabilities parameter (clause 10.2.1), of a reader with one receive sensitivity and no GPIO."""
    flags = 0x4000 if value.has_utc else 0
    head = struct.pack(">HHII", value.antennas, flags, value.vendor, value.model)
    sensitivity, ports = tlv(139, struct.pack(">HH", 1, 0)), tlv(141, struct.pack(">HH", 0, 0))
    protocols = (tlv(140, struct.pack(">HHB", port, 1, 1)) for port in range(1, value.antennas + 1))
    return tlv(_GENERAL_CAPABILITIES, head, text(value.firmware), sensitivity, ports, *protocols)


def tag_report(epc: bytes, antenna: int, rssi_dbm: int, utc: int) -> bytes:
    """A TagReportData parameter with a 96-bit EPC (clause 14.2.3), of a reader."""
    return tlv(
        240,
        struct.pack(">B12sBHBbBQBQBH", 0x8D, epc, 0x81, antenna, 0x86, rssi_dbm, 0x82, utc, 0x84, utc, 0x88, 1),
    )


def _base(message: Message) -> int:
    return message.offset + HEADER.size


def _unpack(layout: struct.Struct, message: Message, span: Span) -> tuple[int, ...]:
    if span.end - span.value < layout.size:
        raise damaged(_base(message) + span.start, f"parameter {span.type} is too short")
    return layout.unpack_from(message.body, span.value)


_U16: Final = struct.Struct(">H")
_U64: Final = struct.Struct(">Q")
_KEEPALIVE: Final = struct.Struct(">BI")
_CAPABILITIES: Final = struct.Struct(">HHIIH")


def parse_event(message: Message) -> ReaderEvent:
    """The event of a READER_EVENT_NOTIFICATION. Raises ``FormatError`` if it is malformed."""
    base = _base(message)
    utc = uptime = connection = None
    closed = overflow = False
    for outer in spans(message.body, 0, len(message.body), base):
        if outer.type != _EVENT_DATA:
            continue
        for span in spans(message.body, outer.value, outer.end, base):
            if span.type == _UTC:
                utc = _unpack(_U64, message, span)[0]
            elif span.type == _UPTIME:
                uptime = _unpack(_U64, message, span)[0]
            elif span.type == _CONNECTION_ATTEMPT:
                connection = _unpack(_U16, message, span)[0]
            elif span.type == _CONNECTION_CLOSE:
                closed = True
            elif span.type == _REPORT_OVERFLOW:
                overflow = True
    return ReaderEvent(utc, uptime, connection, closed, overflow)


def parse_status(message: Message) -> str | None:
    """Why a request failed, in the reader's words, or ``None``: it succeeded. For responses and ERROR_MESSAGE."""
    for span in spans(message.body, 0, len(message.body), _base(message)):
        if span.type == _STATUS:
            code = _unpack(_U16, message, span)[0]
            words = message.body[span.value + 4 : span.end][: int.from_bytes(message.body[span.value + 2 :][:2], "big")]
            if code == 0:
                return None
            said = " ".join(words.decode("utf-8", "replace").split())
            return f"{STATUS_NAMES.get(code, 'status')} ({code})" + (f": {said}" if said else "")
    return None


def keepalive_of(message: Message) -> float:
    """The keepalive period in seconds that a SET_READER_CONFIG asks for, 0 for none (for a reader)."""
    for span in spans(message.body, 1, len(message.body), _base(message)):
        if span.type == _KEEPALIVE_SPEC:
            kind, milliseconds = _unpack(_KEEPALIVE, message, span)
            return milliseconds / 1000 if kind == 1 else 0.0
    return 0.0


def parse_capabilities(message: Message) -> Capabilities | None:
    """The general capabilities of a GET_READER_CAPABILITIES_RESPONSE, or ``None`` if it has none."""
    for span in spans(message.body, 0, len(message.body), _base(message)):
        if span.type == _GENERAL_CAPABILITIES:
            antennas, flags, vendor, model, length = _unpack(_CAPABILITIES, message, span)
            firmware = message.body[span.value + _CAPABILITIES.size :][:length].decode("utf-8", "replace")
            return Capabilities(antennas, bool(flags & 0x4000), vendor, model, firmware)
    return None
