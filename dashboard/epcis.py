"""Try-ons, sales, exits and returns as EPCIS 2.0 capture documents (GS1, JSON-LD). Nothing here reads a database.

EPCIS has no business step for trying on: it is ``{base}/bizstep/trying_on``, and ``in_fitting_room`` where all that is
known is that the item was there. A sale is ``retail_selling``, an exit ``entering_exiting``, a return to the rack
``stocking`` of the Core Business Vocabulary. An exit has no disposition: whether the item was sold is not in it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sensors.rfid.epc import Identity, identify
from sensors.rfid.epc.identity import check_digit
from sync.events import Item, Name, TryOn
from sync.settings import StoreConfig

TYPES = (TryOn.TYPE, Item.TYPE)
"""The events that have an EPCIS form."""
CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
_STEPS: Mapping[str, tuple[str, str | None]] = {
    "sold": ("retail_selling", "retail_sold"),
    "left": ("entering_exiting", None),
    "returned": ("stocking", "sellable_accessible"),
}


def _gln(text: str) -> str:
    if len(text) != 13 or not (text.isascii() and text.isdigit()) or check_digit(text[:-1]) != text[-1]:
        raise ValueError(f"{text} is no GLN: 13 digits with a check digit at the end")
    return text


class EpcisConfig(BaseModel):
    """How stores and own words are named in EPCIS documents."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    base: Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.-]+(/[A-Za-z0-9._~-]+)*$")] = Field(
        default="https://yingke.example/epcis", description="beginning of own URIs: below a domain of your company"
    )
    resolver: Annotated[str, Field(pattern=r"^https?://[A-Za-z0-9.-]+(/[A-Za-z0-9._~-]+)*$")] = Field(
        default="https://id.gs1.org", description="domain of the GS1 Digital Links"
    )
    glns: dict[Name, Annotated[str, AfterValidator(_gln)]] = Field(
        default={}, description="store to its global location number; own URIs where there is none"
    )


class Writer:
    """Writes the events of one store."""

    def __init__(self, store: StoreConfig, config: EpcisConfig) -> None:
        self._store = store
        self._config = config
        gln = config.glns.get(store.id)
        self._location = f"{config.resolver}/414/{gln}" if gln else f"{config.base}/store/{store.id}"
        self._point = f"{self._location}/254/" if gln else f"{self._location}/place/"

    def event(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The ObjectEvent of one stored event (``id``, ``type``, ``sensor``, ``time``, ``data``) of ``TYPES``."""
        data = row["data"]
        if row["type"] == TryOn.TYPE:
            return self._tryon(row, TryOn.model_validate(data))
        return self._item(row, Item.model_validate(data))

    def _tryon(self, row: Mapping[str, Any], data: TryOn) -> dict[str, Any]:
        base = self._config.base
        step = "trying_on" if data.kind == "tried_on" else "in_fitting_room"
        seconds = max(0.0, (data.end - data.start).total_seconds())
        reports = [
            {"type": f"{base}/measure/dwell", "value": round(seconds, 3), "uom": "SEC"},
            {"type": f"{base}/measure/confidence", "value": data.confidence, "uom": "C62"},
        ]
        metadata = {
            "startTime": self._time(data.start)[0],
            "endTime": self._time(data.end)[0],
            "deviceID": f"{base}/store/{self._store.id}/sensor/{row['sensor']}",
        }
        document = self._object(row, data.epc, data.room, f"{base}/bizstep/{step}", data.end)
        document["disposition"] = "sellable_not_accessible"
        document["sensorElementList"] = [{"sensorMetadata": metadata, "sensorReport": reports}]
        if data.companions:
            document["yingke:companions"] = [self.uri(epc) for epc in data.companions]
        return document

    def _item(self, row: Mapping[str, Any], data: Item) -> dict[str, Any]:
        step, disposition = _STEPS[data.step]
        document = self._object(row, data.epc, data.place, step, _moment(row["time"]))
        if disposition is not None:
            document["disposition"] = disposition
        return document

    def _object(self, row: Mapping[str, Any], epc: str, place: str, step: str, when: datetime) -> dict[str, Any]:
        time, offset = self._time(when)
        return {
            "eventID": f"urn:uuid:{row['id']}",
            "type": "ObjectEvent",
            "action": "OBSERVE",
            "bizStep": step,
            "epcList": [self.uri(epc)],
            "eventTime": time,
            "eventTimeZoneOffset": offset,
            "readPoint": {"id": self._point + place},
            "bizLocation": {"id": self._location},
        }

    def uri(self, epc: str) -> str:
        """The GS1 Digital Link of what an EPC identifies; of any other tag its raw EPC URI."""
        found = identify(epc)
        if isinstance(found, Identity):
            return found.digital_link(self._config.resolver)
        return f"urn:epc:raw:{len(epc) * 4}.x{epc}"

    def _time(self, when: datetime) -> tuple[str, str]:
        """RFC 3339 on the store's clock, and that clock's offset; in UTC where EPCIS cannot write the offset."""
        try:
            local = when.astimezone(self._store.zone)
            offset = local.utcoffset() or timedelta(0)
        except OverflowError:
            local, offset = when, timedelta(seconds=1)
        if offset % timedelta(minutes=1) or abs(offset) > timedelta(hours=14):
            local, offset = when.astimezone(UTC), timedelta(0)  # before the time zones: local mean time has seconds
        minutes = offset // timedelta(minutes=1)
        named = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
        return local.astimezone(timezone(offset)).isoformat(timespec="milliseconds"), named


def head(base: str, created: float, document: UUID) -> dict[str, Any]:
    """What stands around the events of a document."""
    return {
        "@context": [CONTEXT, {"yingke": f"{base}/"}],
        "id": f"urn:uuid:{document}",
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": _moment(created).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def written(writer: Writer, rows: Iterable[Mapping[str, Any]], around: Mapping[str, Any]) -> Iterator[str]:
    """A document with one event a line, in parts as ``rows`` come: it is never in memory as a whole."""
    yield json.dumps(around, ensure_ascii=False)[:-1] + ', "epcisBody": {"eventList": ['
    comma = "\n"
    for row in rows:
        yield comma + json.dumps(writer.event(row), ensure_ascii=False, separators=(",", ":"))
        comma = ",\n"
    yield "\n]}}\n"


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
