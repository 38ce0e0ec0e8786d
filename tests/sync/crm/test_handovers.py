"""Whose customer is it: bindings with their history, a guide who leaves, and disputes."""

from datetime import date

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DatabaseError

from sync.crm import access, bindings, customers, disputes, guides, handovers, tasks
from sync.crm.customers import CustomerIn, Profile
from sync.crm.errors import CrmError
from sync.store.database import reading, writing
from tests.sync.crm.making import DAY_S, NOW, count

DUE = date(2026, 11, 28)


def staffed(engine: Engine, people: int) -> list[str]:
    """Guides 7 and 8 of one store, and customers of guide 7, each with a task."""
    given = [CustomerIn("till", f"C{n}", guide="guide-7") for n in range(people)]
    with writing(engine) as connection:
        for guide in ("guide-7", "guide-8"):
            guides.put(connection, guide, guide.upper(), "s1", NOW - DAY_S)
        customers.put(connection, given, NOW - DAY_S, "import")
        who = bindings.customers_of(connection, "guide-7")
        for each in who:
            tasks.add(connection, each, "call", "thank them", DUE, NOW - DAY_S, "guide-7")
        done = tasks.add(connection, who[0], "call", "done", DUE, NOW - DAY_S, "guide-7")
        assert tasks.finish(connection, who[0], done, NOW - DAY_S)
    return who


def test_a_thousand_customers_change_hands_in_one_transaction(engine: Engine) -> None:
    who = staffed(engine, 1000)
    with writing(engine) as connection:
        done = handovers.hand_over(connection, "guide-7", "guide-8", NOW, "manager")
        assert (done.customers, done.tasks) == (1000, 1000)
        assert handovers.get(connection, done.id) == done
    with reading(engine) as connection:
        assert bindings.customers_of(connection, "guide-7") == []
        assert bindings.customers_of(connection, "guide-8") == who
        assert len(tasks.open_of(connection, "guide-8")) == 1000
        assert tasks.open_of(connection, "guide-7") == []
        (before, now) = bindings.history(connection, who[:1])
        assert (before.guide, before.until, now.guide, now.before, now.handover) == (
            "guide-7",
            now.since,
            "guide-8",
            "guide-7",
            done.id,
        )
        # What was done stays the one's who did it.
        assert {each.guide for each in tasks.of(connection, who[:1]) if each.done} == {"guide-7"}
        assert guides.get(connection, "guide-7").left == now.since
        assert [look.act for look in access.of(connection, who[0])] == ["handed"]


class Stopped(Exception):
    """Something goes wrong after the handover, in the same transaction."""


def test_a_handover_that_does_not_end_has_not_begun(engine: Engine) -> None:
    who = staffed(engine, 3)

    def broken() -> None:
        with writing(engine) as connection:
            handovers.hand_over(connection, "guide-7", "guide-8", NOW, "manager")
            raise Stopped

    with pytest.raises(Stopped):
        broken()
    with reading(engine) as connection:
        assert bindings.customers_of(connection, "guide-7") == who
        assert guides.get(connection, "guide-7").left is None
    assert (count(engine, "handover"), count(engine, "access")) == (0, 0)


@pytest.mark.parametrize(
    ("leaver", "successor", "code"),
    [("guide-7", "guide-7", "same"), ("guide-7", "guide-9", "unknown"), ("guide-9", "guide-7", "unknown")],
)
def test_a_handover_needs_two_guides_who_are_here(engine: Engine, leaver: str, successor: str, code: str) -> None:
    staffed(engine, 1)
    with pytest.raises(CrmError) as refused, writing(engine) as connection:
        handovers.hand_over(connection, leaver, successor, NOW, "manager")
    assert refused.value.code == code


def test_who_has_left_gets_no_customer(engine: Engine) -> None:
    (who,) = staffed(engine, 1)
    with writing(engine) as connection:
        handovers.hand_over(connection, "guide-7", "guide-8", NOW, "manager")
    for wanted in ("guide-7", "guide-0"):
        with pytest.raises(CrmError), writing(engine) as connection:
            bindings.assign(connection, who, wanted, NOW, "manager")
    with reading(engine) as connection:
        assert bindings.current(connection, [who])[who].guide == "guide-8"


def test_a_customer_has_one_guide_at_most_whatever_a_program_does(engine: Engine) -> None:
    (who,) = staffed(engine, 1)
    with writing(engine) as connection:
        bindings.assign(connection, who, "guide-8", NOW, "manager")
    with pytest.raises(DatabaseError), writing(engine) as connection:
        connection.execute(text("UPDATE binding SET until = NULL"))


def test_an_import_binds_who_is_nobodys_and_leaves_the_others(engine: Engine) -> None:
    (who,) = staffed(engine, 1)
    with writing(engine) as connection:
        again = CustomerIn("till", "C0", profile=Profile(name="x"), guide="guide-8")
        assert customers.put(connection, [again], NOW, "import") == ["changed"]
        assert bindings.current(connection, [who])[who].guide == "guide-7"


def test_a_dispute_within_two_weeks_is_decided_once_by_somebody_else(engine: Engine) -> None:
    (who,) = staffed(engine, 1)
    with writing(engine) as connection:
        bindings.assign(connection, who, "guide-8", NOW, "manager")
        dispute = disputes.raise_one(connection, who, "guide-7", "she asked for me <b>", NOW + 13 * DAY_S)
        assert [each.id for each in disputes.waiting(connection)] == [dispute]
    for by in ("guide-7", "guide-8"):
        with pytest.raises(CrmError, match="their own"), writing(engine) as connection:
            disputes.decide(connection, dispute, "upheld", NOW + 14 * DAY_S, by)
    with pytest.raises(CrmError, match="disputed already"), writing(engine) as connection:
        disputes.raise_one(connection, who, "guide-7", "again", NOW + 13 * DAY_S)
    with writing(engine) as connection:
        disputes.decide(connection, dispute, "upheld", NOW + 14 * DAY_S, "manager")
        assert bindings.current(connection, [who])[who].guide == "guide-7"
        assert [each.reason for each in bindings.history(connection, [who])] == ["first", "assigned", "dispute"]
    with pytest.raises(CrmError, match="decided already"), writing(engine) as connection:
        disputes.decide(connection, dispute, "rejected", NOW + 15 * DAY_S, "manager")


def test_after_two_weeks_a_binding_stands(engine: Engine) -> None:
    (who,) = staffed(engine, 1)
    with writing(engine) as connection:
        bindings.assign(connection, who, "guide-8", NOW, "manager")
    with pytest.raises(CrmError, match="two weeks") as refused, writing(engine) as connection:
        disputes.raise_one(connection, who, "guide-7", "late", NOW + 14.01 * DAY_S)
    assert refused.value.code == "window"
