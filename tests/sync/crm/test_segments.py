import json
import random
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from sync.crm import erasing, merges, products, tables
from sync.crm.products import ProductIn
from sync.crm.purchases import LineIn, PurchaseIn
from sync.crm.segments import basis, lifecycle, reading, rfm
from sync.crm.segments.computing import recompute
from sync.crm.segments.rules import SegmentRules
from sync.store.database import reading as reads
from sync.store.database import writing
from tests.shared_data import shared
from tests.sync.crm.making import DAY_S, NOW, SHANGHAI, bought, known, receipt

TODAY = date(2026, 11, 25)
RULES = SegmentRules(learn=False)


def on(day: date, number: str, customer: str, **more: object) -> PurchaseIn:
    return receipt(number, customer, moment=datetime(day.year, day.month, day.day, 12, tzinfo=SHANGHAI), **more)


def rows(engine: Engine) -> dict[str, dict[str, object]]:
    table = tables.customer_segment
    with reads(engine) as connection:
        found = connection.execute(select(*(column for column in table.columns if column.name != "computed")))
        return {row["customer"]: dict(row) for row in found.mappings()}


@pytest.mark.parametrize(
    ("silence", "state"),
    [
        (0, "active"),
        (90, "active"),
        (91, "at_risk"),
        (135, "at_risk"),
        (136, "silent"),
        (181, "dormant"),
        (361, "lost"),
    ],
)
def test_the_life_cycle_of_clothes_goes_by_ninety_days(silence: int, state: str) -> None:
    found = lifecycle.standing(2, TODAY - timedelta(silence), 90, None, TODAY, RULES)
    assert found.state == state


def test_a_first_purchase_makes_somebody_new_until_the_cycle_is_over() -> None:
    assert lifecycle.standing(1, TODAY - timedelta(90), 90, None, TODAY, RULES).state == "new"
    assert lifecycle.standing(1, TODAY - timedelta(91), 90, None, TODAY, RULES).state == "at_risk"


def test_jewellery_is_bought_more_rarely_than_clothes() -> None:
    assert RULES.expected("Jewellery") > RULES.expected("clothes") == RULES.expected("服装") == 90


def test_a_warning_comes_before_the_loss_and_says_why() -> None:
    last = TODAY - timedelta(77)
    assert lifecycle.standing(3, last, 90, None, TODAY, RULES).warning == "leaving"
    assert lifecycle.standing(3, last + timedelta(1), 90, None, TODAY, RULES).warning is None
    said = lifecycle.reason("leaving", last, 90, None, TODAY)
    assert said == "no purchase for 77 days; customers of this category come back within 90"


def test_somebody_who_buys_every_week_is_missed_long_before_the_cycle_is_over() -> None:
    days = [TODAY - timedelta(back) for back in (50, 43, 36, 29)]
    own = lifecycle.pace(days, RULES)
    assert own == 7
    found = lifecycle.standing(4, days[-1], 90, own, TODAY, RULES)
    assert (found.state, found.warning) == ("active", "slower")
    assert lifecycle.reason("slower", days[-1], 90, own, TODAY) == "buys every 7 days, and has not bought for 29"


