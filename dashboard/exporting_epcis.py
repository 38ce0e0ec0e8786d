"""``yingke export epcis``: what happened to items, as one document."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sync.store.store import CentralStore

_PAGE = 1000


@click.command()
@click.option("--store", "name", required=True, help="the store's id")
@click.option(
    "--from", "first", required=True, type=click.DateTime(["%Y-%m-%d"]), help="first day, in the store's time"
)
@click.option("--to", "last", required=True, type=click.DateTime(["%Y-%m-%d"]), help="last day, included")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="file to write; standard output when absent"
)
@click.option("--config", "path", type=click.Path(path_type=Path), default=Path("config.yaml"), show_default=True)
def epcis(name: str, first: datetime, last: datetime, out: Path | None, path: Path) -> None:
    """Try-ons, sales, exits and returns of some days as one EPCIS 2.0 document (JSON-LD).

    Single try-ons are kept for sync.retention.tryon_days. The file is complete or not there.
    """
    import time
    from uuid import uuid4

    from dashboard.config import CentreFile
    from dashboard.day import bounds
    from dashboard.epcis import Writer, head, written
    from sync.errors import SyncError
    from sync.settings import load
    from sync.store.store import CentralStore

    config = load(path, CentreFile)
    store = next((store for store in config.all_stores if store.id == name), None)
    if store is None:
        known = ", ".join(store.id for store in config.all_stores)
        raise SyncError(f"{path} has no store {name}", f"give --store one of: {known}")
    if last < first:
        raise click.UsageError(f"--to {last:%F} is before --from {first:%F}")
    start, end = bounds(store, first.date())[0], bounds(store, last.date())[1]
    section = config.dashboard.epcis
    with CentralStore(config.sync.database.resolved(), config.sync.ingest) as database:
        rows = _rows(database, name, start, end)
        parts = written(Writer(store, section), rows, head(section.base, time.time(), uuid4()))
        if out is None:
            sys.stdout.writelines(parts)
            sys.stdout.flush()
        else:
            _write(out, parts)


def _rows(database: "CentralStore", store: str, start: float, end: float) -> Iterator[dict[str, Any]]:
    """Every event of these types in [start, end), by time, read in pages."""
    from dashboard.epcis import TYPES

    after: tuple[float, int] | None = None
    while rows := database.events_between(store, start, end, TYPES, after, _PAGE):
        yield from rows
        after = (rows[-1]["time"], rows[-1]["cursor"])


def _write(out: Path, parts: Iterator[str]) -> None:
    from sync.errors import SyncError

    part = out.with_name(f"{out.name}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        part.replace(out)
    except BaseException as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise SyncError(f"cannot write {out}: {error.strerror}", "choose another --out, or make room") from error
        raise
