"""One time line of everything, who may be traced in it, and what happens to it when the person asks to be forgotten."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DatabaseError

from sync.crm import (
    access,
    consents,
    contacts,
    customers,
    erasing,
    interactions,
    moments,
    occasions,
    relatives,
    tags,
    timeline,
    traits,
)
from sync.crm.customers import CustomerIn
from sync.crm.errors import CrmError
from sync.crm.following import Follower
from sync.crm.moments import Moment
from sync.crm.occasions import parse
from sync.crm.tags import Condition, TagRule
from sync.crm.taking import Wrong
from sync.crm.traits import Trait
from sync.events import Arrival, ConsentGiven, Event, Response, utc, uuid7
from sync.store.database import reading, writing
from sync.store.store import CentralStore
from tests.dashboard.tablet_serving import agreed
from tests.sync.crm.making import DAY_S, NOW, bought, count, known, receipt
from tests.sync.making import Box


def test_one_time_line_holds_everything_newest_first_and_every_entry_once_over_its_pages(engine: Engine) -> None:
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    bought(engine, *(receipt(f"R{n}", "1", moment=noon) for n in range(7)), receipt("B1", "1", kind="return"))
    with writing(engine) as connection:
        who = customers.by_number(connection, "till", "1")
        assert who is not None
        for n in range(5):
            interactions.add(connection, who, "talk", f"<script>{n}</script> 😀", noon.timestamp(), guide="guide-7")
            moment = Moment(who, uuid7(NOW), "tryon", round((noon.timestamp() + n) * 1000), "s1", {"gtin": "0" * 14})
            moments.put(connection, moment)
    seen: list[timeline.Entry] = []
    cursor = None
    with reading(engine) as connection:
        while True:
            page = timeline.of(connection, who, cursor, limit=4)
            seen += page.entries
            cursor = page.cursor
            if cursor is None:
                break
    assert len(seen) == len({entry.key for entry in seen}) == 18
    assert [entry.time for entry in seen] == sorted((entry.time for entry in seen), reverse=True)
    assert {entry.kind for entry in seen} == {"sale", "return", "talk", "tryon"}
    assert "<script>0</script> 😀" in [entry.data.get("text") for entry in seen]


def test_a_cursor_that_is_none_is_refused(engine: Engine) -> None:
    with writing(engine) as connection:
        who = known(connection, "1")
        for cursor in ("x", "####", "bm90aGluZw"):
            with pytest.raises(CrmError, match="no cursor"):
                timeline.of(connection, who, cursor)


def test_arrivals_confirmed_visits_and_consents_come_from_the_stores_events_once(database: str) -> None:
    box = Box("s1")
    with CentralStore(database, now=lambda: NOW) as store:
        with writing(store.engine) as connection:
            who = known(connection, "1", name="王芳")
        sure = Arrival(candidates=(who,), method="face", confidence=0.9, expires=utc(NOW + 900))
        thin = Arrival(candidates=(who, "M-0002"), method="face", confidence=0.6, expires=utc(NOW + 900))
        arrivals = [Event.new("door", NOW, data) for data in (sure, sure, thin)]
        yes = Response(arrival=arrivals[0].id, member=who, action="confirm", guide="guide-7")
        no = Response(arrival=arrivals[1].id, member=who, action="wrong_person", guide="guide-7")
        given = agreed(who, "messages", NOW).model_dump(exclude={"time", "adult"})
        taps = [Event.new("tablet", NOW + 1, data) for data in (yes, no, ConsentGiven(**given))]
        store.ingest([box.send(each) for each in (*arrivals, *taps)])
        follower = Follower(store.engine, lambda: NOW)
        assert (follower.step(), follower.step()) == (6, 0)
        with reading(store.engine) as connection:
            found = timeline.of(connection, who).entries
            assert consents.in_force(connection, [who]) == {"messages"}
        assert sorted(entry.kind for entry in found) == ["arrival", "visit"]
        with writing(store.engine) as connection:
            assert moments.expire(connection, NOW + 91 * DAY_S) == 2


def test_a_member_of_a_box_becomes_a_customer_and_an_erased_one_does_not_come_back(database: str) -> None:
    box = Box("s1")
    come = [Arrival(candidates=(f"M-000{n}",), method="qr", confidence=1.0, expires=utc(NOW + 900)) for n in (1, 2)]
    with CentralStore(database, now=lambda: NOW) as store:
        with writing(store.engine) as connection:
            customers.ensure_references(connection, ["M-0002"], NOW)
            erasing.erase(connection, "M-0002", NOW, "head-office")
        store.ingest([box.send(Event.new("door", NOW, each)) for each in come])
        Follower(store.engine, lambda: NOW).step()
        with reading(store.engine) as connection:
            assert customers.get(connection, "M-0001").placeholder
            with pytest.raises(CrmError, match="no customer M-0002"):
                customers.get(connection, "M-0002")
        assert count(store.engine, "customer_moment") == 1


def test_a_look_cannot_be_changed_or_deleted_before_three_years(engine: Engine) -> None:
    with writing(engine) as connection:
        who = known(connection, "1")
        access.note(connection, who, "guide-7", "viewed", NOW - 3.1 * 365.25 * DAY_S, role="clerk", store="s1")
        access.note(connection, who, "guide-7", "viewed", NOW, role="clerk", store="s1")
    for statement in ("UPDATE access SET actor = 'x'", "DELETE FROM access"):
        with pytest.raises(DatabaseError, match="append-only"), writing(engine) as connection:
            connection.execute(text(statement))
    with writing(engine) as connection:
        assert len(access.of(connection, who)) == 2
        assert access.expire(connection, NOW) == 1
        assert [each.act for each in access.by_actor(connection, "guide-7", 0, round(NOW * 1000) + 1)] == ["viewed"]


def test_a_rule_gives_and_takes_its_tag_and_leaves_what_a_hand_gave(engine: Engine) -> None:
    rule = TagRule(rule="big", tag="VIP", every=(Condition(what="spent", at_least=10_000),))
    bought(engine, receipt("R1", "1", amount=12_000), receipt("R2", "2", amount=500))
    with writing(engine) as connection:
        one, two = (customers.by_number(connection, "till", number) for number in "12")
        assert one is not None
        assert two is not None
        tags.give(connection, two, "VIP", "guide-7", NOW)
        tags.keep_rule(connection, rule, NOW)
        assert tags.apply(connection, date(2026, 11, 25), NOW) == (1, 0)
        assert tags.apply(connection, date(2026, 11, 25), NOW) == (0, 0)
        assert tags.of(connection, [one]) == [tags.Tag("VIP", "big")]
    bought(engine, receipt("B1", "1", kind="return", amount=11_000))
    with writing(engine) as connection:
        assert tags.apply(connection, date(2026, 11, 25), NOW, [one, two]) == (0, 1)
        assert tags.of(connection, [one]) == []
        assert tags.of(connection, [two]) == [tags.Tag("VIP")]


def test_days_near_are_found_in_both_calendars(engine: Engine) -> None:
    with writing(engine) as connection:
        one, two = known(connection, "1"), known(connection, "2")
        child = relatives.add(connection, one, "child", "小明")
        occasions.put(
            connection,
            one,
            [parse("birthday", "1988-02-29"), parse("birthday", "农历2023-闰2-12", whose=str(child.number))],
        )
        occasions.put(connection, two, [parse("anniversary", "3-21")])
        near = occasions.near(connection, date(2026, 2, 20), 45)
    # 2026: 1 March instead of the 29th; the second lunar month's 12th is 30 March.
    assert [(day, who, each.whose) for day, who, each in near] == [
        (date(2026, 3, 1), one, ""),
        (date(2026, 3, 21), two, ""),
        (date(2026, 3, 30), one, "1"),
    ]


def test_a_withdrawal_counts_for_everybody_who_is_one_person(engine: Engine) -> None:
    with writing(engine) as connection:
        one, two = known(connection, "1"), known(connection, "2")
        consents.record(connection, agreed(one, "messages", NOW))
        consents.record(connection, agreed(one, "profile", NOW))
        consents.record(connection, agreed(two, "messages", NOW).model_copy(update={"act": "withdrawn"}))
        assert consents.in_force(connection, [one]) == {"messages", "profile"}
        assert consents.in_force(connection, [one, two]) == {"profile"}


def test_who_is_erased_is_gone_stays_gone_and_leaves_the_figures(engine: Engine) -> None:
    bought(engine, receipt("R1", "1"))
    told = CustomerIn("till", "1", contacts=(contacts.phone("13812345678"),))
    with writing(engine) as connection:
        customers.put(connection, [told], NOW, "test")
        who = customers.by_number(connection, "till", "1")
        assert who is not None
        traits.put(connection, who, [Trait("size", "ring", "12")], NOW)
        interactions.add(connection, who, "message", "…", NOW, guide="guide-7")
        assert erasing.erase(connection, who, NOW, "head-office") == [who]
        assert customers.put(connection, [told], NOW, "test") == [
            Wrong("this customer was erased and is not taken in again")
        ]
    bought(engine, receipt("R2", "1"))
    assert [count(engine, name) for name in ("customer", "customer_key", "contact", "trait", "interaction")] == [0] * 5
    assert count(engine, "purchase") == 2
    with reading(engine) as connection:
        assert {each.act for each in access.of(connection, who)} == {"messaged", "erased"}
