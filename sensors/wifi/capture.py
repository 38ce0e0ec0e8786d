"""Incremental readers of pcap and pcapng: bytes go in as they come, packets come out, memory is bounded.

Formats: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng (both byte orders, µs and ns pcap, several sections and
interfaces with their own clock resolution in pcapng).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from sensors.errors import FormatError

Packet = tuple[float, int, bytes, bool]
"""``(time, link_type, data, cut)``: epoch seconds; LINKTYPE_ number; the bytes; whether the capture kept only the first
bytes of the frame. A plain tuple, because one is made per frame."""

RADIOTAP = 127
BARE_80211 = 105
BARE_80211_FCS = BARE_80211 | 0x1000_0000
"""Our mark for bare 802.11 whose file says that four bytes of checksum follow each frame."""

MAX_PACKET = 256 * 1024
"""Bytes. libpcap's own limit (MAXIMUM_SNAPLEN) is 262,144; a longer record is damage, and must not cost memory."""
MAX_BLOCK = 1024 * 1024
"""Bytes of a pcapng block that holds no packet (names, secrets, statistics)."""

_LINK_NAMES = {
    0: "BSD loopback",
    1: "Ethernet",
    9: "PPP",
    101: "raw IP",
    105: "bare 802.11",
    113: "Linux cooked",
    119: "802.11 with Prism header",
    127: "802.11 with radiotap",
    163: "802.11 with AVS header",
    187: "Bluetooth HCI",
    189: "USB",
    192: "PPI",
    195: "IEEE 802.15.4",
    201: "Bluetooth HCI with direction",
    220: "USB",
    228: "raw IPv4",
    251: "Bluetooth LE",
    276: "Linux cooked v2",
}
_MONITOR_FIX = "capture in monitor mode with radiotap headers: tcpdump -I -y IEEE802_11_RADIO -w FILE"
_CONVERT_FIX = "capture with radiotap headers instead: tcpdump -y IEEE802_11_RADIO, or Kismet's pcap with radiotap"


def check_link(link: int, name: str) -> None:
    """Raise ``FormatError`` naming the link type unless it is one whose frames can be read (radiotap, bare 802.11)."""
    if link in (RADIOTAP, BARE_80211, BARE_80211_FCS):
        return
    words = _LINK_NAMES.get(link, "unknown")
    fix = _CONVERT_FIX if link in (119, 163, 192) else _MONITOR_FIX
    raise FormatError(f"{name}: link type is {words} ({link}), not 802.11 with radiotap (127) or bare (105)", fix)


class Parser(Protocol):
    """``feed`` takes the next bytes and yields the packets they complete; consume it before feeding again.

    ``feed`` raises ``FormatError`` at damage, after what came before it. ``leftover`` is ``None`` between records, else
    the offset in bytes of the record that is not complete yet.
    """

    def feed(self, chunk: bytes, /) -> Iterator[Packet]: ...

    @property
    def leftover(self) -> int | None: ...


HEAD = 24
"""Bytes that ``open_parser`` needs: the length of a pcap file header, and less than the shortest pcapng one."""


def open_parser(head: bytes, name: str) -> Parser:
    """The parser for a capture that begins with ``head`` (at least ``HEAD`` bytes; feed them to it as well).

    Raises ``FormatError`` when it is no capture, or one of the wrong link type; ``name`` is the file's in the message.
    """
    magic = head[:4]
    if magic in _PCAP_MAGICS and len(head) >= HEAD:
        return PcapParser(head, name)
    if magic == b"\x0a\x0d\x0d\x0a" and len(head) >= HEAD:
        return PcapngParser(name)
    if not head:
        raise FormatError(f"{name}: empty, not a capture", "wait until the capture tool has written its header")
    if magic in _PCAP_MAGICS or magic == b"\x0a\x0d\x0d\x0a":
        raise FormatError(f"{name}: ends inside its file header ({len(head)} bytes)", "capture again")
    if magic[:2] == b"\x1f\x8b":
        raise FormatError(f"{name}: compressed with gzip", f"unpack it first: gunzip {name}")
    raise FormatError(f"{name}: neither pcap nor pcapng", "give a capture written by tcpdump -w, Wireshark or Kismet")


_PCAP_MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1e-6),
    b"\xa1\xb2\xc3\xd4": (">", 1e-6),
    b"\x4d\x3c\xb2\xa1": ("<", 1e-9),
    b"\xa1\xb2\x3c\x4d": (">", 1e-9),
}
_NOT_PCAP_FIX = "the file is damaged: repair it with Wireshark's pcapfix, or capture again"


class PcapParser:
    """Classic pcap. The link type is checked at once, so that an empty Ethernet capture is refused too."""

    def __init__(self, head: bytes, name: str) -> None:
        order, self._unit = _PCAP_MAGICS[head[:4]]
        major, _minor, _zone, _sigfigs, _snap, network = struct.unpack_from(order + "HHiIII", head, 4)
        if major != 2:
            raise FormatError(f"{name}: pcap version {major}, expected 2", _NOT_PCAP_FIX)
        self._link = network & 0xFFFF
        check_link(self._link, name)
        # draft-ietf-opsawg-pcap 4: bit 26 says that the top four bits hold the checksum's length in 16-bit units.
        if self._link == BARE_80211 and network & 0x0400_0000 and network >> 28 == 2:
            self._link = BARE_80211_FCS
        self._name = name
        self._record = struct.Struct(order + "IIII")
        self._pending = b""
        self._start = 0
        self._skip = 24

    @property
    def leftover(self) -> int | None:
        return self._start if self._pending or self._skip else None

    def feed(self, chunk: bytes, /) -> Iterator[Packet]:
        data = self._pending + chunk if self._pending else chunk
        at, size = self._skip, len(data)
        unpack, unit, link = self._record.unpack_from, self._unit, self._link
        body = at + 16
        while body <= size:
            seconds, fraction, kept, original = unpack(data, at)
            if kept > MAX_PACKET:
                where = self._start + at
                raise FormatError(f"{self._name}: a record of {kept} bytes at offset {where}", _NOT_PCAP_FIX)
            end = body + kept
            if end > size:
                break
            yield seconds + fraction * unit, link, data[body:end], kept < original
            at = end
            body = at + 16
        self._skip = max(at - size, 0)
        self._pending = data[at:]
        self._start += min(at, size)


