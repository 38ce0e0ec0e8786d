"""``yingke import``: customers, products and purchases from files into the central database."""

import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from dashboard.config import CentreFile

if TYPE_CHECKING:
    from sync.crm.importing.runner import Plan, Report


@click.command(name="import")
@click.argument("kind", type=click.Choice(["customers", "products", "purchases"]))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--config", "config_path", type=click.Path(path_type=Path), default=Path("config.yaml"), show_default=True
)
@click.option("--source", default="main", show_default=True, help="whose numbers these are: one till system, one shop")
@click.option("--customers-of", help="the source of the customers' numbers in purchases, where it is another one")
@click.option("--map", "columns", multiple=True, metavar="FIELD=COLUMN", help="which column is a field; - for none")
@click.option("--format", "form", type=click.Choice(["csv", "xlsx", "cdnow"]), help="else the file itself says it")
@click.option("--sheet", help="of a workbook; the first when absent")
@click.option("--encoding", help="of a CSV file; else UTF-8, or GB18030 where it is none")
@click.option("--timezone", help="of the days in the file; else the store's of the configuration")
@click.option("--currency", help="where the file does not say  [default: CNY; USD for cdnow]")
@click.option("--region", default="CN", show_default=True, help="of phone numbers without a country")
@click.option("--date-format", help="such as %d.%m.%Y, for days in another order than year-month-day")
@click.option("--channel", type=click.Choice(["store", "web", "phone"]), help="where the file does not say")
@click.option("--store", help="where the file does not say")
@click.option("--lunar", is_flag=True, help="birthdays without a calendar are lunar")
@click.option("--errors", type=click.Path(path_type=Path), help="the file of wrong rows  [default: FILE.errors.csv]")
@click.option("--dry-run", is_flag=True, help="show what would be understood and taken in; change nothing")
@click.option("--json", "as_json", is_flag=True, help="one JSON object when it is done")
def import_command(file: Path, config_path: Path, as_json: bool, **options: Any) -> int:
    """Take FILE (CSV, Excel) of customers, products or purchases in. Wrong rows are named in a file, with the reason.

    The same file twice changes nothing; an import that was interrupted goes on where it was. The columns that were
    chosen are remembered for files of the same shape. Ends with 0, or with 3 when rows were wrong.
    """
    from sync.clock import clock
    from sync.crm.importing.runner import run
    from sync.settings import load
    from sync.store.database import open_engine

    config = load(config_path, CentreFile)
    plan = _plan(file, config, options)
    engine = open_engine(config.sync.database.resolved())
    began, line = time.monotonic(), _Line(as_json)
    try:
        for report in run(engine, plan, clock(config.clock)):
            line.show(report)
    finally:
        line.done()
        engine.dispose()
    _tell(plan, report, time.monotonic() - began, as_json)
    return 3 if report.wrong else 0


def _plan(file: Path, config: CentreFile, options: dict[str, Any]) -> "Plan":
    from sync.crm.importing.parsing import Settings
    from sync.crm.importing.runner import Plan
    from sync.crm.money import is_currency

    cdnow = options["form"] == "cdnow"
    currency = options["currency"] or ("USD" if cdnow else "CNY")
    if not is_currency(currency):
        raise click.BadParameter("three capital letters, such as CNY", param_hint="--currency")
    settings = Settings(
        source=_name(options["source"], "--source"),
        zone=_zone(options["timezone"], config),
        currency=currency,
        region=options["region"],
        date_format=options["date_format"],
        channel=options["channel"] or ("web" if cdnow else "store"),
        store=None if options["store"] is None else _name(options["store"], "--store"),
        calendar="lunar" if options["lunar"] else "gregorian",
        customer_source=None if options["customers_of"] is None else _name(options["customers_of"], "--customers-of"),
    )
    return Plan(
        kind=options["kind"],
        path=file,
        settings=settings,
        columns=_columns(options["columns"]),
        format=options["form"],
        sheet=options["sheet"],
        encoding=options["encoding"],
        errors=options["errors"],
        preview=options["dry_run"],
    )


def _zone(said: str | None, config: CentreFile) -> ZoneInfo:
    if said is None:
        return config.store.zone
    try:
        return ZoneInfo(said)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise click.BadParameter(f"{said} is no time zone such as Asia/Shanghai", param_hint="--timezone") from error


def _name(text: str, option: str) -> str:
    from pydantic import TypeAdapter, ValidationError

    from sync.events import Name

    try:
        return str(TypeAdapter(Name).validate_python(text))
    except ValidationError as error:
        raise click.BadParameter("small letters, digits and hyphens, 32 at most", param_hint=option) from error


def _columns(said: Sequence[str]) -> dict[str, str]:
    found = {}
    for each in said:
        field, equals, column = each.partition("=")
        if not equals or not column:
            raise click.BadParameter(f"{each} is not FIELD=COLUMN", param_hint="--map")
        found[field.strip()] = column.strip()
    return found


class _Line:
    """How far it is: one line on standard error that is rewritten, on a terminal only."""

    def __init__(self, quiet: bool) -> None:
        self._on = sys.stderr.isatty() and not quiet
        self._shown = 0.0

    def show(self, report: "Report") -> None:
        now = time.monotonic()
        if not self._on or now - self._shown < 0.2:
            return
        self._shown = now
        done = 0 if report.share is None else round(30 * report.share)
        bar = f"[{'#' * done}{'.' * (30 - done)}] {report.share:4.0%}  " if report.share is not None else ""
        click.echo(f"\r\033[K{bar}row {report.row:,}, {report.wrong:,} wrong", nl=False, err=True)

    def done(self) -> None:
        if self._on:
            click.echo("\r\033[K", nl=False, err=True)


def _tell(plan: "Plan", report: "Report", seconds: float, as_json: bool) -> None:
    counts = {name: getattr(report, name) for name in ("row", "new", "changed", "same", "wrong", "resumed")}
    if as_json:
        used = resource.getrusage(resource.RUSAGE_SELF)
        document = {
            "kind": plan.kind,
            "file": str(plan.path),
            "dry_run": plan.preview,
            **counts,
            "errors": None if report.errors is None else str(report.errors),
            "mapping": dict(report.mapping),
            "seconds": round(seconds, 2),
            "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
            # Linux counts in kilobytes, macOS in bytes.
            "peak_mb": round(used.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)),
        }
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    for field, column in report.mapping.items():
        click.echo(f"  {field:12} <- {column}")
    for each in report.first:
        click.echo(f"  {each}")
    if report.resumed:
        click.echo(f"went on after row {report.resumed:,}")
    said = "would be" if plan.preview else "are"
    click.echo(
        f"{plan.path}: {report.new:,} {said} new, {report.changed:,} changed, {report.same:,} the same;"
        f" {report.wrong:,} rows wrong; {seconds:.1f} s"
    )
    if report.errors is not None:
        click.echo(f"the wrong rows, with the reasons: {report.errors}")
