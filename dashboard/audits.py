"""How far each line's counts can be trusted: its last audit, and whether that still holds."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from dashboard.documents import Document, moment
from sync.audits import genuine
from sync.events import Audit
from sync.signing import fingerprint

DAY_S = 86400.0
_ABOUT = ("sensor", "id", "time", "received_at")

Standing = Literal["good", "old", "changed", "never", "forged"]
"""``old``: beyond the configured age. ``changed``: the line, or how it counts, is not what was audited."""


def audit_view(
    store: str, audits: Sequence[Document], sensors: Sequence[Document], now: float, max_age_days: float
) -> list[Document]:
    """One entry per line that counts or was audited: its standing, and the last audit's figures.

    ``audits`` and ``sensors`` are the rows of ``audits`` and ``sensor_states``; ``now`` is in epoch seconds.
    """
    counting = {row["sensor"]: row.get("counting") or {} for row in sensors}
    found = {(row["sensor"], row["data"].line): row for row in map(_parsed, audits)}
    lines = {(sensor, line) for sensor, lines in counting.items() for line in lines} | found.keys()
    view = []
    for sensor, line in sorted(lines):
        row = found.get((sensor, line))
        if row is None:
            view.append({"sensor": sensor, "line": line, "standing": "never"})
            continue
        data: Audit = row["data"]
        current = counting.get(sensor, {}).get(line)
        view.append(
            {
                "sensor": sensor,
                "line": line,
                "standing": _standing(store, row, current, now, max_age_days),
                "time": moment(row["time"]),
                "max_age_days": max_age_days,
                "signed_by": fingerprint(data.key),
            }
            | data.model_dump(mode="json", exclude={"line", "signature", "key", "previous"})
        )
    return view


def _standing(store: str, row: Document, current: str | None, now: float, max_age_days: float) -> Standing:
    data: Audit = row["data"]
    if not genuine(store, row["sensor"], UUID(row["id"]), datetime.fromtimestamp(row["time"], UTC), data):
        return "forged"
    if current is not None and current != data.counting:
        return "changed"
    return "old" if now - row["time"] > max_age_days * DAY_S else "good"


def _parsed(row: Document) -> dict[str, Any]:
    about = {name: row[name] for name in _ABOUT}
    data = {name: value for name, value in row.items() if name not in _ABOUT}
    return about | {"data": Audit.model_validate_json(json.dumps(data))}