@dataclass(frozen=True, slots=True)
class _Interface:
    link: int
    snap: int
    unit: float
    offset: int


_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 6


class PcapngParser:
    """pcapng. Packets without a time of their own (simple packet blocks) take that of the packet before them.

    ``only_wifi`` leaves the packets of interfaces of another link type out, instead of refusing the capture: a running
    Kismet may capture Bluetooth beside.
    """

    def __init__(self, name: str, *, only_wifi: bool = False) -> None:
        self._name = name
        self._only_wifi = only_wifi
        self._order = "<"
        self._interfaces: list[_Interface] = []
        self._pending = b""
        self._start = 0
        self._time = 0.0

    @property
    def leftover(self) -> int | None:
        return self._start if self._pending else None

    def feed(self, chunk: bytes, /) -> Iterator[Packet]:
        data = self._pending + chunk if self._pending else chunk
        at = 0
        while (length := self._block_length(data, at)) and at + length <= len(data):
            packet = self._block(data[at : at + length], at)
            if packet is not None and not (self._only_wifi and packet[1] not in (RADIOTAP, BARE_80211)):
                yield packet
            at += length
        self._pending = data[at:]
        self._start += at

    def _damage(self, what: str, at: int) -> FormatError:
        return FormatError(f"{self._name}: {what} at offset {self._start + at}", _NOT_PCAP_FIX)

    def _block_length(self, data: bytes, at: int) -> int:
        """The length of the block at ``at``, 0 when more bytes are needed to know it; sets a section's byte order."""
        if len(data) - at < 12:
            return 0
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            orders = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
            order = orders.get(data[at + 8 : at + 12])
            if order is None:
                raise self._damage("a section without byte-order mark", at)
            self._order = order
            self._interfaces = []
        length: int = struct.unpack_from(self._order + "I", data, at + 4)[0]
        if length < 12 or length % 4 or length > MAX_BLOCK:
            raise self._damage(f"a block of {length} bytes", at)
        return length

    def _block(self, block: bytes, at: int) -> Packet | None:
        order = self._order
        (kind,) = struct.unpack_from(order + "I", block)
        if block[4:8] != block[-4:]:
            raise self._damage("a block whose two lengths differ", at)
        if kind == _INTERFACE:
            self._interfaces.append(self._interface(block, at))
            return None
        if kind == _ENHANCED_PACKET and len(block) >= 32:
            number, high, low, kept, original = struct.unpack_from(order + "IIIII", block, 8)
        elif kind == _OLD_PACKET and len(block) >= 32:
            number, _drops, high, low, kept, original = struct.unpack_from(order + "HHIIII", block, 8)
        elif kind == _SIMPLE_PACKET and len(block) >= 16:
            return self._simple(block, at)
        elif kind in (_ENHANCED_PACKET, _OLD_PACKET, _SIMPLE_PACKET):
            raise self._damage("a packet block that is too short", at)
        else:
            return None
        interface = self._of(number, at)
        if kept > MAX_PACKET or kept > len(block) - 32:
            raise self._damage(f"a packet of {kept} bytes", at)
        self._time = (high << 32 | low) * interface.unit + interface.offset
        return self._time, interface.link, block[28 : 28 + kept], kept < original

    def _simple(self, block: bytes, at: int) -> Packet:
        (original,) = struct.unpack_from(self._order + "I", block, 8)
        interface = self._of(0, at)
        kept = min(original, len(block) - 16, interface.snap or MAX_PACKET)
        if kept > MAX_PACKET:
            raise self._damage(f"a packet of {kept} bytes", at)
        return self._time, interface.link, block[12 : 12 + kept], kept < original

    def _of(self, number: int, at: int) -> _Interface:
        if number >= len(self._interfaces):
            raise self._damage(f"a packet of interface {number}, which is not described", at)
        return self._interfaces[number]

    def _interface(self, block: bytes, at: int) -> _Interface:
        if len(block) < 20:
            raise self._damage("an interface block that is too short", at)
        if len(self._interfaces) >= 1024:
            raise self._damage("more than 1024 interfaces", at)
        link, _reserved, snap = struct.unpack_from(self._order + "HHI", block, 8)
        if not self._only_wifi:
            check_link(link, self._name)
        unit, offset = 1e-6, 0
        option = 16
        while option + 4 <= len(block) - 4:
            code, length = struct.unpack_from(self._order + "HH", block, option)
            value = block[option + 4 : option + 4 + length]
            if code == 0:
                break
            if code == 9 and length == 1:  # if_tsresol: negative power of ten, or of two with the top bit set
                unit = 2.0 ** -(value[0] & 0x7F) if value[0] & 0x80 else 10.0 ** -value[0]
            elif code == 14 and len(value) == 8:  # if_tsoffset, seconds
                (offset,) = struct.unpack(self._order + "q", value)
            option += 4 + (length + 3 & ~3)
        return _Interface(link, snap, unit, offset)
