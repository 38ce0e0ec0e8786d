"""LLRP parameters, and the one that matters: ``TagReportData``, walked once per layout, then unpacked in one call.

From the field tables of the EPCglobal Low Level Reader Protocol standard, version 1.1: clauses 17.2 (parameters:
TV of fixed length with the high bit set, TLV with a 16-bit length that includes its 4-byte header) and 17.2.7.3.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from sensors.errors import FormatError

TAG_REPORT_DATA: Final = 240
_TLV: Final = struct.Struct(">HH")
_EPC_DATA, _CUSTOM = 241, 1023
_IMPINJ_PEAK_RSSI: Final = (25882, 57)
"""Vendor (IANA enterprise number) and subtype of Impinj's peak RSSI: signed 16 bits, 1/100 dBm (Octane LLRP guide)."""

_TV_FIELDS: Final[dict[int, tuple[tuple[str, str], ...]]] = {
    1: (("antenna_id", "H"),),
    2: (("first_seen_utc", "Q"),),
    3: (("first_seen_uptime", "Q"),),
    4: (("last_seen_utc", "Q"),),
    5: (("last_seen_uptime", "Q"),),
    6: (("peak_rssi", "b"),),
    7: (("channel_index", "H"),),
    8: (("tag_seen_count", "H"),),
    9: (("ro_spec_id", "I"),),
    10: (("inventory_parameter_spec_id", "H"),),
    11: (("c1g2_crc", "H"),),
    12: (("c1g2_pc", "H"),),
    13: (("epc", "12s"),),
    14: (("spec_index", "H"),),
    15: (("client_request_op_spec_id", "H"),),
    16: (("access_spec_id", "I"),),
    17: (("op_spec_id", "H"),),
    18: (("c1g2_collision_slots", "H"), ("c1g2_empty_slots", "H")),
    19: (("c1g2_xpc_w1", "H"),),
    20: (("c1g2_xpc_w2", "H"),),
}
"""TV parameters by type: their fields and struct codes. A TV parameter outside this table has no known length."""
_TV_LENGTH: Final = {
    kind: 1 + struct.calcsize(">" + "".join(code for _, code in fields)) for kind, fields in _TV_FIELDS.items()
}


@dataclass(frozen=True, slots=True)
class TagReport:
    """All that one ``TagReportData`` says; what the reader left out is ``None``.

    Timestamps are microseconds (UTC: since 1970; uptime: since the reader started), ``peak_rssi`` whole dBm,
    ``impinj_peak_rssi`` 1/100 dBm, ``epc`` the bytes of ``epc_bits`` bits, padded with zero bits.
    """

    epc: bytes
    epc_bits: int
    antenna_id: int | None = None
    first_seen_utc: int | None = None
    first_seen_uptime: int | None = None
    last_seen_utc: int | None = None
    last_seen_uptime: int | None = None
    peak_rssi: int | None = None
    channel_index: int | None = None
    tag_seen_count: int | None = None
    ro_spec_id: int | None = None
    inventory_parameter_spec_id: int | None = None
    c1g2_crc: int | None = None
    c1g2_pc: int | None = None
    spec_index: int | None = None
    client_request_op_spec_id: int | None = None
    access_spec_id: int | None = None
    op_spec_id: int | None = None
    c1g2_collision_slots: int | None = None
    c1g2_empty_slots: int | None = None
    c1g2_xpc_w1: int | None = None
    c1g2_xpc_w2: int | None = None
    impinj_peak_rssi: int | None = None


def damaged(offset: int, what: str) -> FormatError:
    """The error for a stream that is not well-formed LLRP from byte ``offset`` on."""
    return FormatError(
        f"damaged LLRP stream at byte {offset}: {what}",
        "what came before this byte is good; record the stream again, or cut it there",
    )


class Span(NamedTuple):
    """A parameter of a body: its type and where it begins and ends; ``value`` is behind its header."""

    type: int
    start: int
    value: int
    end: int


def spans(body: bytes, start: int, end: int, base: int) -> Iterator[Span]:
    """The parameters of ``body[start:end]`` one after the other, both kinds, without what is inside them.

    ``base`` is the stream offset of ``body[0]``, for errors. Raises ``FormatError`` at the first that does not fit.
    """
    while start < end:
        first = body[start]
        if first & 0x80:
            kind = first & 0x7F
            if kind not in _TV_LENGTH:
                raise damaged(base + start, f"unknown TV parameter {kind}, whose length nobody can know")
            value, stop = start + 1, start + _TV_LENGTH[kind]
        else:
            if start + 4 > end:
                raise damaged(base + start, f"{end - start} bytes are too few for a parameter")
            kind, length = _TLV.unpack_from(body, start)
            kind &= 0x3FF
            if length < 4:
                raise damaged(base + start, f"parameter {kind} claims a length of {length} bytes")
            value, stop = start + 4, start + length
        if stop > end:
            raise damaged(base + start, f"parameter {kind} reaches {stop - end} bytes beyond what encloses it")
        yield Span(kind, start, value, stop)
        start = stop


