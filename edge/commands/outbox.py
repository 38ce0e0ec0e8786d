"""``yingke outbox``: look into the box's outbox, send it again, or save what a failing disk left of it."""

import json
from pathlib import Path
from typing import Any

import click

CONFIG = click.option(
    "--config", "config", type=click.Path(path_type=Path), default=Path("config.yaml"), show_default=True
)
FILE = click.option("--file", "file", type=click.Path(path_type=Path), help="The outbox, instead of that of --config.")
JSON = click.option("--json", "as_json", is_flag=True, help="Only JSON on standard output.")


@click.group()
def outbox() -> None:
    """Look into the box's outbox, or send it again."""


@outbox.command()
@CONFIG
@FILE
@JSON
def status(config: Path, file: Path | None, as_json: bool) -> None:
    """How many events wait for the centre, of which kinds, and since when. Changes nothing; the box may run."""
    report = _report(_path(config, file))
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    click.echo(f"store {report['store']}, outbox {report['id']}")
    click.echo(f"events {report['first']} to {report['last']}, confirmed to {report['confirmed']}")
    click.echo(f"waiting for the centre: {report['backlog']}")
    for kind, count in report["waiting"].items():
        click.echo(f"{count:10d}  {kind}")
    if report["oldest"] is not None:
        click.echo(f"the oldest of them happened at {report['oldest']}")
    click.echo(f"quarantined rows: {report['quarantined']}; size: {report['bytes'] / 1e6:.1f} MB")


@outbox.command()
@CONFIG
@FILE
@JSON
@click.option("--from", "first", type=click.IntRange(1), default=1, help="First sequence number (default: all kept).")
def replay(config: Path, file: Path | None, as_json: bool, first: int) -> None:
    """Send confirmed events again, as far as they are kept. The centre counts each event once. The box may run."""
    from sync.outbox import Outbox

    path = _path(config, file)
    with Outbox(path, _report(path)["store"], create=False) as opened:
        count = opened.replay(first, everything=True)
    click.echo(json.dumps({"replayed": count}) if as_json else f"{count} confirmed events will be sent again")


@outbox.command()
@click.argument("damaged", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@JSON
def salvage(damaged: Path, target: Path, as_json: bool) -> None:
    """Save every intact event of DAMAGED into a new outbox TARGET. Stop the box first, and name TARGET to it after."""
    from dataclasses import asdict

    from sync.outbox.salvage import salvage as save

    result = save(damaged, target)
    if as_json:
        click.echo(json.dumps(asdict(result), indent=2))
        return
    click.echo(f"{result.saved} events saved, {result.lost} lost and reported to the centre, in {target}")
    if not result.same_id:
        click.echo("its own state was lost: it goes on under a new id and sends all it has")


def _path(config: Path, file: Path | None) -> Path:
    from sync.outbox import OutboxError

    if file is None:
        from edge.config import EdgeFile
        from sync.settings import load

        file = load(config, EdgeFile).edge.data / "outbox.db"
    if file.is_dir():
        raise OutboxError(f"{file} is a folder, not an outbox", f"name the file in it: --file {file / 'outbox.db'}")
    if not file.is_file():
        raise OutboxError(f"{file}: there is no outbox", "start the edge once, or name it with --file")
    return file


def _report(path: Path) -> dict[str, Any]:
    from sqlite_utils import Database

    from sync.outbox import OutboxDamaged
    from sync.outbox.file import connect_read_only, translated

    with translated(path):
        connection = connect_read_only(path)
        try:
            db = Database(connection)
            if not {"event", "state", "quarantine"} <= set(db.table_names()):
                raise OutboxDamaged(f"{path} is not an outbox of Yingke", "name another file with --file")
            state = next(iter(db["state"].rows), None)
            if state is None:
                raise OutboxDamaged(f"{path} lost its state", "start the edge: it takes a new outbox id")
            return _numbers(db, state) | {"bytes": path.stat().st_size}
        finally:
            connection.close()


def _numbers(db: Any, state: dict[str, Any]) -> dict[str, Any]:
    confirmed = state["confirmed"]
    last = max(confirmed, next(db.query("SELECT max(seq) AS last FROM event"))["last"] or 0)
    waiting = {
        row["leaf"]: row["count"]
        for row in db.query(
            "SELECT leaf, count(*) AS count FROM event WHERE seq > :confirmed GROUP BY leaf ORDER BY leaf",
            {"confirmed": confirmed},
        )
    }
    oldest = next(
        db.query("SELECT body FROM event WHERE seq > :confirmed ORDER BY seq LIMIT 1", {"confirmed": confirmed}), None
    )
    return {
        "id": state["id"],
        "store": state["store"],
        "first": state["pruned"] + 1,
        "last": last,
        "confirmed": confirmed,
        "backlog": last - confirmed,
        "waiting": waiting,
        "oldest": _time_of(oldest["body"]) if oldest else None,
        "quarantined": db["quarantine"].count,
    }


def _time_of(body: bytes) -> str | None:
    try:
        return str(json.loads(body)["time"])
    except (ValueError, KeyError, TypeError):
        return None
