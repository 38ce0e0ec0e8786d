"""Probe requests out of radiotap and bare 802.11 frames, made pseudonymous in the same step.

Radiotap: radiotap.org "Defined fields" (alignment and sizes). Frame and elements: IEEE Std 802.11-2020, 9.2.4, 9.3.3.9
and 9.4.2. Written for speed, since every frame in the air passes here: the layout of a radiotap header and the masking
of a list of elements are worked out once and looked up after that.
"""

import struct
from collections.abc import Callable
from operator import itemgetter
from typing import NamedTuple
from zlib import crc32

from sensors.errors import FormatError
from sensors.readings import ProbeRequest
from sensors.wifi.capture import BARE_80211, BARE_80211_FCS, RADIOTAP
from sensors.wifi.elements import mask, mask_cut
from sensors.wifi.hashing import Pseudonyms

_FIX = "damaged frames are counted and left out"

_FIELDS = (  # (alignment, size) in bytes of the radiotap fields 0 to 27, in order of their bit
    *((8, 8), (1, 1), (1, 1), (2, 4), (2, 2), (1, 1), (1, 1), (2, 2), (2, 2), (2, 2)),
    *((1, 1), (1, 1), (1, 1), (1, 1), (2, 2), (2, 2), (1, 1), (1, 1), (4, 8), (1, 3)),
    *((4, 8), (2, 12), (8, 12), (2, 12), (2, 12), (2, 6), (1, 1), (2, 4)),
)
_FLAGS, _CHANNEL, _SIGNAL = 1, 3, 5
_HAS_FCS, _BAD_FCS = 0x10, 0x40

_CHANNELS = {
    **{2407 + 5 * n: n for n in range(1, 14)},
    2484: 14,
    **{5000 + 5 * n: n for n in range(7, 183)},
    5935: 2,
    **{5950 + 5 * n: n for n in range(1, 234)},
}
"""Centre frequency in MHz to channel number: 2.4 GHz, 5 GHz, 6 GHz (IEEE 802.11-2020 annex E, 802.11ax)."""


_new = tuple.__new__

_MAX_LAYOUTS = 256
"""Kinds of radiotap header remembered: a radio sends a handful; garbage must not grow memory."""


_MAC = "BB8x6s6xH"
"""Of the 24 bytes of a management frame's header: frame control (2), duration, receiver, sender, BSSID, sequence."""


_Unpack = Callable[[bytes], tuple[int, int, int, int, int, bytes, int]]


class _Layout(NamedTuple):
    """How to read a frame behind one kind of radiotap header.

    ``unpack`` gives flags, frequency, signal (each ``b""`` where the header has none) and ``_MAC`` at once; it wants
    ``whole`` bytes. ``length``, in bytes, is the header's; ``checksum`` is ``False`` when the header has flags, which
    tell, ``None`` when nothing does; ``heard``: it has a signal.
    """

    unpack: _Unpack
    length: int
    whole: int
    checksum: bool | None
    heard: bool


class ProbeParser:
    """Turns captured frames into probe requests; holds the pseudonyms' salt and nothing of any frame."""

    def __init__(self, pseudonyms: Pseudonyms | None = None) -> None:
        self._names = names = pseudonyms or Pseudonyms()
        self._devices, self._kinds = names.devices, names.fingerprints
        self._layouts: dict[bytes, _Layout] = {}

    def parse(self, time: float, link: int, data: bytes, cut: bool) -> ProbeRequest | None:
        """The probe request in a captured frame, or ``None`` when the frame is of another kind.

        ``link`` is a LINKTYPE_ of ``capture``; ``cut`` says that the capture kept only the frame's first bytes.
        Raises ``FormatError`` for a damaged frame: bad checksum, header or element longer than the frame.
        """
        size = len(data)
        if link == RADIOTAP:
            unpack, at, whole, checksum, heard = self._layouts.get(data[:8]) or self._look_up(data)
            if at > size:
                raise FormatError("shorter than its radio header", _FIX)
        elif link in (BARE_80211, BARE_80211_FCS):
            unpack, at, whole, checksum, heard = _BARE
            if link == BARE_80211_FCS:
                checksum = True
        else:
            raise FormatError(f"link type {link} is not 802.11", _FIX)
        # Filled up, a short frame can be looked at in the same way: it may be of another kind, which is no damage.
        flags, frequency, rssi, control, order, sender, sequence = unpack(data if size >= whole else data + _FILL)
        if flags:
            if flags & _BAD_FCS:
                raise FormatError("bad checksum", _FIX)
            checksum = flags & _HAS_FCS != 0
        if at >= size:
            raise FormatError("no frame", _FIX)
        if control != 0x40:  # version 0, management, probe request
            return None
        body, end = at + 24, size
        if cut:
            checksum = False
        elif checksum:
            end -= 4
        if order & 0x80 and body <= end:  # the order bit adds four bytes of HT control
            body += 4
        if body > end:
            raise FormatError("shorter than its header", _FIX)
        names = self._names
        if not names.valid_from <= time < names.valid_until:
            names.rotate_at(time)
        device = self._devices.get(hash(sender)) or names.device(sender)
        if body + 2 <= end and data[body] == 0:  # the SSID is stepped over, not looked at
            body += 2 + data[body + 1]
        elements = data[body:end]
        kind = self._kinds.get(hash(elements))
        if kind is None or body > end:
            if checksum is None and _ends_in_checksum(data, at):
                end -= 4
            if body > end and not cut:
                raise FormatError("an element longer than the frame", _FIX)
            kind = names.fingerprint(data[body:end], mask_cut if cut else mask)
        # The tuple at once: a named tuple's own constructor costs half as much again.
        return _new(
            ProbeRequest,
            (
                time,
                device,
                kind,
                sequence >> 4,
                sender[0] & 2 != 0,
                rssi if heard else None,
                _CHANNELS.get(frequency),
            ),
        )

    def _look_up(self, data: bytes) -> _Layout:
        """The layout of a radiotap header: unless a vendor's fields come first, length and bitmaps tell it for ever."""
        if len(data) < 8 or data[0] != 0:
            raise FormatError("no radiotap header", _FIX)
        end = 8
        while data[end - 1] & 0x80:  # another bitmap follows
            end += 4
            if end > len(data):
                raise FormatError("radiotap bitmaps longer than their header", _FIX)
        key = data[:end]
        layout = self._layouts.get(key)
        if layout is None:
            layout, lasting = _layout(key, data)
            if lasting and len(self._layouts) < _MAX_LAYOUTS:
                self._layouts[key] = layout
        return layout


