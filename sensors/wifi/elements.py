"""Masking the information elements of a probe request: what is left names a kind of phone, not a phone or a network.

The masks come from 32 labelled phones: one of them sent 91 different lists of elements, and 3 after masking. Masked are
what differs from frame to frame (channel, scan state, 20/40 MHz bits) and what may name somebody (SSIDs, mesh
identifiers, access points asked for, WPS names and UUIDs).
"""

from sensors.errors import FormatError

_SSID, _HT, _EXT_CAP, _VENDOR, _EXTENSION = 0, 45, 127, 221, 255
_LEFT_OUT = frozenset({3, 16, 54, 59, 84, 107, 114})
"""Elements that one phone sends in some frames only, or that may name a network: DS channel, challenge text, mobility
domain, operating classes, SSID list, interworking (may hold an access point's address), mesh identifier."""
_LOOKED_INTO = _LEFT_OUT | {_SSID, _HT, _EXT_CAP, _VENDOR, _EXTENSION}
_MICROSOFT = b"\x00\x50\xf2"
_WPS, _COUNTER = _MICROSOFT + b"\x04", _MICROSOFT + b"\x08"
"""WPS names the phone and carries a UUID: presence only. Type 8 is a counter, in some frames only: left out."""
_HT_VARIES = 0x4042
"""HT capability bits that one phone changes between bands: 20/40 MHz, short guard interval at 40 MHz, intolerance."""
_FILS_REQUEST = b"\x02"
"""FILS request parameters: present or not, and filled, by the scan."""

_EXT_CAP_ONLY = bytes((_EXT_CAP, 0))

_FIX = "damaged frames are counted and left out"


def mask(elements: bytes) -> tuple[bytes, bool]:
    """The elements without what varies or names; and whether this may be remembered (no SSID, not cut off).

    Raises ``FormatError`` when an element is longer than what is left of the frame.
    """
    return _walk(elements, whole=True)


def mask_cut(elements: bytes) -> tuple[bytes, bool]:
    """As ``mask``, for a frame of which only the first bytes were captured: a last element that is cut is left out."""
    return _walk(elements, whole=False)


def _walk(elements: bytes, whole: bool) -> tuple[bytes, bool]:
    kept: list[bytes] = []
    anonymous = True
    at, size = 0, len(elements)
    while at < size:
        end = at + 2 + elements[at + 1] if at + 1 < size else size + 1
        if end > size:
            if whole:
                raise FormatError("an element longer than the frame", _FIX)
            anonymous = False  # nor remembered: a whole frame with these bytes is damaged
            break
        kind = elements[at]
        if kind not in _LOOKED_INTO:
            kept.append(elements[at:end])
        elif kind == _EXT_CAP:  # its bits change with the purpose of the scan
            kept.append(_EXT_CAP_ONLY)
        elif kind == _HT and end - at >= 4:
            bits = (elements[at + 2] | elements[at + 3] << 8) & ~_HT_VARIES
            kept.append(elements[at : at + 2] + bits.to_bytes(2, "little") + elements[at + 4 : end])
        elif kind == _SSID:
            anonymous = False
        elif kind not in _LEFT_OUT:
            kept.append(_masked(kind, elements[at + 2 : end]))
        at = end
    return b"".join(kept), anonymous


def _masked(kind: int, body: bytes) -> bytes:
    """One element, masked, with its identifier and length before it so that no two lists run together."""
    if kind == _VENDOR:
        known = body[:4]
        if known == _COUNTER:
            return b""
        if known == _WPS:
            body = _WPS
    elif kind == _EXTENSION and body[:1] == _FILS_REQUEST:
        return b""
    return bytes((kind, len(body))) + body