@given(
    cycle=st.integers(1, 800),
    bought=st.integers(1, 9),
    own=st.none() | st.integers(1, 300),
    bands=st.lists(st.integers(0, 900), min_size=4, max_size=4),
    start=st.integers(0, 2000),
)
def test_nothing_changes_before_the_day_it_is_due(
    cycle: int, bought: int, own: int | None, bands: list[int], start: int
) -> None:
    last, cuts = date(2020, 1, 1), sorted(bands)

    def at(silence: int) -> tuple[object, ...]:
        found = lifecycle.standing(bought, last, cycle, own, last + timedelta(silence), RULES, cuts)
        return found.state, found.since, found.warning, rfm.recency(silence, cuts), found.due

    *now, due = at(start)
    end = 4000 if due is None else (due - last).days  # type: ignore[operator]
    for silence in {start + 1, (start + end) // 2, end - 1} & set(range(start, end)):
        assert list(at(silence)[:4]) == now
    assert due is None or end > start


@given(st.lists(st.integers(-5_000, 100_000), min_size=1, max_size=60))
def test_the_vital_few_are_the_fewest_that_make_eighty_percent(spent: list[int]) -> None:
    limit = rfm.vital_from(spent, 0.8)
    falling = sorted((each for each in spent if each > 0), reverse=True)
    few = [each for each in falling if each >= limit]
    assert sum(few) >= 0.8 * sum(falling)
    more_than_limit = [each for each in falling if each > limit]
    assert not falling or sum(more_than_limit) < 0.8 * sum(falling)


def test_quantiles_make_five_bands_of_about_as_many() -> None:
    values = list(range(1000))
    scores = [rfm.score(value, rfm.quantiles(values)) for value in values]
    assert [scores.count(number) for number in range(1, 6)] == [200] * 5


def test_who_bought_what_decides_the_cycle(engine: Engine) -> None:
    with writing(engine) as connection:
        given = [
            ProductIn((("sku", "ring"),), style="R", category="Jewellery"),
            ProductIn((("sku", "shirt"),), style="S", category="clothes"),
        ]
        products.put(connection, given, NOW)
        ring, shirt = known(connection, "ring"), known(connection, "shirt")
    day = TODAY - timedelta(120)
    both = (LineIn((("sku", "ring"),), 1, 90_000), LineIn((("sku", "shirt"),), 1, 9_000))
    bought(engine, on(day, "1", "ring", lines=both), on(day, "2", "shirt", lines=both[1:]))
    with writing(engine) as connection:
        recompute(connection, TODAY, NOW, RULES)
    found = rows(engine)
    assert (found[ring]["state"], found[ring]["cycle"], found[ring]["category"]) == ("new", 365, "Jewellery")
    assert (found[shirt]["state"], found[shirt]["cycle"]) == ("at_risk", 90)


def test_returns_are_taken_off_and_other_currencies_are_not_added_up(engine: Engine) -> None:
    with writing(engine) as connection:
        who = known(connection, "a")
    bought(
        engine,
        on(TODAY, "1", "a", amount=10_000),
        on(TODAY, "2", "a", amount=4_000, kind="return"),
        on(TODAY, "3", "a", amount=700, currency="EUR"),
    )
    with writing(engine) as connection:
        recompute(connection, TODAY, NOW, RULES)
    assert rows(engine)[who]["spent"] == 6_000
    assert rows(engine)[who]["days"] == 1


def test_only_those_who_bought_or_whose_day_has_come_are_computed(engine: Engine) -> None:
    bought(engine, *(on(TODAY - timedelta(number), f"r{number}", f"c{number}") for number in range(100)))
    with writing(engine) as connection:
        assert recompute(connection, TODAY, NOW, RULES).customers == 100
    later = NOW + DAY_S
    with writing(engine) as connection:
        recompute(connection, TODAY, later - 3600, RULES)
    bought(engine, on(TODAY, "new", "c50"), now=later)
    with writing(engine) as connection:
        done = recompute(connection, TODAY + timedelta(1), later, RULES)
    assert not done.learnt
    assert 1 <= done.customers < 12


def test_day_by_day_comes_to_the_same_as_all_at_once(engine: Engine) -> None:
    dice, numbers = random.Random(5), [f"c{number}" for number in range(30)]
    bought(
        engine,
        *(on(TODAY - timedelta(dice.randrange(400)), f"s{number}", dice.choice(numbers)) for number in range(90)),
    )
    with writing(engine) as connection:
        recompute(connection, TODAY, NOW, RULES)
    entries: list[object] = []
    for step in range(1, 25):
        now, today = NOW + step * DAY_S, TODAY + timedelta(step)
        kind = "return" if dice.random() < 0.2 else "sale"
        if dice.random() < 0.6:
            bought(engine, on(today, f"d{step}", dice.choice(numbers), kind=kind), now=now)
        with writing(engine) as connection:
            if dice.random() < 0.4:
                people = list(
                    connection.scalars(
                        select(tables.customer.c.customer).where(tables.customer.c.merged_into.is_(None))
                    )
                )
                gone, kept = dice.sample(sorted(people), 2)
                entries.append(merges.merge(connection, gone, kept, now, "m"))
            elif entries and dice.random() < 0.5:
                merges.undo(connection, entries.pop(), now, "m")  # type: ignore[arg-type]
            recompute(connection, today, now, RULES)
    step_by_step = rows(engine)
    with writing(engine) as connection:
        known_basis = basis.load(connection)
        assert known_basis is not None
        connection.execute(tables.customer_segment.delete())
        # Everybody again by the same basis: as if each had bought just now.
        connection.execute(tables.purchase.update().values(received=round((NOW + 24 * DAY_S) * 1000)))
        recompute(connection, TODAY + timedelta(24), NOW + 24 * DAY_S, RULES)
    assert step_by_step == rows(engine)


def test_who_was_erased_or_merged_away_is_in_no_segment(engine: Engine) -> None:
    with writing(engine) as connection:
        a, b, c = (known(connection, name) for name in "abc")
    bought(engine, *(on(TODAY, name, name) for name in "abc"))
    with writing(engine) as connection:
        recompute(connection, TODAY, NOW, RULES)
        merges.merge(connection, a, b, NOW + 60, "m")
        erasing.erase(connection, c, NOW + 60, "m")
        recompute(connection, TODAY, NOW + 60, RULES)
    assert list(rows(engine)) == [b]


def test_the_eighty_twenty_view_adds_up(engine: Engine) -> None:
    bought(
        engine,
        *(
            on(TODAY, str(number), str(number), amount=amount)
            for number, amount in enumerate([8_000, 500, 500, 500, 500])
        ),
    )
    with writing(engine) as connection:
        recompute(connection, TODAY, NOW, RULES)
        found = reading.share(connection)
    assert (found.customers, found.vital, found.spent, found.vital_spent) == (5, 1, 10_000, 8_000)
    assert found.currency == "CNY"


def test_cdnow_by_command_is_sorted_with_its_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from yingke import main

    config = tmp_path / "config.yaml"
    config.write_text(
        json.dumps(
            {
                "store": {"id": "s1", "timezone": "America/New_York"},
                "sync": {"database": {"url": f"sqlite:///{tmp_path}/c.db"}},
            }
        )
    )
    # The tenth that is every tenth line's customer would cut histories apart: take the first customers, whole.
    lines = shared("data/retail/cdnow_purchases.txt").read_text().splitlines()
    (tmp_path / "cdnow.txt").write_text(
        "\n".join(lines[:1] + [line for line in lines[1:] if line.split() and int(line.split()[0]) <= 2000]) + "\n"
    )
    assert (
        main(
            ["import", "purchases", str(tmp_path / "cdnow.txt"), "--format", "cdnow", "--config", str(config), "--json"]
        )
        == 0
    )
    capsys.readouterr()
    assert main(["segments", "--config", str(config), "--today", "1998-06-30", "--warnings", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["learnt"]
    assert said["customers"] == sum(said["states"].values()) == sum(cell[3] for cell in said["rfm"]) == 2000
    assert said["states"]["lost"] > said["states"]["active"] > 0
    assert 0.1 < said["share"]["vital"] / 2000 < 0.5
    assert said["model"] is not None
    assert said["call"]
    assert all(0 <= each["alive"] <= 1 and each["reason"] for each in said["call"])
    assert main(["segments", "--config", str(config), "--today", "1998-06-30"]) == 0
    assert "of the turnover" in capsys.readouterr().out


def test_rules_with_a_mistake_are_refused_by_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from yingke import main

    config, rules = tmp_path / "config.yaml", tmp_path / "rules.json"
    config.write_text(json.dumps({"store": {"id": "s1"}, "sync": {"database": {"url": f"sqlite:///{tmp_path}/c.db"}}}))
    rules.write_text('{"cycle": 0}')
    assert main(["segments", "--config", str(config), "--rules", str(rules)]) == 1
    assert "cycle" in capsys.readouterr().err
