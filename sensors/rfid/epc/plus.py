"""The schemes of TDS 2 without a company prefix: SGTIN+, DSGTIN+ and their ++ forms, both ways."""

import re
from typing import Final

from sensors.rfid.epc import tables as t
from sensors.rfid.epc.identity import Identity, check_digit

_INTEGER: Final = re.compile(r"0|[1-9][0-9]*")
_BITS: Final = {t.UPPER_HEX: 4, t.LOWER_HEX: 4, t.BASE_64: 6, t.ASCII: 7}
_ALPHABET: Final = {t.UPPER_HEX: "0123456789ABCDEF", t.LOWER_HEX: "0123456789abcdef", t.BASE_64: t.BASE64}


class _Bits:
    """A cursor over the bits of an EPC. Raises ``EOFError`` beyond the end."""

    def __init__(self, value: int, left: int) -> None:
        self._value, self._left = value, left

    def take(self, bits: int) -> int:
        self._left -= bits
        if self._left < 0:
            raise EOFError
        return self._value >> self._left & (1 << bits) - 1


def read(value: int, bits: int, scheme: t.Plus) -> Identity | str:
    """The identity in the last ``bits`` bits of ``value``, header included, or why there is none."""
    try:
        return _read(_Bits(value, bits - 8), scheme)
    except EOFError:
        return "cut off"


def _read(bits: _Bits, scheme: t.Plus) -> Identity | str:
    bits.take(1)  # whether more data follow the EPC; they are none of its identity
    kind = bits.take(3)
    dates: tuple[tuple[str, str], ...] = ()
    if scheme.dated:
        which, year, month, day = bits.take(4), bits.take(7), bits.take(4), bits.take(5)
        if which >= len(t.DATES) or year > 99 or not 1 <= month <= 12 or day > 31:
            return "its date is none"
        dates = ((t.DATES[which], f"{year:02d}{month:02d}{day:02d}"),)
    gtin = f"{bits.take(56):014x}"
    if not gtin.isdecimal() or check_digit(gtin[:-1]) != gtin[-1]:
        return "its GTIN has a wrong check digit"
    serial = _serial(bits)
    if not serial:
        return "its serial has characters that no serial may have, or none"
    return Identity(scheme.name, (("01", gtin), ("21", serial), *dates), "", kind, 0)


def _serial(bits: _Bits) -> str:
    """The serial of variable length (TDS 2.0 clause 14.5.6); empty where it is none."""
    how, length = bits.take(3), bits.take(5)
    if not 1 <= length <= t.LONGEST_SERIAL:
        return ""
    if how == t.INTEGER:
        text = str(bits.take(t.integer_bits(length)))
        return text if len(text) == length else ""
    if how in _ALPHABET:
        return "".join(_ALPHABET[how][bits.take(_BITS[how])] for _ in range(length))
    if how == t.ASCII:
        text = "".join(chr(bits.take(7)) for _ in range(length))
    elif how == t.CODE_40:
        text = "".join(_triplet(bits.take(16) - 1) for _ in range(-(-length // 3)))
        if text[length:].strip("\0"):
            return ""
        text = text[:length]
    else:
        return ""
    return text if t.SERIAL_CHARACTERS.issuperset(text) else ""


def _triplet(code: int) -> str:
    if not 0 <= code < 64000:
        return "\0\0\0"
    return t.CODE40[code // 1600] + t.CODE40[code // 40 % 40] + t.CODE40[code % 40]


def write(identity: Identity, header: int, scheme: t.Plus) -> tuple[int, int]:
    """The bits of ``identity`` and how many, the serial in its shortest encoding. ``ValueError`` where it cannot be.

    Without the host of a ++ scheme, which ``Identity`` does not hold.
    """
    keys = dict(identity.keys)
    gtin, serial = keys.get("01", ""), keys.get("21", "")
    if not re.fullmatch(r"[0-9]{14}", gtin) or check_digit(gtin[:-1]) != gtin[-1]:
        raise ValueError(f"{gtin!r} is no GTIN of 14 digits")
    value, size = header << 4 | identity.filter, 12
    if scheme.dated:
        which = next((n for n, key in enumerate(t.DATES) if key in keys), None)
        if which is None:
            raise ValueError(f"{scheme.name} needs a date")
        date = keys[t.DATES[which]]
        packed = int(date[:2]) << 9 | int(date[2:4]) << 5 | int(date[4:])
        value, size = value << 20 | which << 16 | packed, size + 20
    value, size = value << 56 | int(gtin, 16), size + 56
    code, bits = _packed(serial)
    return value << bits | code, size + bits


def _packed(serial: str) -> tuple[int, int]:
    """The serial with its indicators, and how many bits that takes."""
    length = len(serial)
    if not 1 <= length <= t.LONGEST_SERIAL or not t.SERIAL_CHARACTERS.issuperset(serial):
        raise ValueError(f"{serial!r} is no serial of 1 to 20 characters")
    if _INTEGER.fullmatch(serial):
        how, code, bits = t.INTEGER, int(serial), t.integer_bits(length)
    elif (found := next((how for how, letters in _ALPHABET.items() if set(serial) <= set(letters)), None)) is not None:
        how, bits, code = found, length * _BITS[found], 0
        for character in serial:
            code = code << _BITS[found] | _ALPHABET[found].index(character)
    else:
        how, bits, code = t.ASCII, length * 7, 0
        for character in serial:
            code = code << 7 | ord(character)
    return (how << 5 | length) << bits | code, bits + 8
