"""``yingke export``: footfall and events to files, and what changed since an earlier export."""

import json
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import click

from dashboard.config import CentreFile
from dashboard.exporting_epcis import epcis

if TYPE_CHECKING:
    from sync.exports.runs import Run

FOOTFALL = (
    ("store", "VARCHAR"),
    ("sensor", "VARCHAR"),
    ("line", "VARCHAR"),
    ("start_local", "VARCHAR"),
    ("start", "TIMESTAMPTZ"),
    ("seconds", "INTEGER"),
    ("entered", "BIGINT"),
    ("left", "BIGINT"),
    ("coverage_seconds", "DOUBLE"),
    ("coverage", "DOUBLE"),
    ("revision", "INTEGER"),
    ("exported", "TIMESTAMPTZ"),
)
EVENTS = (
    ("store", "VARCHAR"),
    ("sensor", "VARCHAR"),
    ("type", "VARCHAR"),
    ("id", "VARCHAR"),
    ("time", "TIMESTAMPTZ"),
    ("received", "TIMESTAMPTZ"),
    ("cursor", "BIGINT"),
    ("coverage_seconds", "DOUBLE"),
    ("coverage", "DOUBLE"),
    ("data", "VARCHAR"),
)


@click.group()
def export() -> None:
    """Footfall and events for other tools: coverage in every row, late data as revisions."""


export.add_command(epcis)


def _day(context: click.Context, parameter: click.Parameter, value: datetime) -> date:
    return value.date()


def _options(command: Any) -> Any:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="one JSON object"),
        click.option(
            "--config", "path", type=click.Path(path_type=Path), default=Path("config.yaml"), show_default=True
        ),
        click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True),
        click.option("--format", "form", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True),
        click.option("--store", help="else the store of the configuration"),
        click.option("--to", "last", type=click.DateTime(["%Y-%m-%d"]), callback=_day, required=True, help="included"),
        click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), callback=_day, required=True),
    ):
        command = option(command)
    return command


@export.command()
@_options
@click.option("--by", "grain", type=click.Choice(["minute", "hour", "day"]), default="hour", show_default=True)
def footfall(grain: Literal["minute", "hour", "day"], **options: Any) -> None:
    """Visits over each line. What nobody observed has no number, and its coverage is 0."""
    from sync.exports import footfall as exporting
    from sync.exports.buckets import buckets

    def rows(connection: Any, store: str, zone: ZoneInfo, now: float) -> "tuple[Run, list[list[object]]]":
        among = buckets(options["first"], options["last"], zone, grain)
        run, found = exporting.export(connection, store, grain, among, now)
        return run, [
            [
                store,
                row.sensor,
                row.place,
                row.bucket.local.isoformat(),
                _iso(row.bucket.start * 1000),
                row.bucket.end - row.bucket.start,
                row.entered,
                row.left,
                row.coverage,
                round(row.share, 4),
                row.revision,
                _iso(run.made),
            ]
            for row in found
        ]

    _export(FOOTFALL, rows, **options)


@export.command()
@_options
def events(**options: Any) -> None:
    """What the sensors told, in order of time; without the events that name a member."""
    from sync.exports import events as exporting
    from sync.exports.buckets import buckets

    def rows(connection: Any, store: str, zone: ZoneInfo, now: float) -> "tuple[Run, list[list[object]]]":
        run, found = exporting.export(connection, store, buckets(options["first"], options["last"], zone, "day"), now)
        return run, [
            [
                store,
                row.sensor,
                row.type,
                str(row.id),
                _iso(row.time),
                _iso(row.received),
                row.cursor,
                row.coverage,
                None if row.coverage is None else round(row.coverage / 60, 4),
                json.dumps(row.data, separators=(",", ":"), ensure_ascii=False),
            ]
            for row in found
        ]

    _export(EVENTS, rows, **options)


