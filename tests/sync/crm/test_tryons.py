import random
from datetime import datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from sync.crm import consents, products
from sync.crm.products import ProductIn
from sync.crm.purchases import LineIn
from sync.crm.tryons import asking, quadrant
from sync.crm.tryons.closing import ITEM_WINDOW_S, KIND_WINDOW_S, Closed, Session, Sold, close, united
from sync.crm.tryons.quadrant import wilson
from sync.events import Event, FootfallMinute, Item, TryOn, utc
from sync.members.consent import Consent
from sync.store.database import reading, writing
from sync.store.store import CentralStore
from tests.sync.crm.making import NOW, SHANGHAI, bought, known, receipt
from tests.sync.making import Box

GTIN, EPC, OTHER = "04012345678901", "30340789000C0E42DFDC1C35", "30340789000C0E42DFDC1C36"
T = NOW - 3_600


def session(
    start: float = T, epc: str = EPC, gtin: str | None = GTIN, kind: str = "tried_on", spent: float = 60.0
) -> Session:
    return Session(uuid4(), "s1", epc, gtin, start, start + spent, kind)  # type: ignore[arg-type]


def sold(time: float, epc: str | None = None, gtin: str | None = GTIN, key: str = "r1") -> Sold:
    return Sold(("till", key, "000001", "000000"), "s1", time, epc, gtin)


def test_the_very_item_is_found_before_its_kind() -> None:
    same, kind = session(epc=EPC), session(T + 30, epc=OTHER)
    found = close([kind, same], [sold(T + 600, EPC)])
    assert [(each.session, each.how) for each in found] == [(same, "epc")]


def test_carried_in_and_tried_are_one_purchase_of_what_was_tried() -> None:
    tried, carried = session(), session(T + 100, kind="in_room")
    assert [each.session for each in close([tried, carried], [sold(T + 600, EPC)])] == [tried]
    assert [each.session for each in close([carried], [sold(T + 600, EPC)])] == [carried]
    assert close([carried], [sold(T + 600)]) == []


def test_another_item_of_the_kind_counts_within_the_visit_only() -> None:
    tried = session()
    assert [each.how for each in close([tried], [sold(tried.end + KIND_WINDOW_S)])] == ["gtin"]
    assert close([tried], [sold(tried.end + KIND_WINDOW_S + 1)]) == []
    assert close([tried], [sold(tried.end + ITEM_WINDOW_S, EPC)])[0].how == "epc"
    assert close([tried], [sold(tried.end + ITEM_WINDOW_S + 1, EPC)]) == []


def test_a_sale_before_the_try_on_closes_nothing() -> None:
    assert close([session()], [sold(T - 1, EPC), sold(T - 1)]) == []


def test_what_another_store_sold_closes_nothing() -> None:
    assert close([session()], [Sold(("till", "r", "1", "0"), "s2", T + 60, EPC, GTIN)]) == []


def test_the_reader_at_the_till_and_the_line_of_the_receipt_are_one_sale() -> None:
    read = Sold(("item", "x"), "s1", T + 605, EPC, GTIN)
    assert united([sold(T + 600)], [read]) == [sold(T + 600, EPC)]
    assert united([sold(T + 600, EPC)], [read]) == [sold(T + 600, EPC)]
    assert len(united([sold(T)], [read])) == 2


@given(st.lists(st.tuples(st.integers(0, 20_000), st.booleans(), st.integers(0, 2)), max_size=12), st.randoms())
def test_each_sale_closes_one_session_at_most_in_whatever_order_they_come(
    moments: list[tuple[int, bool, int]], dice: random.Random
) -> None:
    epcs = [f"{number:024X}" for number in range(3)]
    tried = [session(T + at, epcs[item]) for at, is_sale, item in moments if not is_sale]
    sales = [
        sold(T + at, epcs[item] if item else None, key=f"r{number}")
        for number, (at, is_sale, item) in enumerate(moments)
        if is_sale
    ]
    found = close(tried, sales)
    assert len({each.session.id for each in found}) == len({each.sale.key for each in found}) == len(found)
    for each in found:
        assert each.sale.time >= each.session.start
        assert each.how == "gtin" or each.sale.epc == each.session.epc
    dice.shuffle(tried)
    dice.shuffle(sales)
    assert close(tried, sales) == found


def test_the_interval_is_wilsons() -> None:
    # Newcombe 1998, Statistics in Medicine 17, 857-872, table I, method 3.
    for hits, of, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        found = wilson(hits, of)
        assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


