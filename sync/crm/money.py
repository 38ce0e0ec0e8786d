"""Money as whole minor units of a currency: never a float."""

import re
from decimal import Decimal, InvalidOperation

EXPONENTS = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "ISK": 0, "BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3}
"""Decimals of a currency where they are not two (ISO 4217)."""
LARGEST = 10**15
"""Ten million million: more than that is a slip, and fits every database and every JSON reader with room."""
_PLAIN = re.compile(r"^[+-]?(\d+|\d{1,3}(,\d{3})+)(\.\d+)?$")
_SIGNS = str.maketrans({"−": "-", "¥": None, "￥": None, "$": None, "€": None, "£": None, " ": None, "\u00a0": None})


def is_currency(code: str) -> bool:
    """Three capital letters."""
    return re.fullmatch(r"[A-Z]{3}", code) is not None


def minor(value: str | int | float | Decimal, currency: str) -> int:
    """``12.5`` in CNY is 1250. Raises ``ValueError`` for what is no amount, or has a fraction that the currency lacks.

    A comma is a thousands separator where it separates thousands, and refused elsewhere.
    """
    text = str(value).translate(_SIGNS)
    # A spreadsheet's number may come as 1e3 or 1.0E-2: exact all the same.
    if not _PLAIN.match(text) and not isinstance(value, float | Decimal):
        raise ValueError(f"{_shown(value)} is no amount such as 1234.50")
    try:
        units = Decimal(text.replace(",", "")).scaleb(EXPONENTS.get(currency, 2))
        if not units.is_finite() or abs(units) > LARGEST:
            raise ValueError(f"{_shown(value)} is no amount that anybody paid")
    except InvalidOperation as error:
        raise ValueError(f"{_shown(value)} is no amount such as 1234.50") from error
    whole = int(units)
    if whole != units:
        if isinstance(value, float) and abs(units - round(units)) < Decimal("1e-6"):
            return round(units)
        raise ValueError(f"{_shown(value)} has a fraction that {currency} does not have")
    return whole


def text(units: int, currency: str) -> str:
    """``1250`` in CNY is ``12.50``."""
    exponent = EXPONENTS.get(currency, 2)
    return f"{Decimal(units).scaleb(-exponent):.{exponent}f}"


def _shown(value: object) -> str:
    return repr(str(value)[:40])