@export.command()
@click.argument("run", type=click.UUID)
@click.option("--store", help="else the store of the configuration")
@click.option("--config", "path", type=click.Path(path_type=Path), default=Path("config.yaml"), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def changes(run: UUID, store: str | None, path: Path, as_json: bool) -> int:
    """What is different now from the export RUN, and why. Ends with 3 when a change has no event that explains it."""
    from sync.exports import events as of_events
    from sync.exports import footfall as of_footfall
    from sync.exports.buckets import buckets
    from sync.exports.runs import get
    from sync.settings import load
    from sync.store.database import open_engine, translated, writing

    config = load(path, CentreFile)
    name, zone = _store(config, store)
    engine = open_engine(config.sync.database.resolved())
    document: dict[str, Any]
    try:
        with translated(), writing(engine) as connection:
            mark = get(connection, name, run)
            document = {"run": str(run), "kind": mark.kind, "made": _iso(mark.made), "changes": []}
            if mark.kind == "footfall":
                first = datetime.fromtimestamp(mark.start / 1000, zone).date()
                last = datetime.fromtimestamp((mark.end - 1) / 1000, zone).date()
                among = buckets(first, last, zone, mark.grain)  # type: ignore[arg-type]  # ours, as stored
                for each in of_footfall.changes(connection, mark, among):
                    fields = {field: getattr(each, field) for field in each.__slots__}
                    document["changes"].append(fields | {"start": _iso(each.start)})
            else:
                for row in of_events.since(connection, mark):
                    about = {
                        "id": str(row.id),
                        "type": row.type,
                        "time": _iso(row.time),
                        "received": _iso(row.received),
                    }
                    document["changes"].append(about)
    finally:
        engine.dispose()
    lost = sum(each.get("events") == 0 for each in document["changes"])
    click.echo(json.dumps(document | {"unexplained": lost}) if as_json else _report(document, lost))
    return 3 if lost else 0


def _export(
    columns: Sequence[tuple[str, str]],
    rows: Any,
    first: date,
    last: date,
    store: str | None,
    form: Literal["csv", "parquet"],
    out: Path,
    path: Path,
    as_json: bool,
) -> None:
    from sync.clock import clock
    from sync.exports.files import write
    from sync.exports.runs import ExportError
    from sync.settings import load
    from sync.store.database import open_engine, translated, writing

    if last < first:
        raise ExportError(f"--to {last} is before --from {first}", "give the first day and the last one")
    config = load(path, CentreFile)
    name, zone = _store(config, store)
    engine, began = open_engine(config.sync.database.resolved()), time.monotonic()
    try:
        # The file first: a mark stands only for what was really handed out.
        with translated(), writing(engine) as connection:
            run, found = rows(connection, name, zone, clock(config.clock)())
            write(out, form, columns, found)
    finally:
        engine.dispose()
    seconds = round(time.monotonic() - began, 2)
    document = {"run": str(run.id), "store": name, "rows": len(found), "file": str(out), "seconds": seconds}
    if as_json:
        click.echo(json.dumps(document))
    else:
        click.echo(f"{len(found)} rows of {name} in {out}\nwhat changes later: yingke export changes {run.id}")


def _store(config: CentreFile, store: str | None) -> tuple[str, ZoneInfo]:
    from sync.exports.runs import ExportError

    wanted = store or config.store.id
    for each in config.all_stores:
        if each.id == wanted:
            return wanted, ZoneInfo(each.timezone)
    raise ExportError(f"no store {wanted} in the configuration", "add it under stores, with its time zone")


def _iso(millis: int) -> str:
    return datetime.fromtimestamp(millis / 1000, UTC).isoformat().replace("+00:00", "Z")


def _report(document: dict[str, Any], lost: int) -> str:
    lines = [f"{len(document['changes'])} changes since {document['made']}, {lost} of them unexplained"]
    for each in document["changes"]:
        if "place" in each:
            lines.append(
                f"{each['start']}  {each['sensor']}/{each['place']}  {each['before']} -> {each['after']}  "
                f"{each['late']} late and {each['restated']} restated minutes"
            )
        else:
            lines.append(f"{each['time']}  {each['type']}  {each['id']}  came in {each['received']}")
    return "\n".join(lines)
