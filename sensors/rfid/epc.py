"""What an EPC says: SGTIN-96 and SGTIN-198 of the GS1 EPC Tag Data Standard (TDS 1.13, clause 14.6.1).

Other schemes (SSCC, GRAI, the plus schemes of TDS 2) give ``None``: they are tags all the same, without a product.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_PARTITIONS: Final = ((40, 12), (37, 11), (34, 10), (30, 9), (27, 8), (24, 7), (20, 6))
"""Bits and digits of the company prefix by partition (TDS table 14-2); it shares 44 bits, 13 digits with the item."""
_SERIAL_CHARACTERS: Final = frozenset(
    "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
)
"""GS1 AI encodable character set 82 (TDS annex A)."""
_ESCAPED: Final = {character: f"%{ord(character):02X}" for character in '"%&/<>?'}


@dataclass(frozen=True, slots=True)
class Sgtin:
    """A product (``gtin``, 14 digits with a correct check digit) and the ``serial`` of this one piece.

    ``uri`` is the pure identity, e.g. ``urn:epc:id:sgtin:0614141.812345.6789``.
    """

    gtin: str
    serial: str
    uri: str


@lru_cache(maxsize=65536)
def decode(epc: str) -> Sgtin | None:
    """The SGTIN in ``epc`` (hex, as a reader reports it), or ``None`` if it holds none or an invalid one."""
    try:
        raw = bytes.fromhex(epc)
    except ValueError:
        return None
    if len(raw) == 12 and raw[0] == 0x30:
        return _sgtin(int.from_bytes(raw, "big"), 96)
    if len(raw) in (25, 26) and raw[0] == 0x36:
        return _sgtin(int.from_bytes(raw, "big") >> len(raw) * 8 - 198, 198)
    return None


def _sgtin(value: int, bits: int) -> Sgtin | None:
    serial_bits = bits - 58
    partition = value >> bits - 14 & 7
    if partition >= len(_PARTITIONS):
        return None
    company_bits, company_digits = _PARTITIONS[partition]
    item_bits, item_digits = 44 - company_bits, 13 - company_digits
    company = value >> serial_bits + item_bits & (1 << company_bits) - 1
    item = value >> serial_bits & (1 << item_bits) - 1
    if company >= 10**company_digits or item >= 10**item_digits:
        return None
    code = value & (1 << serial_bits) - 1
    serial = str(code) if bits == 96 else _text(code)
    if not serial:
        return None
    prefix, reference = f"{company:0{company_digits}d}", f"{item:0{item_digits}d}"
    digits = reference[0] + prefix + reference[1:]
    escaped = "".join(_ESCAPED.get(character, character) for character in serial)
    return Sgtin(digits + _check_digit(digits), serial, f"urn:epc:id:sgtin:{prefix}.{reference}.{escaped}")


def _text(code: int) -> str:
    """Twenty 7-bit characters, the unused ones at the end zero; empty if that is not what is there."""
    characters = "".join(chr(code >> shift & 0x7F) for shift in range(133, -1, -7)).rstrip("\0")
    return characters if _SERIAL_CHARACTERS.issuperset(characters) else ""


def _check_digit(digits: str) -> str:
    """Of 13 digits (GS1 General Specifications, 7.9): weights 3 and 1 from the left."""
    total = sum(int(digit) * (3 if index % 2 == 0 else 1) for index, digit in enumerate(digits))
    return str(-total % 10)