class Layout:
    """How the reports of one reader lie in memory: offsets relative to the ``TagReportData`` header."""

    def __init__(self, body: bytes, report: Span, base: int) -> None:
        self.length = report.end - report.start
        self._start = report.start
        self._fields: dict[str, tuple[int, str]] = {}
        fixed = bytearray(b"\xff" * 4 + b"\0" * (self.length - 4))
        self.epc_bits = 0
        self.ascii = False
        for span in spans(body, report.value, report.end, base):
            self._learn(fixed, body, span, base)
        if "epc" not in self._fields:
            raise damaged(base + report.start, "tag report without an EPC")
        self.mask = int.from_bytes(fixed, "big")
        self.pattern = int.from_bytes(body[report.start : report.end], "big") & self.mask
        self.names = tuple(self._fields)
        self.unpack = self._struct(self.names).unpack_from
        self._prepare_reads()

    def _learn(self, fixed: bytearray, body: bytes, span: Span, base: int) -> None:
        """Note the fields of one parameter, and in ``fixed`` the bytes that make it that parameter."""
        at = span.start - self._start
        value = at + span.value - span.start
        fixed[at:value] = b"\xff" * (value - at)
        if body[span.start] & 0x80:
            for name, code in _TV_FIELDS[span.type]:
                self._add(name, value, code)
                value += struct.calcsize(">" + code)
            if span.type == 13:
                self.epc_bits = 96
        elif span.type == _EPC_DATA:
            if span.end - span.value < 2:
                raise damaged(base + span.start, "EPC without its length")
            bits = int.from_bytes(body[span.value : span.value + 2], "big")
            octets = (bits + 7) // 8
            if octets > span.end - span.value - 2:
                raise damaged(base + span.start, f"EPC of {bits} bits in {span.end - span.value - 2} bytes")
            fixed[value : value + 2] = b"\xff\xff"
            self._add("epc", value + 2, f"{octets}s")
            self.epc_bits = bits
            self.ascii = octets >= 24
        elif span.type == _CUSTOM and span.end - span.value >= 8:
            fixed[value : value + 8] = b"\xff" * 8
            vendor = struct.unpack_from(">II", body, span.value)
            if vendor == _IMPINJ_PEAK_RSSI and span.end - span.value >= 10:
                self._add("impinj_peak_rssi", value + 8, "h")

    def _add(self, name: str, at: int, code: str) -> None:
        self._fields.setdefault(name, (at, code))

    def _struct(self, names: tuple[str, ...]) -> struct.Struct:
        parts, position = [">"], 0
        for name in names:
            at, code = self._fields[name]
            parts.append(f"{at - position}x{code}")
            position = at + struct.calcsize(">" + code)
        return struct.Struct("".join(parts))

    def _prepare_reads(self) -> None:
        """Which four values make a ``TagRead``: a missing one is -1, the ``None`` that is put behind the values."""
        has = self._fields
        clocks = ("first_seen_utc", "last_seen_utc", "first_seen_uptime", "last_seen_uptime")
        clock = next((name for name in clocks if name in has), "")
        rssi = next((name for name in ("impinj_peak_rssi", "peak_rssi") if name in has), "")
        names = tuple(name for name in has if name in {"epc", "antenna_id", clock, rssi})
        self.uptime = clock.endswith("uptime")
        self.rssi_per_dbm = 100 if rssi.startswith("impinj") else 1
        self.epc, self.antenna, self.clock, self.rssi = (
            names.index(name) if name in names else -1 for name in ("epc", "antenna_id", clock, rssi)
        )
        self.unpack_read = self._struct(names).unpack_from


_HEX_DIGITS: Final = frozenset(b"0123456789ABCDEFabcdef")


def unwrapped(epc: bytes, text: str) -> str:
    """Some Zebra FX firmware reports an EPC as the ASCII of its hex digits: 24 bytes or more of only those."""
    return epc.decode("ascii").upper() if len(epc) % 2 == 0 and _HEX_DIGITS.issuperset(epc) else text
