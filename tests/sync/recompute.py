"""Roll-ups computed the slow way from the stored events: the oracle for those that ingest keeps."""

from typing import Any

from sqlalchemy import Engine, select

from sync.events import decode
from sync.store import tables
from sync.store.rollups import HOUR_MS, millis

MINUTE = (
    *("revision", "event", "entered", "left", "coverage", "kind"),
    *("staff_entered", "staff_left", "excluded", "groups"),
)


def rollups_of(engine: Engine) -> dict[str, Any]:
    """``events``: every stored event; ``rollups``: what they add up to, in the form of ``stored_rollups``."""
    with engine.connect() as connection:
        rows = connection.execute(select(tables.event)).all()
    events = [decode(row.payload.encode()) for row in rows]
    minutes: dict[Any, Any] = {}
    tryons: dict[Any, Any] = {}
    windows: dict[Any, Any] = {}
    states: dict[Any, Any] = {}
    for event in events:
        data = event.data
        key: tuple[Any, ...]
        if event.type == "yingke.footfall.minute.v1":
            key = (event.storeid, millis(data.minute), event.sensor, data.place, event.bootid)
            apart = (data.staff_entered, data.staff_left, data.excluded, data.groups)
            value = (data.revision, event.id, data.entered, data.left, data.coverage, data.kind or "line", *apart)
            minutes[key] = max(minutes.get(key, value), value, key=lambda one: one[:2])
        elif event.type == "yingke.tryon.v1":
            start = millis(data.start)
            key = (event.storeid, start - start % HOUR_MS, data.gtin or data.epc, data.kind)
            count, spent = tryons.get(key, (0, 0))
            tryons[key] = (count + 1, spent + millis(data.end) - start)
        elif event.type == "yingke.devices.window.v1":
            key = (event.storeid, millis(data.start), event.sensor, event.bootid)
            windows[key] = max(windows.get(key, (0, event.id)), (event.seq, event.id))
        elif event.type == "yingke.health.v1":
            key = (event.storeid, event.sensor, event.outboxid)
            states[key] = max(states.get(key, (0, event.id)), (event.seq, event.id))
    return {"events": events, "rollups": {"minutes": minutes, "tryons": tryons, "windows": windows, "states": states}}


def stored_rollups(engine: Engine) -> dict[str, Any]:
    """The roll-ups as ingest keeps them."""
    result = {}
    with engine.connect() as connection:
        for name, table, keys, values in (
            ("minutes", tables.footfall_minute, 5, MINUTE),
            ("tryons", tables.tryon_hour, 4, ("sessions", "milliseconds")),
            ("windows", tables.devices_window, 4, ("seq", "event")),
            ("states", tables.sensor_state, 3, ("seq", "event")),
        ):
            names = [column.name for column in table.primary_key][:keys]
            result[name] = {
                tuple(row[key] for key in names): tuple(row[value] for value in values)
                for row in connection.execute(select(table)).mappings()
            }
    return result
