from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.crm.money import minor, text


@pytest.mark.parametrize(
    ("value", "currency", "units"),
    [
        ("12.5", "CNY", 1250),
        ("¥1,234.50", "CNY", 123450),
        ("-3", "CNY", -300),
        (0.1, "CNY", 10),
        (19.99, "CNY", 1999),
        (1200, "JPY", 1200),
        ("1.234", "KWD", 1234),
        (Decimal("7.00"), "JPY", 7),
    ],
)
def test_an_amount_is_whole_minor_units(value: object, currency: str, units: int) -> None:
    assert minor(value, currency) == units  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value", ["12,5", "1.234", "twelve", "", "1.2.3", "NaN", "inf", float("nan"), "9" * 20, "１２.345"]
)
def test_what_is_no_amount_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"amount|fraction"):
        minor(value, "CNY")  # type: ignore[arg-type]


@given(st.integers(-(10**14), 10**14), st.sampled_from(["CNY", "JPY", "KWD"]))
def test_every_amount_is_read_as_it_was_written(units: int, currency: str) -> None:
    assert minor(text(units, currency), currency) == units
