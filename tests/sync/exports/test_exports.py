import csv
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from sync.events import Arrival, Event, Evidence, FootfallMinute, Visit, utc
from sync.exports import events as of_events
from sync.exports import footfall
from sync.exports.buckets import buckets
from sync.exports.runs import ExportError
from sync.store.database import writing
from sync.store.incoming import Incoming
from sync.store.store import CentralStore
from tests.sync.making import Box

BERLIN = ZoneInfo("Europe/Berlin")
FIRST, LAST = date(2026, 10, 1), date(2026, 10, 31)
"""October has the day of 25 hours, the 25th."""
NOW = datetime(2026, 11, 2, 9, tzinfo=BERLIN).timestamp()
LINES = ("door", "side")
Minute = tuple[int, str]


@dataclass
class Month:
    """A store's October of two lines, three hours a day and the whole night of the clock change.

    ``truth`` is who really entered, ``soon`` the messages in time, ``later`` those of a day without a network and those
    that restate half an hour; what the camera did not see in its outage never comes.
    """

    truth: dict[Minute, int] = field(default_factory=dict)
    unseen: set[Minute] = field(default_factory=set)
    soon: list[Incoming] = field(default_factory=list)
    later: list[Incoming] = field(default_factory=list)
    touched: set[Minute] = field(default_factory=set)


def minutes() -> Iterator[datetime]:
    day = FIRST
    while day <= LAST:
        start = datetime(day.year, day.month, day.day, 10, tzinfo=BERLIN)
        for number in range(180):
            yield start + timedelta(minutes=number)
        if day == date(2026, 10, 25):
            midnight = datetime(2026, 10, 25, tzinfo=BERLIN).timestamp()
            for number in range(5 * 60):
                yield datetime.fromtimestamp(midnight + 60 * number, BERLIN)
        day += timedelta(1)


def month() -> Month:
    made, box, dice = Month(), Box(), random.Random(3)

    def told(at: int, line: str, entered: int, revision: int) -> Incoming:
        data = FootfallMinute(minute=utc(at), place=line, entered=entered, left=0, coverage=60, revision=revision)
        return box.send(Event.new("camera-1", at + 60, data))

    for moment in minutes():
        at, here = round(moment.timestamp()), moment.replace(tzinfo=None)
        for line in LINES:
            key, entered = (at, line), dice.randrange(4)
            made.truth[key] = entered
            if here.date() == date(2026, 10, 10) and 11 * 60 <= here.hour * 60 + here.minute < 12 * 60 + 30:
                made.unseen.add(key)
            elif here.date() == date(2026, 10, 20):
                made.touched.add(key)
                made.later.append(told(at, line, entered, 0))
            elif here.date() == date(2026, 10, 5) and here.hour == 11 and here.minute < 30:
                made.touched.add(key)
                made.soon.append(told(at, line, entered + 1, 0))
                made.later.append(told(at, line, entered, 1))
            else:
                made.soon.append(told(at, line, entered, 0))
    return made


def taken(store: CentralStore, messages: list[Incoming]) -> None:
    for start in range(0, len(messages), 500):
        assert store.ingest(messages[start : start + 500]).dead == 0


