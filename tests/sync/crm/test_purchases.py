"""Receipts: each once, whole, with placeholders for what is not known yet."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, select

from sync.crm import customers, products, purchases, stocks, tables
from sync.crm.customers import CustomerIn, Profile
from sync.crm.products import ProductIn
from sync.crm.purchases import LineIn, Purchase
from sync.crm.taking import Wrong
from sync.store.database import reading, writing
from tests.sync.crm.making import NOW, SHANGHAI, bought, count, receipt

GTIN = "06901234567892"


def stored(engine: Engine, number: str) -> Purchase:
    with reading(engine) as connection:
        found = purchases.get(connection, "till", number)
    assert found is not None
    return found[0]


def test_a_receipt_is_taken_in_once_however_often_it_is_sent(engine: Engine) -> None:
    given = receipt("R1", "1", lines=(LineIn((("sku", "A"),), 1, 9_900),))
    assert bought(engine, given, given) == ["new", "same"]
    assert bought(engine, given) == ["same"]
    assert (count(engine, "purchase"), count(engine, "purchase_line"), count(engine, "customer")) == (1, 1, 1)


def test_the_same_receipt_with_another_content_is_refused_by_name(engine: Engine) -> None:
    bought(engine, receipt("R1", "1"))
    (outcome,) = bought(engine, receipt("R1", "1", amount=1))
    assert outcome == Wrong("receipt R1 is known with another content")
    assert stored(engine, "R1").amount == 9_900


def test_another_source_has_receipts_and_customers_of_its_own(engine: Engine) -> None:
    assert bought(engine, receipt("R1", "1"), receipt("R1", "1", source="web", channel="web")) == ["new", "new"]
    assert count(engine, "customer") == 2
    # Unless the web shop uses the tills' numbers.
    bought(engine, receipt("R2", "1", source="web", channel="web", customer_source="till"))
    assert count(engine, "customer") == 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"moment": datetime(2026, 11, 26, 0, 1, tzinfo=SHANGHAI)}, "the day 2026-11-26 is in the future"),
        ({"amount": -1}, "a negative amount: name the row a return, or give the amount that was paid"),
        ({"units": -1}, "a negative number of units: name the row a return"),
        ({"lines": (LineIn((("sku", "A"),), 1, -1),)}, "a negative amount: name the row a return, or give the amount "),
        ({"returned": "R0"}, "only a return names the receipt that it takes back"),
    ],
)
def test_what_can_be_no_purchase_is_refused_with_the_reason(
    engine: Engine, change: dict[str, object], reason: str
) -> None:
    good, bad = receipt("R1", "1"), receipt("R2", "2", **change)
    outcomes = bought(engine, good, bad)
    assert outcomes[0] == "new"
    assert isinstance(outcomes[1], Wrong)
    assert outcomes[1].reason.startswith(reason)
    assert (count(engine, "purchase"), count(engine, "customer")) == (1, 1)


def test_tomorrow_begins_at_midnight_of_the_store(engine: Engine) -> None:
    # 23:30 of the 25th in Shanghai: still that day there.
    late = datetime(2026, 11, 25, 23, 30, tzinfo=SHANGHAI)
    assert bought(engine, receipt("R1", moment=late), now=late.timestamp()) == ["new"]
    assert isinstance(bought(engine, receipt("R2", moment=late + timedelta(hours=1)), now=late.timestamp())[0], Wrong)


def test_a_return_comes_with_or_without_its_purchase_and_before_it(engine: Engine) -> None:
    back = {"kind": "return", "units": 1}
    assert bought(engine, receipt("B1", "1", returned="R1", **back), receipt("B2", "1", **back)) == ["new", "new"]
    assert (stored(engine, "B1").amount, stored(engine, "B1").units) == (-9_900, -1)
    with reading(engine) as connection:
        assert {each.receipt for each in purchases.without_purchase(connection)} == {"B1", "B2"}
    bought(engine, receipt("R1", "1"))
    with reading(engine) as connection:
        assert [each.receipt for each in purchases.without_purchase(connection)] == ["B2"]
        root = customers.by_number(connection, "till", "1")
        assert root is not None
        assert purchases.total(connection, [root]) == {(root, "CNY"): -9_900}


def test_who_buys_before_anybody_said_who_it_is_is_filled_later(engine: Engine) -> None:
    bought(engine, receipt("R1", "7"))
    with writing(engine) as connection:
        reference = customers.by_number(connection, "till", "7")
        assert reference is not None
        assert customers.get(connection, reference).placeholder
        told = CustomerIn("till", "7", profile=Profile(name="李雷 <b>😀</b>"))
        assert customers.put(connection, [told, told], NOW, "test") == ["changed", "same"]
        filled = customers.get(connection, reference)
    assert (filled.placeholder, filled.profile.name) == (False, "李雷 <b>😀</b>")


def line_variants(engine: Engine) -> set[UUID]:
    with reading(engine) as connection:
        return set(connection.scalars(select(tables.purchase_line.c.variant)))


def test_a_product_that_is_sold_before_it_is_known_is_filled_by_its_import(engine: Engine) -> None:
    bought(engine, receipt("R1", lines=(LineIn((("gtin", GTIN),), 1, 9_900),)))
    (variant,) = line_variants(engine)
    told = ProductIn((("sku", "A-red-M"), ("gtin", GTIN)), style="A", name="大衣", colour="red", size="M")
    with writing(engine) as connection:
        assert [each.codes for each in products.placeholders(connection)] == [(("gtin", GTIN),)]
        assert products.put(connection, [told, told], NOW) == ["changed", "same"]
        found = products.get(connection, [variant])[variant]
        assert products.placeholders(connection) == []
    assert (found.placeholder, found.name, found.colour, found.codes) == (
        False,
        "大衣",
        "red",
        (("sku", "A-red-M"), ("gtin", GTIN)),
    )


def test_two_placeholders_that_turn_out_to_be_one_variant_become_one(engine: Engine) -> None:
    bought(
        engine,
        receipt("R1", lines=(LineIn((("gtin", GTIN),), 1, 9_900),)),
        receipt("R2", lines=(LineIn((("sku", "A"),), 1, 9_900),)),
    )
    assert len(line_variants(engine)) == 2
    with writing(engine) as connection:
        assert products.put(connection, [ProductIn((("sku", "A"), ("gtin", GTIN)), style="A")], NOW) == ["changed"]
    assert len(line_variants(engine)) == 1
    assert count(engine, "variant") == 1


def test_codes_of_two_known_variants_on_one_row_are_refused(engine: Engine) -> None:
    both = ProductIn((("sku", "A"), ("sku", "B")))
    with writing(engine) as connection:
        assert products.put(connection, [ProductIn((("sku", "A"),)), ProductIn((("sku", "B"),)), both], NOW) == [
            "new",
            "new",
            Wrong("the codes A, B belong to different variants"),
        ]


def test_stock_is_what_was_told_last(engine: Engine) -> None:
    def told(units: int) -> ProductIn:
        return ProductIn((("sku", "A"),), stock=(("s1", units), ("s2", 0)))

    with writing(engine) as connection:
        assert products.put(connection, [told(5)], NOW) == ["new"]
        assert products.put(connection, [told(3)], NOW + 60) == ["changed"]
        assert products.put(connection, [told(9)], NOW - 60) == ["changed"]
        variants = list(products.variants_of(connection, [("sku", "A")]).values())
        assert [(each.store, each.units) for each in stocks.of(connection, variants)] == [("s1", 3), ("s2", 0)]


@pytest.mark.parametrize("text", ["6901234567892", "06901234567892", "96385074", "012345678905"])
def test_a_gtin_has_fourteen_digits(text: str) -> None:
    assert products.gtin(text) == text.zfill(14)


@pytest.mark.parametrize("text", ["6901234567893", "123", "", "69012345678９2", "ABCDEFGHIJKLM"])
def test_a_gtin_whose_check_digit_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"GTIN|check digit"):
        products.gtin(text)