_RESIDUE = 0x2144DF1C
"""CRC-32 of anything that ends in its own CRC-32, low byte first."""


def _ends_in_checksum(data: bytes, at: int) -> bool:
    """Whether the last four bytes are the frame's own checksum, for captures that do not say."""
    return crc32(data[at:]) == _RESIDUE and len(data) - at >= 28


def _layout(head: bytes, data: bytes) -> tuple[_Layout, bool]:
    """Find flags, channel and the first antenna's signal; and whether ``head`` alone says where they are.

    ``head`` is a radiotap header up to its last bitmap, ``data`` the frame that it begins. A vendor's fields are
    stepped over by the length that they begin with, which is in the data (radiotap.org, "Vendor namespace").
    """
    length = int.from_bytes(head[2:4], "little")
    found: dict[int, int] = {}
    at = len(head)
    vendors = stepped = False
    for word in struct.unpack(f"<{len(head) // 4 - 1}I", head[4:]):
        for bit in range(29) if not vendors else ():
            if word >> bit & 1:
                if bit >= len(_FIELDS):  # TLVs, and what is not defined yet: nothing behind it can be placed
                    return _checked(length, found), not stepped
                align, size = _FIELDS[bit]
                at += -at % align
                if bit not in found:
                    found[bit] = at
                at += size
        if word >> 30 & 1:
            at += -at % 2
            if not word >> 31 & 1 or found.keys() >= {_FLAGS, _CHANNEL, _SIGNAL}:
                break
            vendors = stepped = True
            if at + 6 > min(length, len(data)):
                break
            at += 6 + int.from_bytes(data[at + 4 : at + 6], "little")
        elif word >> 29 & 1:
            vendors = False
        elif not vendors:  # next come bits past 31, which nobody has defined
            break
    return _checked(length, found), not stepped


def _checked(length: int, found: dict[int, int]) -> _Layout:
    wanted = {bit: found[bit] for bit in (_FLAGS, _CHANNEL, _SIGNAL) if bit in found}
    if length < 8 or any(at + _FIELDS[bit][1] > length for bit, at in wanted.items()):
        raise FormatError("radiotap fields longer than their header", _FIX)
    return _reader(length, wanted)


_CODES = {_FLAGS: "B", _CHANNEL: "H2x", _SIGNAL: "b"}
_FILL = bytes(24)


def _reader(length: int, wanted: dict[int, int]) -> _Layout:
    """``wanted``: where fields lie, by their bit. Bitmaps that repeat may bring them in any order."""
    code, reached, places = "<", 0, []
    for bit in sorted(_CODES, key=lambda bit: (wanted.get(bit, 0), bit)) if _jumbled(wanted) else _CODES:
        places.append(bit)
        if bit in wanted:
            code += f"{wanted[bit] - reached}x{_CODES[bit]}"
            reached = wanted[bit] + struct.calcsize("<" + _CODES[bit])
        else:
            code += "0s"
    unpack: _Unpack = struct.Struct(f"{code}{length - reached}x{_MAC}").unpack_from
    if places != list(_CODES):
        plain, pick = unpack, itemgetter(*(places.index(bit) for bit in _CODES), *range(3, 7))
        unpack = lambda data: pick(plain(data))  # noqa: E731
    return _Layout(unpack, length, length + len(_FILL), False if _FLAGS in wanted else None, _SIGNAL in wanted)


def _jumbled(wanted: dict[int, int]) -> bool:
    return sorted(wanted) != sorted(wanted, key=wanted.__getitem__)


_BARE = _reader(0, {})
