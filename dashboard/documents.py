"""What the store's rows look like in the API: short type names, times as RFC 3339 in UTC."""

from datetime import UTC, datetime
from typing import Any

Document = dict[str, Any]


def moment(seconds: float) -> str:
    """Epoch seconds as ``2026-11-21T06:03:12.480Z``."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event_document(row: Document) -> Document:
    """One event: ``type`` without prefix and version, as the topics have it."""
    short = row["type"].removeprefix("yingke.").rsplit(".v", 1)[0]
    times = {"time": moment(row["time"]), "received_at": moment(row["received_at"])}
    return {"id": row["id"], "type": short, "sensor": row["sensor"], "data": row["data"]} | times


def state_document(row: Document) -> Document:
    """The last heartbeat of one sensor."""
    return row | {"time": moment(row["time"]), "received_at": moment(row["received_at"])}


def window_document(row: Document | None) -> Document | None:
    """The last Wi-Fi window, if there is one."""
    return None if row is None else row | {"start": moment(row["start"])}
