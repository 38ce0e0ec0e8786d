"""Files of customers, products and purchases: every wrong row named, every right one in, nothing twice."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select

from bench.crm_import import write
from sync.crm import contacts, customers, occasions, purchases, tables, tags, traits
from sync.crm.errors import CrmError
from sync.crm.importing import runner
from sync.crm.importing.runner import Plan, run
from sync.crm.traits import Trait
from sync.store.database import reading
from tests.shared_data import shared
from tests.sync.crm.making import NOW, SETTINGS, content, count, csv_file, opened, taken, wrong_rows

HEADER = ("小票号", "日期", "会员号", "金额", "件数", "货号", "类型", "原单号")
GOOD = ("R1", "2026-11-20", "C1", "99.00", "1", "A-1", "销售", "")


def purchases_of(path: Path, **more: object) -> Plan:
    return Plan("purchases", path, SETTINGS, **more)  # type: ignore[arg-type]


def test_the_bad_input_of_the_list_is_named_row_by_row_and_the_rest_is_in(engine: Engine, tmp_path: Path) -> None:
    rows = [
        GOOD,
        ("R2", "2026-11-26", "C1", "99.00", "1", "A-1", "", ""),  # tomorrow
        ("R3", "2026-11-20", "C1", "-99.00", "1", "A-1", "", ""),  # negative, no return
        ("R4", "2026-11-20", "C1", "-99.00", "-1", "A-1", "退货", "R1"),  # a return with its sign
        ("R5", "2026-11-20", "C2", "5", "1", "Z-9", "退货", ""),  # a return without its purchase
        ("R6", "2025-02-29", "C1", "5", "1", "", "", ""),  # no such day
        ("R7", "2026-11-20", "C1", "5,5", "1", "", "", ""),
        ("", "2026-11-20", "C1", "5", "1", "", "", ""),
        GOOD,  # the same again
        ("R7", "2026-11-20", "C1", "5.5", "1", "", "", ""),
        ("R1", "2026-11-20", "C1", "98.00", "1", "A-1", "销售", ""),  # the same number, not the same receipt
        ("R8", "2026-11-20", '=HYPERLINK("x")', "5", "1", "<b>💍</b>", "", ""),  # text is text
        ("R9", "2026-11-20", "C1", "5", "1", "", "", "", "one too many"),
    ]
    plan = purchases_of(csv_file(tmp_path / "bad.csv", HEADER, rows))
    report = taken(engine, plan)
    assert wrong_rows(plan) == {
        3: "the day 2026-11-26 is in the future",
        4: "amount: it is negative, and the row is no return",
        7: "day: '2025-02-29' is no day that there is",
        8: "amount: '5,5' is no amount such as 1234.50",
        9: "receipt: missing",
        12: "receipt R1 is known with another content",
        14: "9 cells where the header has 8",
    }
    assert (report.new, report.same, report.wrong) == (5, 1, 7)
    assert plan.errors_path.stat().st_mode & 0o077 == 0
    with reading(engine) as connection:
        assert purchases.get(connection, "till", "R4") is not None
        assert customers.by_number(connection, "till", '=HYPERLINK("x")') is not None
    before = content(engine)
    again = taken(engine, plan)
    assert (again.new, again.same, again.wrong) == (0, 6, 7)
    assert content(engine) == before


def test_the_file_of_wrong_rows_can_be_corrected_and_taken_in(engine: Engine, tmp_path: Path) -> None:
    rows = [GOOD, ("R2", "2026-11-20", "C1", "ninety", "1", "A-1", "", "")]
    plan = purchases_of(csv_file(tmp_path / "sales.csv", HEADER, rows))
    assert taken(engine, plan).wrong == 1
    wrong = plan.errors_path
    wrong.write_text(wrong.read_text(encoding="utf-8").replace("ninety", "90"), encoding="utf-8")
    corrected = taken(engine, purchases_of(wrong))
    assert (corrected.new, corrected.wrong) == (1, 0)


def test_a_receipt_is_taken_whole_or_not_at_all(engine: Engine, tmp_path: Path) -> None:
    rows = [
        ("R1", "2026-11-20", "C1", "10", "1", "A", "", ""),
        ("R1", "2026-11-20", "C1", "20", "2", "B", "", ""),
        ("R2", "2026-11-20", "C1", "10", "1", "A", "", ""),
        ("R2", "2026-11-20", "C1", "x", "1", "B", "", ""),
        ("R3", "2026-11-20", "C1", "10", "1", "A", "", ""),
        ("R3", "2026-11-20", "C2", "10", "1", "B", "", ""),
    ]
    plan = purchases_of(csv_file(tmp_path / "lines.csv", HEADER, rows))
    assert taken(engine, plan).new == 1
    assert wrong_rows(plan) == {
        4: "another row of this receipt is wrong",
        5: "amount: 'x' is no amount such as 1234.50",
        6: "the rows of receipt R3 differ in customer",
        7: "the rows of receipt R3 differ in customer",
    }
    with reading(engine) as connection:
        found = purchases.get(connection, "till", "R1")
    assert found is not None
    assert (found[0].amount, found[0].units, [line.amount for line in found[1]]) == (3000, 3, [1000, 2000])


CUSTOMERS = ("会员号", "姓名", "手机", "邮箱", "生日", "标签", "尺码", "喜好", "导购", "历法")


def test_customers_come_with_everything_and_wrong_ones_are_named(engine: Engine, tmp_path: Path) -> None:
    rows = [
        (
            "C1",
            "王芳",
            "138 1234 5678",
            "W@Example.com",
            "1988-02-29",
            "VIP；会员日",
            "戒指 12",
            "玫瑰金、简约",
            "Guide-7",
            "",
        ),
        ("C2", "🎉 <img src=x>", "13812345678", "", "2023-闰2-12", "", "", "", "", "农历"),
        ("C3", "李", "12345", "", "", "", "", "", "", ""),
        ("C4", "李", "", "", "1987-02-29", "", "", "", "", ""),
        ("C5", "李", "", "", "2024-闰2-1", "", "", "", "", "农历"),
        ("C1", "另一个", "", "", "", "", "", "", "", ""),
        ("", "nobody", "", "", "", "", "", "", "", ""),
        ("", "by phone", "13900000000", "", "", "", "", "", "", ""),
    ]
    plan = Plan("customers", csv_file(tmp_path / "members.csv", CUSTOMERS, rows), SETTINGS)
    report = taken(engine, plan)
    assert (report.new, report.wrong) == (3, 5)
    assert wrong_rows(plan) == {
        4: "phone: there is no such phone number",
        5: "birthday: '1987-02-29': day is out of range for month",
        6: "birthday: '2024-闰2-1': the lunar year 2024 has no day leap 2-1",
        7: "number C1 stands twice in this file, with other content",
        8: "number: missing",
    }
    with reading(engine) as connection:
        one = customers.by_number(connection, "till", "C1")
        assert one is not None
        assert customers.get(connection, one).profile.name == "王芳"
        assert [tag.name for tag in tags.of(connection, [one])] == ["VIP", "会员日"]
        assert traits.of(connection, [one]) == [
            Trait("size", "戒指", "12"),
            Trait("taste", "玫瑰金"),
            Trait("taste", "简约"),
        ]
        assert [(each.month, each.day) for _, each in occasions.of(connection, [one])] == [(2, 29)]
        (shared_phone,) = contacts.shared(connection)
        assert shared_phone.contact.value == "+8613812345678"
        assert len(shared_phone.customers) == 2
    again = taken(engine, plan)
    assert (again.new, again.changed, again.same, again.wrong) == (0, 0, 3, 5)


def test_what_was_changed_by_hand_survives_the_same_file_and_not_a_newer_one(engine: Engine, tmp_path: Path) -> None:
    def members(level: str) -> Plan:
        rows = [("C1", "王芳", level)]
        return Plan("customers", csv_file(tmp_path / "m.csv", ("number", "name", "level"), rows), SETTINGS)

    def level() -> str | None:
        with reading(engine) as connection:
            return customers.get(connection, who).profile.level

    taken(engine, members("silver"))
    with engine.begin() as connection:
        who = customers.by_number(connection, "till", "C1") or ""
        customers.change(connection, who, NOW, {"level": "gold"})
    assert taken(engine, members("silver")).same == 1
    assert level() == "gold"
    assert taken(engine, members("platinum")).changed == 1
    assert level() == "platinum"


def test_a_workbook_is_read_as_people_keep_it(engine: Engine, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    page.append(["单号", "销售日期", "会员号", "实收", "数量", "商品条码"])
    page.append([1001, datetime(2026, 11, 20, 15, 30), 42, 19.99, 1, 6901234567892])
    page.append([1002, date(2026, 11, 20), "42", "1,200.00", 2.0, None])
    page.append([1003, "2026-11-20", None, 0.1, 1.5, None])
    page.append([])
    page.append([1004, datetime(2026, 11, 26), None, 1, None, None])
    book.save(tmp_path / "sales.xlsx")
    plan = purchases_of(tmp_path / "sales.xlsx")
    assert taken(engine, plan).new == 2
    assert wrong_rows(plan) == {
        4: "units: '1.5' is no whole number",
        6: "the day 2026-11-26 is in the future",
    }
    with reading(engine) as connection:
        found = purchases.get(connection, "till", "1001")
    assert found is not None
    assert (found[0].amount, found[0].day) == (1999, date(2026, 11, 20))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_the_encodings_of_spreadsheets_are_told_apart(engine: Engine, tmp_path: Path, encoding: str) -> None:
    rows = [("C1", "王芳")] * 3
    path = csv_file(tmp_path / "m.csv", ("会员号", "姓名"), rows, encoding)
    assert taken(engine, Plan("customers", path, SETTINGS)).new == 1
    with reading(engine) as connection:
        who = customers.by_number(connection, "till", "C1") or ""
        assert customers.get(connection, who).profile.name == "王芳"


def test_a_choice_of_columns_is_remembered_for_files_of_the_same_shape(engine: Engine, tmp_path: Path) -> None:
    header = ("Beleg", "Datum", "Summe")
    first = csv_file(tmp_path / "1.csv", header, [("B1", "2026-11-20", "5")])
    second = csv_file(tmp_path / "2.csv", header, [("B2", "2026-11-20", "5")])
    with pytest.raises(CrmError, match="no column is the receipt") as refused:
        taken(engine, purchases_of(first))
    assert "--map receipt=COLUMN; the columns: Beleg, Datum, Summe" in refused.value.fix
    said = {"receipt": "Beleg", "day": "datum", "amount": "Summe"}
    assert taken(engine, purchases_of(first, columns=said)).new == 1
    assert taken(engine, purchases_of(second)).new == 1
    with pytest.raises(CrmError, match="no column Bel"):
        taken(engine, purchases_of(second, columns={"receipt": "Bel"}))
    with pytest.raises(CrmError, match="no field colour"):
        taken(engine, purchases_of(second, columns={"colour": "Beleg"}))


def test_a_preview_says_what_would_happen_and_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    rows = [GOOD, ("R2", "2026-11-26", "C1", "99.00", "1", "A-1", "", "")]
    plan = purchases_of(csv_file(tmp_path / "sales.csv", HEADER, rows), preview=True)
    report = taken(engine, plan)
    assert (report.new, report.wrong) == (1, 1)
    assert "R1" in report.first[0]
    assert report.mapping["receipt"] == "小票号"
    assert all(count(engine, name) == 0 for name in ("purchase", "customer", "variant", "import_run", "import_mapping"))
    assert not plan.errors_path.exists()


class Stopped(Exception):
    """As if the process had been killed between two batches."""


def test_an_interrupted_import_goes_on_where_it_was(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "BATCH", 10)
    bad = write(tmp_path / "sales.csv", 200, wrong=True)
    plan = purchases_of(tmp_path / "sales.csv")
    for number, _ in enumerate(run(engine, plan, lambda: NOW)):
        if number == 7:
            break
    # What a killed process wrote after its last commit.
    with plan.errors_path.open("ab") as file:
        file.write(b"torn ro")
    report = taken(engine, plan)
    assert report.resumed == 81
    assert (report.new, report.same, report.wrong) == (200 - bad, 0, bad)
    assert len(wrong_rows(plan)) == bad == 10
    assert count(engine, "purchase") == 190


def test_an_interrupted_import_whose_errors_are_gone_names_them_again(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "BATCH", 10)
    bad = write(tmp_path / "sales.csv", 100, wrong=True)
    plan = purchases_of(tmp_path / "sales.csv")
    for number, _ in enumerate(run(engine, plan, lambda: NOW)):
        if number == 7:
            break
    plan.errors_path.unlink()
    report = taken(engine, plan)
    assert (report.new + report.same, report.wrong, len(wrong_rows(plan))) == (100 - bad, bad, bad)


def test_a_value_that_the_database_refuses_keeps_no_other_row_out(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = purchases.put

    def put(connection: object, given: list[object], now: float) -> object:
        if any(each.receipt == "R5" for each in given):  # type: ignore[attr-defined]
            raise OverflowError("as an integer beyond 64 bits would")
        return real(connection, given, now)  # type: ignore[arg-type]

    monkeypatch.setattr(purchases, "put", put)
    rows = [(f"R{n}", "2026-11-20", "C1", "5", "1", "", "", "") for n in range(12)]
    plan = purchases_of(csv_file(tmp_path / "s.csv", HEADER, rows))
    report = taken(engine, plan)
    assert (report.new, report.wrong) == (11, 1)
    assert wrong_rows(plan) == {7: "the database refuses a value of this row"}


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "before 2007"),
        ("broken.xlsx", b"PK\x03\x04 no zip", "no workbook"),
        ("none.csv", None, "cannot be read"),
        ("empty.csv", b"", "no column is the receipt"),
    ],
)
def test_a_file_that_is_none_is_one_sentence(
    engine: Engine, tmp_path: Path, name: str, data: bytes | None, said: str
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(CrmError, match=said):
        taken(engine, purchases_of(tmp_path / name))


def test_a_quotation_mark_that_is_not_closed_names_its_row(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    lines = ["receipt,day,amount", "R1,2026-11-20,5", 'R2,"2026-11-20,5', *("x" * 99 for _ in range(1000))]
    path.write_text("\n".join(lines), encoding="utf-8")
    plan = purchases_of(path)
    report = taken(engine, plan)
    assert report.new == 1
    assert "quotation mark" in wrong_rows(plan)[3]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One database for all examples of a property: each has a source of its own."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('imports')}/central.db"
    else:
        from tests.conftest import _fresh_postgres

        url = _fresh_postgres(request.getfixturevalue("postgres"))
    with opened(url) as engine:
        yield engine


cells = st.one_of(
    st.sampled_from(
        ["", "R1", "R2", "R3", "2026-11-20", "2099-01-01", "C1", "5", "-5", "1,000", "退货", "=1+1", "\x00"]
    ),
    st.text(max_size=12),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(cells, min_size=8, max_size=8), max_size=25), batch=st.integers(1, 9))
def test_any_file_is_accounted_for_row_by_row_and_changes_nothing_the_second_time(
    shared_engine: Engine, tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], batch: int
) -> None:
    folder = tmp_path_factory.mktemp("any")
    path = csv_file(folder / "any.csv", HEADER, [tuple(each) for each in rows], "utf-8")
    source = f"s{uuid4().hex[:20]}"
    plan = replace(purchases_of(path), settings=replace(SETTINGS, source=source), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "BATCH", batch)
        first = taken(shared_engine, plan)
        named = wrong_rows(plan)
        second = taken(shared_engine, plan)
    assert first.wrong == len(named) == second.wrong
    assert wrong_rows(plan) == named
    assert (second.new, second.changed, second.same) == (0, 0, first.new + first.same)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), cuts=st.integers(1, 6))
def test_the_same_receipts_in_any_number_of_files_in_any_order_come_to_the_same(
    shared_engine: Engine, tmp_path_factory: pytest.TempPathFactory, seed: int, cuts: int
) -> None:
    dice, folder = random.Random(seed), tmp_path_factory.mktemp("order")
    good = [(f"R{n}", "2026-11-20", f"C{n % 5}", f"{n}.00", "1", f"A-{n % 3}", "", "") for n in range(20)]
    source = f"s{uuid4().hex[:20]}"
    new = 0
    for number in range(cuts + 1):
        part = dice.sample(good, dice.randint(0, 20)) if number < cuts else good
        plan = purchases_of(csv_file(folder / f"{number}.csv", HEADER, part))
        new += taken(shared_engine, replace(plan, settings=replace(SETTINGS, source=source))).new
    assert new == 20
    with reading(shared_engine) as connection:
        keys = customers.keys_of(connection, [(source, f"C{n}") for n in range(5)])
        roots = [row.customer for row in keys.values()]
        assert sum(purchases.total(connection, roots).values()) == sum(range(20)) * 100


def test_five_percent_of_wrong_rows_in_a_large_file_are_exactly_those(engine: Engine, tmp_path: Path) -> None:
    """The short form of ``python -m bench.crm_import --rows 100000 --wrong``."""
    bad = write(tmp_path / "sales.csv", 5_000, wrong=True)
    plan = purchases_of(tmp_path / "sales.csv")
    report = taken(engine, plan)
    assert (report.new, report.wrong, bad) == (4_750, 250, 250)
    # The first line is the header, and every twentieth row is wrong.
    assert sorted(wrong_rows(plan)) == [20 * number + 1 for number in range(1, 251)]
    assert count(engine, "purchase") == 4_750


def test_the_purchases_of_cdnow_are_all_in_with_their_sums(engine: Engine, tmp_path: Path) -> None:
    lines = shared("data/retail/cdnow_purchases.txt").read_text().splitlines()[:3001]
    (tmp_path / "cdnow.txt").write_text("\n".join(lines))
    plan = Plan("purchases", tmp_path / "cdnow.txt", replace(SETTINGS, source="cdnow", currency="USD"), format="cdnow")
    report = taken(engine, plan)
    rows = [line.split() for line in lines[1:]]
    assert (report.new, report.wrong) == (3000, 0)
    assert count(engine, "customer") == len({row[0] for row in rows})
    table = tables.purchase
    with reading(engine) as connection:
        amount, units = connection.execute(select(func.sum(table.c.amount), func.sum(table.c.units))).one()
    assert amount == sum(Decimal(row[3]) for row in rows) * 100
    assert units == sum(int(row[2]) for row in rows)
    assert taken(engine, plan).same == 3000
