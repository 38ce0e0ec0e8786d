"""Two customers who are one person: merged and taken apart again, with nothing lost on the way."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from sync.crm import access, customers, merges, purchases, tables, timeline
from sync.crm.customers import Profile
from sync.crm.errors import CrmError
from sync.store.database import reading, writing
from tests.sync.crm.making import NOW, bought, known, opened, receipt


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One database for all examples of a property: each makes customers of its own."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('merges')}/central.db"
    else:
        from tests.conftest import _fresh_postgres

        url = _fresh_postgres(request.getfixturevalue("postgres"))
    with opened(url) as engine:
        yield engine


def test_a_merge_shows_both_as_one_and_undoing_it_gives_each_its_own_back(engine: Engine) -> None:
    with writing(engine) as connection:
        old = known(connection, "1", name="王芳", salutation="王女士")
        new = known(connection, "2", level="金卡")
    bought(engine, receipt("R1", "1"), receipt("R2", "2", amount=100))
    with writing(engine) as connection:
        merge = merges.merge(connection, old, new, NOW, "manager", "one phone")
        assert purchases.total(connection, [new]) == {(new, "CNY"): 10_000}
        group = customers.group(connection, old)
        assert [each.customer for each in group] == [new, old]
        assert customers.whole(group) == Profile(name="王芳", salutation="王女士", level="金卡")
        assert customers.by_number(connection, "till", "1") == new
    # The till goes on with the old number.
    bought(engine, receipt("R3", "1", amount=5))
    with writing(engine) as connection:
        assert len(timeline.of(connection, new).entries) == 3
        merges.undo(connection, merge, NOW + 9, "manager")
        assert purchases.total(connection, [old, new]) == {(old, "CNY"): 9_905, (new, "CNY"): 100}
        assert customers.by_number(connection, "till", "1") == old
        assert [(each.undone_by, each.reason) for each in merges.of(connection, old)] == [("manager", "one phone")]
        acts = {each.act for each in access.of(connection, old)}
    assert acts == {"merged", "unmerged"}


def test_a_merge_that_makes_no_sense_is_refused_and_changes_nothing(engine: Engine) -> None:
    with writing(engine) as connection:
        one, two, three = (known(connection, number) for number in "123")
        done = merges.merge(connection, one, two, NOW, "manager")
    for gone, kept, code in (
        (one, two, "same"),
        (two, one, "same"),
        (one, three, "conflict"),
        (one, "M-0000", "unknown"),
    ):
        with pytest.raises(CrmError) as refused, writing(engine) as connection:
            merges.merge(connection, gone, kept, NOW, "manager")
        assert refused.value.code == code
    with writing(engine) as connection:
        merges.undo(connection, done, NOW, "manager")
    with pytest.raises(CrmError, match="undone already"), writing(engine) as connection:
        merges.undo(connection, done, NOW, "manager")


def roots(engine: Engine, people: list[str]) -> dict[str, str]:
    table = tables.customer
    with reading(engine) as connection:
        query = select(table.c.customer, table.c.root).where(table.c.customer.in_(people))
        return {who: root for who, root in connection.execute(query)}


def expected(people: list[str], edges: dict[str, str]) -> dict[str, str]:
    """The model: whoever was merged counts for the end of the chain."""

    def end(who: str) -> str:
        while who in edges:
            who = edges[who]
        return who

    return {who: end(who) for who in people}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 30))
def test_after_any_merges_and_undoings_the_groups_are_what_the_merges_in_force_say(
    shared_engine: Engine, seed: int, steps: int
) -> None:
    dice = random.Random(seed)
    edges: dict[str, str] = {}
    entries: dict[str, object] = {}
    with writing(shared_engine) as connection:
        people = [customers.add(connection, Profile(), NOW) for _ in range(7)]
        for _ in range(steps):
            if entries and dice.random() < 0.4:
                gone = dice.choice(sorted(entries))
                merges.undo(connection, entries.pop(gone), NOW, "m")  # type: ignore[arg-type]
                del edges[gone]
                continue
            gone, kept = dice.sample(people, 2)
            before = expected(people, edges)
            legal = before[gone] != before[kept] and gone not in edges
            if not legal:
                with pytest.raises(CrmError):
                    merges.merge(connection, gone, kept, NOW, "m")
                continue
            entries[gone] = merges.merge(connection, gone, kept, NOW, "m")
            edges[gone] = kept
    assert roots(shared_engine, people) == expected(people, edges)
    with writing(shared_engine) as connection:
        for gone in dice.sample(sorted(entries), len(entries)):
            merges.undo(connection, entries[gone], NOW, "m")  # type: ignore[arg-type]
    assert roots(shared_engine, people) == {who: who for who in people}
