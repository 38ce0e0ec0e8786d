"""The EPC Tag Data Standard (GS1 TDS 2.x) as data: headers, partitions, alphabets."""

from dataclasses import dataclass
from typing import Final, Literal

COMPANY: Final = ((40, 12), (37, 11), (34, 10), (30, 9), (27, 8), (24, 7), (20, 6))
"""Bits and digits of the company prefix by partition; 7 is none (tables 14-2 and those of the other schemes)."""

Family = Literal["sgtin", "sscc", "sgln", "grai", "giai"]


@dataclass(frozen=True, slots=True)
class Partitioned:
    """A scheme of a company prefix, a reference and a serial, behind header, filter and partition (14 bits).

    ``shared`` bits and ``digits`` are divided between company and reference; 0 digits: the reference has no fixed
    length. ``serial`` bits hold a number, or 7-bit characters where ``text``; what is left of ``bits`` is zero.
    """

    name: str
    family: Family
    bits: int
    shared: int
    digits: int
    serial: int
    text: bool = False


PARTITIONED: Final = {
    0x30: Partitioned("SGTIN-96", "sgtin", 96, 44, 13, 38),
    0x36: Partitioned("SGTIN-198", "sgtin", 198, 44, 13, 140, text=True),
    0x31: Partitioned("SSCC-96", "sscc", 96, 58, 17, 0),
    0x32: Partitioned("SGLN-96", "sgln", 96, 41, 12, 41),
    0x33: Partitioned("GRAI-96", "grai", 96, 44, 12, 38),
    0x34: Partitioned("GIAI-96", "giai", 96, 82, 0, 0),
}
"""By header (TDS 1.13, clause 14.6)."""


@dataclass(frozen=True, slots=True)
class Plus:
    """A scheme of TDS 2: the whole GTIN as digits of 4 bits, then a serial of variable length and encoding.

    ``dated``: a date (4 bits of kind, 16 of date) stands before the GTIN. ``host``: the domain of the brand's own
    Digital Link follows the serial; it is not read here.
    """

    name: str
    dated: bool = False
    host: bool = False


PLUS: Final = {
    0xF7: Plus("SGTIN+"),
    0xFB: Plus("DSGTIN+", dated=True),
    0xFC: Plus("DSGTIN++", dated=True, host=True),
    0xFD: Plus("SGTIN++", host=True),
}
"""By header (TDS 2.0 clause 14.6; ++ since TDS 2.2)."""

DATES: Final = ("11", "13", "15", "16", "17", "7006", "7007")
"""Application identifier by kind of date in DSGTIN+."""

NAMED: Final = {
    0x2C: "GDTI-96",
    0x2D: "GSRN-96",
    0x2E: "GSRNP",
    0x2F: "USDoD-96",
    0x35: "GID-96",
    0x37: "GRAI-170",
    0x38: "GIAI-202",
    0x39: "SGLN-195",
    0x3A: "GDTI-113",
    0x3B: "ADI-var",
    0x3C: "CPI-96",
    0x3D: "CPI-var",
    0x3E: "GDTI-174",
    0x3F: "SGCN-96",
    0x40: "ITIP-110",
    0x41: "ITIP-212",
    0xE2: "no EPC: a chip's own number (TID)",
    0xF0: "CPI+",
    0xF1: "GRAI+",
    0xF2: "SGLN+",
    0xF3: "ITIP+",
    0xF4: "GSRN+",
    0xF5: "GSRNP+",
    0xF6: "GDTI+",
    0xF8: "SGCN+",
    0xF9: "SSCC+",
    0xFA: "GIAI+",
}
"""Headers that the standard assigns and that are named, but not taken apart, here (TDS 2.0 table 14-1)."""

SERIAL_CHARACTERS: Final = frozenset(
    "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
)
"""GS1 AI encodable character set 82 (TDS annex A)."""
ESCAPED: Final = {character: f"%{ord(character):02X}" for character in '"%&/<>?'}
"""What an EPC URI escapes (TDS table A-1)."""
BASE64: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
CODE40: Final = "\0ABCDEFGHIJKLMNOPQRSTUVWXYZ-.:0123456789"
"""URN Code 40: three characters in 16 bits as 1600 a + 40 b + c + 1 (TDS 2.0 clause 14.5.6.5)."""
INTEGER, UPPER_HEX, LOWER_HEX, BASE_64, ASCII, CODE_40 = range(6)
"""Encoding indicators of a serial of variable length (TDS 2.0 clause 14.5.6)."""
LONGEST_SERIAL: Final = 20


def integer_bits(digits: int) -> int:
    """Bits that hold any number of so many digits (TDS 2.0 table B-1): the ceiling of digits × log2(10)."""
    return (10**digits - 1).bit_length()
