"""``yingke segments``: bring the segments of the customers up to date and show them."""

import json
import time
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from dashboard.config import CentreFile

if TYPE_CHECKING:
    from sync.crm.segments.rules import SegmentRules


@click.command()
@click.option("--learn", is_flag=True, help="bands, cycles and the model anew from everybody (else every 30 days)")
@click.option("--rules", "rules_path", type=click.Path(path_type=Path, exists=True), help="JSON; else the usual ones")
@click.option("--warnings", "list_warnings", is_flag=True, help="name the customers to call now, with the reason")
@click.option("--today", type=click.DateTime(["%Y-%m-%d"]), help="the day to compute for; else today in the store")
@click.option("--config", "path", type=click.Path(path_type=Path), default=Path("config.yaml"), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def segments(
    learn: bool, rules_path: Path | None, list_warnings: bool, today: datetime | None, path: Path, as_json: bool
) -> None:
    """Bring the segments up to date, and show how many customers are where.

    Only customers who bought, were merged, or whose day has come are computed; everybody every 30 days.
    """
    from sync.clock import clock
    from sync.crm.segments.computing import recompute
    from sync.settings import load
    from sync.store.database import open_engine, translated, writing

    config = load(path, CentreFile)
    now = clock(config.clock)()
    day = today.date() if today else datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(config.store.timezone)).date()
    rules = None if rules_path is None else _rules(rules_path)
    engine, began = open_engine(config.sync.database.resolved()), time.monotonic()
    try:
        with translated(), writing(engine) as connection:
            done = recompute(connection, day, now, rules or _kept(connection), learn=learn)
        seconds = time.monotonic() - began
        with translated(), engine.connect() as connection:
            document = {"today": day.isoformat(), **asdict(done), "seconds": round(seconds, 2)}
            document |= _figures(connection, day, list_warnings)
    finally:
        engine.dispose()
    click.echo(json.dumps(document, ensure_ascii=False) if as_json else _text(document))


def _rules(path: Path) -> "SegmentRules":
    from pydantic import ValidationError

    from sync.crm.errors import CrmError
    from sync.crm.segments.rules import SegmentRules

    try:
        return SegmentRules.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise CrmError("file", f"{path}: {field or 'rules'}: {first['msg']}", "correct that field") from error


def _kept(connection: Any) -> "SegmentRules | None":
    """The rules of the last time: given once, they hold."""
    from sync.crm.segments import basis

    known = basis.load(connection)
    return None if known is None else known[0].rules


def _figures(connection: Any, today: date, list_warnings: bool) -> dict[str, object]:
    from sync.crm.segments import basis, reading

    known = basis.load(connection)
    document: dict[str, object] = {
        "states": reading.counts(connection),
        "warnings": reading.warnings(connection),
        "share": asdict(reading.share(connection)),
        "cycles": known[0].cycles if known else {},
        "model": known[0].model if known else None,
        "rfm": [[*scores, count] for scores, count in sorted(reading.cells(connection).items(), reverse=True)],
    }
    if list_warnings:
        found = reading.listed(connection, today, warned=True, limit=1000)
        document["call"] = [
            {
                "customer": each.customer,
                "state": each.state,
                "reason": each.reason,
                "vital": each.vital,
                "alive": each.alive,
            }
            for each in found
        ]
    return document


def _text(document: dict[str, object]) -> str:
    states, share, warned = document["states"], document["share"], document["warnings"]
    assert isinstance(states, dict)
    assert isinstance(share, dict)
    assert isinstance(warned, dict)
    total = sum(states.values())
    lines = [f"{document['customers']} customers computed in {document['seconds']} s"]
    lines += [
        f"{state.replace('_', ' '):<8} {count:>9}  {count / max(1, total):>6.1%}" for state, count in states.items()
    ]
    lines.append(
        f"{share['vital']} of {share['customers']} customers ({share['vital'] / max(1, share['customers']):.1%}) make "
        f"{share['vital_spent'] / max(1, share['spent']):.1%} of the turnover"
    )
    lines.append("to call now: " + (", ".join(f"{count} {kind}" for kind, count in warned.items()) or "nobody"))
    calls = document.get("call", [])
    assert isinstance(calls, list)
    lines += [f"  {each['customer']}  {each['reason']}" for each in calls]
    return "\n".join(lines)