def test_the_four_corners_and_what_cannot_be_told() -> None:
    wanted = {"hit": (300, 150), "tight": (300, 6), "hidden": (40, 30), "dull": (60, 1), "rare": (5, 5)}
    tried: list[Session] = []
    done = []
    for style, (number, sales) in wanted.items():
        some = [session(epc=style, gtin=None) for _ in range(number)]
        tried += some
        done += [Closed(each, sold(T + 100, style), "epc") for each in some[:sales]]
    rows = {row.style: row for row in quadrant.rows(tried, done, {}, visits=2000)}
    assert {style: row.verdict for style, row in rows.items()} == {
        "hit": "star",
        "tight": "design",
        "hidden": "display",
        "dull": "wait",
        "rare": "not enough data",
    }
    assert len(rows["hit"].behind) == 300
    assert set(rows["hit"].sold) < set(rows["hit"].behind)


def test_few_visits_or_few_try_ons_get_no_verdict() -> None:
    many = [session() for _ in range(200)]
    assert quadrant.rows(many, [], {}, visits=99)[0].verdict == "not enough data"
    assert quadrant.rows(many, [], {}, visits=0)[0].tryon.value is None


def tried_on(start: float, epc: str = EPC, kind: str = "tried_on") -> Event:
    data = TryOn(epc=epc, gtin=GTIN, room="room-1", start=utc(start), end=utc(start + 60), kind=kind, confidence=0.9)  # type: ignore[arg-type]
    return Event.new("rfid-1", start + 60, data)


def store_day(engine: Engine) -> None:
    """Ten visits in a half-observed hour, two try-ons and one in the room; one receipt of the kind, one of the item."""
    box = Box()
    start = T // 3600 * 3600
    minutes = [
        FootfallMinute(
            minute=utc(start + 60 * n), place="door", entered=1 if n < 10 else 0, left=0, coverage=60, revision=0
        )
        for n in range(30)
    ]
    events = [Event.new("camera-1", start + 60 * n, minute) for n, minute in enumerate(minutes)]
    events += [tried_on(start), tried_on(start + 300, OTHER), tried_on(start + 400, kind="in_room")]
    events.append(Event.new("rfid-1", start + 900, Item(epc=EPC, gtin=GTIN, place="till", step="sold")))
    with CentralStore(engine.url.render_as_string(hide_password=False)) as store:
        store.ingest([box.send(each) for each in events])
    with writing(engine) as connection:
        products.put(connection, [ProductIn((("sku", "a"), ("gtin", GTIN)), style="A", name="A")], NOW)
        known(connection, "m")
    at = datetime.fromtimestamp(start + 905, SHANGHAI)
    line = LineIn((("gtin", GTIN),), 1, 9_900)
    assert bought(engine, receipt("1", "m", moment=at, store="s1", lines=(line,))) == ["new"]


def test_the_loop_is_closed_from_events_and_receipts(engine: Engine) -> None:
    store_day(engine)
    start = T // 3600 * 3600
    with reading(engine) as connection:
        (row,) = asking.products(connection, "s1", start, start + 3600)
        (hour,) = asking.by_hour(connection, "s1", start, start + 3600)
    # One sale, seen by the reader and told by the till: the very item.
    assert (row.style, row.visits, row.tried, row.in_room, row.bought, row.by_epc) == ("A", 10, 2, 1, 1, 1)
    assert row.verdict == "not enough data"
    assert all(isinstance(each, UUID) for each in row.behind)
    assert (hour.visits, hour.receipts, hour.coverage, hour.rate.value) == (10, 1, 0.5, 0.1)


def test_a_try_on_is_nobodys_unless_the_member_said_yes(engine: Engine) -> None:
    store_day(engine)
    start = T // 3600 * 3600
    with writing(engine) as connection:
        _, (done,) = asking.closed(connection, "s1", start, start + 3600)
        assert asking.member(connection, done) is None
        who = known(connection, "m")
        for act, expected in (("given", who), ("withdrawn", None)):
            consent = Consent(
                member=who,
                purpose="profile",
                act=act,  # type: ignore[arg-type]
                time=NOW + (act == "withdrawn"),
                version="1",
                digest="0" * 64,
                language="en",
                taken_by="g",
                how="paper",
            )
            consents.record(connection, consent)
            assert asking.member(connection, done) == expected


def test_an_hour_that_nobody_observed_has_no_conversion(engine: Engine) -> None:
    with reading(engine) as connection:
        (hour,) = asking.by_hour(connection, "s1", T, T + 3600)
    assert (hour.visits, hour.rate.value, hour.coverage) == (None, None, 0.0)