def hours(truth: dict[Minute, int], keys: set[Minute]) -> dict[tuple[int, str], int]:
    found: dict[tuple[int, str], int] = {}
    for at, line in keys:
        found[at // 3600 * 3600, line] = found.get((at // 3600 * 3600, line), 0) + truth[at, line]
    return found


def test_a_month_with_an_outage_and_late_data_sums_to_the_truth_and_every_change_is_explained(database: str) -> None:
    made = month()
    among = buckets(FIRST, LAST, BERLIN, "hour")
    with CentralStore(database) as store:
        taken(store, made.soon)
        with writing(store.engine) as connection:
            first, before = footfall.export(connection, "s1", "hour", among, NOW)
            assert footfall.changes(connection, first, among) == []
        taken(store, made.later)
        with writing(store.engine) as connection:
            changes = footfall.changes(connection, first, among)
            second, after = footfall.export(connection, "s1", "hour", among, NOW + 60)
            assert footfall.changes(connection, second, among) == []
            # The report of the first export is still what was told then against what is so now.
            assert footfall.changes(connection, first, among) == changes
    assert len(before) == len(after) == len(among) * len(LINES) == (31 * 24 + 1) * 2
    seen = set(made.truth) - made.unseen
    wanted = hours(made.truth, seen)
    assert {(r.bucket.start, r.place): r.entered for r in after if r.entered is not None} == wanted
    assert sum(row.entered or 0 for row in after) == sum(made.truth[key] for key in seen)
    # What nobody saw is unknown, and half an hour of outage is half covered.
    dark = {row.bucket.local.hour: row for row in after if row.bucket.local.date() == date(2026, 10, 10)}
    assert (dark[11].entered, dark[11].coverage) == (None, 0.0)
    assert (dark[12].share, dark[9].entered) == (0.5, None)
    # Every changed row is in the report, none besides, and the report makes the second export of the first.
    told = {(row.bucket.start, row.place): row for row in before}
    new = {(row.bucket.start, row.place): row for row in after}
    differs = {key for key in new if (told[key].entered, told[key].coverage) != (new[key].entered, new[key].coverage)}
    assert {(change.start // 1000, change.place) for change in changes} == differs
    assert all(change.events > 0 for change in changes)
    assert sum(change.events for change in changes) == len(made.later) == len(made.touched)
    assert sum(change.restated for change in changes) == 30 * 2
    assert {key for key, row in new.items() if row.revision == 1} == differs
    assert {row.revision for row in after} == {0, 1}


def test_days_are_the_sum_of_their_hours_on_both_days_of_a_clock_change() -> None:
    for day, count in ((date(2026, 10, 25), 25), (date(2026, 3, 29), 23), (date(2026, 6, 1), 24)):
        (whole,) = buckets(day, day, BERLIN, "day")
        parts = buckets(day, day, BERLIN, "hour")
        assert len(parts) == count
        assert whole.end - whole.start == count * 3600 == len(buckets(day, day, BERLIN, "minute")) * 60
        assert [part.end for part in parts[:-1]] == [part.start for part in parts[1:]]
        assert len({part.local.isoformat() for part in parts}) == count


@pytest.mark.parametrize(
    ("zone", "day", "seconds"),
    [
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5 * 3600),
        ("America/Santiago", date(2026, 9, 6), 23 * 3600),
        ("Asia/Kathmandu", date(2026, 9, 6), 24 * 3600),
    ],
)
def test_odd_zones_lose_and_repeat_nothing(zone: str, day: date, seconds: float) -> None:
    parts = buckets(day - timedelta(1), day + timedelta(1), ZoneInfo(zone), "hour")
    assert [part.end for part in parts[:-1]] == [part.start for part in parts[1:]]
    (whole,) = buckets(day, day, ZoneInfo(zone), "day")
    assert whole.end - whole.start == seconds


def test_the_hour_that_comes_twice_is_two_rows(database: str) -> None:
    day = date(2026, 10, 25)
    made = month()
    with CentralStore(database) as store:
        taken(store, [message for message in made.soon if b'"minute":"2026-10-25T0' in message.payload])
        with writing(store.engine) as connection:
            _, rows = footfall.export(connection, "s1", "hour", buckets(day, day, BERLIN, "hour"), NOW)
    twice = [row for row in rows if row.bucket.local.hour == 2 and row.place == "door"]
    assert [row.bucket.local.isoformat()[-6:] for row in twice] == ["+02:00", "+01:00"]
    for row in twice:
        assert row.entered == sum(made.truth[row.bucket.start + 60 * n, "door"] for n in range(60))


def test_days_that_have_not_begun_are_refused(database: str) -> None:
    with (
        CentralStore(database) as store,
        writing(store.engine) as connection,
        pytest.raises(ExportError, match="begun"),
    ):
        footfall.export(connection, "s1", "day", buckets(date(2027, 1, 1), date(2027, 1, 1), BERLIN, "day"), NOW)


def visits(box: Box, start: float, count: int) -> list[Incoming]:
    evidence = Evidence(track=1, track_seconds=2.5, detections=20, rule="segment_crossed")
    data = Visit(line="door", direction="in", confidence=0.9, evidence=evidence)
    return [box.send(Event.new("camera-1", start + number, data)) for number in range(count)]


def test_events_come_with_coverage_and_without_people_and_late_ones_are_the_changes(database: str) -> None:
    start = datetime(2026, 10, 5, 10, tzinfo=BERLIN).timestamp()
    box, among = Box(), buckets(date(2026, 10, 5), date(2026, 10, 5), BERLIN, "day")
    minute = FootfallMinute(minute=utc(start), place="door", entered=3, left=0, coverage=42, revision=0)
    person = Arrival(candidates=("M-1234",), method="qr", confidence=1.0, expires=utc(start + 600))
    with CentralStore(database) as store:
        store.ingest([*visits(box, start, 3), box.send(Event.new("camera-1", start + 60, minute))])
        store.ingest([box.send(Event.new("camera-1", start, person))])
        with writing(store.engine) as connection:
            run, rows = of_events.export(connection, "s1", among, NOW)
        store.ingest(visits(box, start + 30, 2))
        with writing(store.engine) as connection:
            late = of_events.since(connection, run)
    assert [row.type for row in rows] == ["yingke.visit.v1"] * 3 + ["yingke.footfall.minute.v1"]
    assert [row.coverage for row in rows] == [42, 42, 42, None]
    assert len(late) == 2
    assert min(row.cursor for row in late) > run.position


def test_both_formats_hold_the_same_and_the_report_names_the_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    duckdb = pytest.importorskip("duckdb")
    from yingke import main

    url = f"sqlite:///{tmp_path}/c.db"
    config = tmp_path / "config.yaml"
    config.write_text(
        json.dumps({"store": {"id": "s1", "timezone": "Europe/Berlin"}, "sync": {"database": {"url": url}}})
    )
    made = month()
    with CentralStore(url) as store:
        taken(store, made.soon)
    about = ["--from", "2026-10-01", "--to", "2026-10-31", "--config", str(config), "--json"]
    counts, runs = [], []
    for form in ("csv", "parquet"):
        out = tmp_path / f"footfall o'clock.{form}"
        assert main(["export", "footfall", *about, "--format", form, "--out", str(out)]) == 0
        said = json.loads(capsys.readouterr().out)
        counts.append(said["rows"])
        runs.append(said["run"])
    assert counts == [(31 * 24 + 1) * 2] * 2
    with (tmp_path / "footfall o'clock.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    parquet = (
        duckdb.connect()
        .execute(
            "SELECT line, epoch(start), entered, coverage, revision FROM read_parquet(?)",
            [str(tmp_path / "footfall o'clock.parquet")],
        )
        .fetchall()
    )
    assert [
        (
            row["line"],
            datetime.fromisoformat(row["start"]).timestamp(),
            int(row["entered"]) if row["entered"] else None,
            float(row["coverage"]),
            int(row["revision"]),
        )
        for row in rows
    ] == parquet
    with CentralStore(url) as store:
        taken(store, made.later)
    assert main(["export", "changes", runs[0], "--config", str(config), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["unexplained"] == 0
    assert sum(change["late"] + change["restated"] for change in report["changes"]) == len(made.later)
    assert main(["export", "events", *about, "--format", "parquet", "--out", str(tmp_path / "e.parquet")]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == len(made.soon) + len(made.later)
    assert (
        main(
            ["export", "footfall", "--from", "2026-10-02", "--to", "2026-10-01", "--out", "x", "--config", str(config)]
        )
        == 1
    )
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []
