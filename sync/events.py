"""The event contract: CloudEvents 1.0 in JSON, one JSON Schema per type under ``docs/schema``.

No type here has a field that could hold an image, an embedding, a MAC address or a phone number: unknown fields are
refused, and every text is a name, a code or an identifier with a pattern. A new field is optional; a changed meaning is
a new ``.v2``.
"""

import json
import os
import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Generic, Literal, Self, TypeVar
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from sync.errors import SyncError

Name = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]
"""Of a store, sensor, line, zone or room: safe in a topic, a path and a file name."""
Code = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,48}$")]
"""A machine-readable reason; the words for people are in the dashboard."""
_EPC = r"^([0-9A-F]{4}){4,31}$"
Epc = Annotated[str, Field(pattern=_EPC)]
"""64 to 496 bits in whole words: a 48-bit MAC address does not fit."""
is_epc = re.compile(_EPC).match
"""Whether a text may stand where the contract says ``Epc``."""
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in hex."""
ShortDigest = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
"""The first 64 bits of one: tells settings apart."""
Version = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+){1,3}([a-z0-9.+-]{0,16})$", max_length=32)]
Gtin = Annotated[str, Field(pattern=r"^[0-9]{14}$")]
Member = Annotated[str, Field(pattern=r"^M-[0-9A-Z]{4,26}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
"""Up to the largest whole number that every JSON reader holds exactly."""
Seconds = Annotated[float, Field(ge=0)]


def utc(seconds: float) -> datetime:
    """Epoch seconds as an aware UTC datetime, to the millisecond (the resolution that travels)."""
    return datetime.fromtimestamp(round(seconds * 1000) / 1000, UTC)


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        # The first and the last hours that a datetime can hold, in a zone whose UTC lies beyond them.
        raise ValueError("out of range in UTC") from error


Time = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class Data(BaseModel):
    """The payload of one event type; ``TYPE`` is the CloudEvents ``type``."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    TYPE: ClassVar[str]


class Evidence(BaseModel):
    """Why a crossing was counted, without any image."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    track: Count
    track_seconds: Seconds
    detections: Count
    rule: Code
    exclusions: tuple[Literal["staff", "re_entry", "u_turn", "minimum_stay"], ...] = ()


class Visit(Data):
    """One person crossed an entrance line."""

    TYPE: ClassVar[str] = "yingke.visit.v1"
    line: Name
    direction: Literal["in", "out"]
    group: UUID | None = None
    staff: bool = False
    confidence: Share
    evidence: Evidence


class Zone(Data):
    """Somebody dwelt or queued in a zone; ``seconds`` is 0 on ``enter``."""

    TYPE: ClassVar[str] = "yingke.zone.v1"
    zone: Name
    kind: Literal["dwell", "queue"]
    phase: Literal["enter", "leave"]
    seconds: Seconds
    staff: bool = False


class FootfallMinute(Data):
    """Totals of one line or zone in one minute. A higher ``revision`` of the same minute replaces a lower one.

    ``entered`` and ``left`` are visits. Staff and what an entry rule excludes are counted apart, never among them; each
    is absent where the box does not look for it. ``groups`` are the buying units among those who entered.
    """

    TYPE: ClassVar[str] = "yingke.footfall.minute.v1"
    minute: Time
    place: Name
    entered: Count
    left: Count
    coverage: Annotated[float, Field(ge=0, le=60, description="seconds of this minute that were really observed")]
    revision: Count
    occupancy: Annotated[float, Field(ge=0, description="mean number of people inside while observed")] | None = None
    kind: Annotated[Literal["line", "zone"] | None, Field(description="of the place; absent: a line")] = None
    staff_entered: Count | None = None
    staff_left: Count | None = None
    excluded: Annotated[
        Count | None, Field(description="crossings, both ways, that are no visit: re-entry, U-turn, minimum stay")
    ] = None
    groups: Annotated[Count | None, Field(description="people who came in together count once")] = None


class Arrival(Data):
    """A member who opted in has arrived; two candidates when the margin between them is thin."""

    TYPE: ClassVar[str] = "yingke.arrival.v1"
    candidates: Annotated[tuple[Member, ...], Field(min_length=1, max_length=2)]
    method: Literal["face", "qr", "rfid_card", "wifi_login"]
    confidence: Share
    expires: Time


class Interval(BaseModel):
    """An estimated number with its interval."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    value: Annotated[float, Field(ge=0)]
    low: Annotated[float, Field(ge=0)]
    high: Annotated[float, Field(ge=0)]


class DevicesWindow(Data):
    """Wi-Fi estimate of a window; an estimate that cannot be stood for is null, with the reason.

    ``method`` says how: ``bursts`` of probe requests (also when it is absent), or ``clients`` that access points told
    of. Then ``bursts`` and ``frames`` are both the number of addresses behind what is shown.
    """

    TYPE: ClassVar[str] = "yingke.devices.window.v1"
    start: Time
    seconds: Annotated[float, Field(gt=0)]
    inside: Interval | None = None
    passing: Interval | None = None
    withheld: Literal["below_five", "uncalibrated", "drifted", "radio_silent"] | None = None
    bursts: Count
    frames: Count
    malformed: Count
    method: Literal["bursts", "clients"] | None = None


class TryOn(Data):
    """An item was in a fitting room or on a tray."""

    TYPE: ClassVar[str] = "yingke.tryon.v1"
    epc: Epc
    gtin: Gtin | None = None
    room: Name
    start: Time
    end: Time
    kind: Literal["in_room", "tried_on"]
    companions: tuple[Epc, ...] = ()
    confidence: Share


class Item(Data):
    """RFID at the till or the exit."""

    TYPE: ClassVar[str] = "yingke.item.v1"
    epc: Epc
    gtin: Gtin | None = None
    place: Name
    step: Literal["sold", "left", "returned"]


class Health(Data):
    """Heartbeat of a sensor or of the box itself."""

    TYPE: ClassVar[str] = "yingke.health.v1"
    state: Literal["starting", "ok", "degraded", "lost", "stopped"]
    reason: Code | None = None
    frame_age: Seconds | None = None
    fps: Annotated[float, Field(ge=0)] | None = None
    queue: Count = 0
    dropped: Count = 0
    disk_free_mb: Count | None = None
    clock_skew: float | None = None
    counting: Annotated[
        dict[Name, ShortDigest] | None, Field(description="camera: digest of each line and the rules it counts by now")
    ] = None
    encoder: Annotated[
        str | None,
        Field(pattern=r"^[A-Za-z0-9._ -]{1,64}$", description="camera that recognises members: face encoder, version"),
    ] = None


class Proportion(BaseModel):
    """A share with its 95 % interval."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    value: Share
    low: Share
    high: Share


class AuditFigures(BaseModel):
    """``people`` really crossed, ``counted`` were counted, ``right`` of these one to one.

    ``accuracy`` is 1 − abs(counted − people) / people, of both directions with their errors added up; ``precision``
    is right ÷ counted, ``recall`` right ÷ people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    people: Count
    counted: Count
    right: Count
    accuracy: Proportion | None = None
    precision: Proportion | None = None
    recall: Proportion | None = None


class Audit(Data):
    """A person counted along on the operator's own recording, and this is how well one line of the box counts.

    ``number``, ``previous``, ``key`` and ``signature`` chain and seal it: see ``sync.audits``.
    """

    TYPE: ClassVar[str] = "yingke.audit.v1"
    line: Name
    stage: Annotated[
        Literal["blind", "reviewed"],
        Field(description="blind: before the person saw the counts; reviewed: after they looked at each disagreement"),
    ]
    of: Annotated[UUID | None, Field(description="reviewed: the event of the same audit's blind stage")] = None
    by: Annotated[Name, Field(description="role or short name of who counted")]
    how: Literal["taps", "file"]
    video: Annotated[Digest, Field(description="SHA-256 of the recording, which itself is not kept")]
    video_seconds: Seconds
    watched_seconds: Seconds
    counting: Annotated[ShortDigest, Field(description="of the line and the rules it counts by: see health")]
    software: Version
    detector: Annotated[Code, Field(description="the model that finds people, by its name in the registry")]
    tolerance: Seconds
    delay: Annotated[float, Field(ge=0, description="seconds that the person taps late, estimated")]
    target: Share
    verdict: Literal["meets", "below", "undecided", "too_few"]
    more: Annotated[Count | None, Field(description="about so many more crossings until there is a verdict")] = None
    figures: AuditFigures
    entering: AuditFigures
    leaving: AuditFigures
    blind: Annotated[AuditFigures | None, Field(description="reviewed: the figures of the blind stage")] = None
    revised: Annotated[Count, Field(description="taps that the person added or took back in review")] = 0
    number: Annotated[int, Field(ge=1, le=2**31 - 1, description="of the entry in the box's ledger, from 1 on")]
    previous: Annotated[Digest, Field(description="SHA-256 of the ledger's entry before; zeros for the first")]
    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$", description="Ed25519 public key, base64url")]
    signature: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{86}$", description="Ed25519, base64url")]


class Response(Data):
    """What a clerk tapped on an arrival card."""

    TYPE: ClassVar[str] = "yingke.response.v1"
    arrival: UUID
    member: Member
    action: Literal["claim", "release", "confirm", "wrong_person", "companion", "staff", "escalate", "left"]
    guide: Name


class ConsentGiven(Data):
    """A member agreed to one purpose, or took it back. The words that were shown are known by their digest."""

    TYPE: ClassVar[str] = "yingke.consent.v1"
    member: Member
    purpose: Literal["recognition", "profile", "wifi_login", "messages"]
    act: Literal["given", "withdrawn"]
    version: Annotated[str, Field(pattern=r"^[0-9a-z.-]{1,32}$")]
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    language: Literal["en", "zh"]
    taken_by: Name
    how: Literal["tablet_signature", "tablet_code", "command", "customer_phone", "paper"]
    stores: tuple[Name, ...] = ()


DATA_TYPES: dict[str, type[Data]] = {
    kind.TYPE: kind
    for kind in (
        Visit,
        Zone,
        FootfallMinute,
        Arrival,
        DevicesWindow,
        TryOn,
        Item,
        Health,
        Audit,
        Response,
        ConsentGiven,
    )
}

DataT = TypeVar("DataT", bound=Data)


class CloudEvent(BaseModel, Generic[DataT]):
    """The envelope as it travels. ``sequence`` is the outbox's number, zero-padded so that it also sorts as text."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    specversion: Literal["1.0"] = "1.0"
    id: UUID
    source: Annotated[str, Field(pattern=r"^/stores/[a-z0-9-]{1,32}/[a-z0-9-]{1,32}$")]
    type: str
    time: Time
    datacontenttype: Literal["application/json"] = "application/json"
    storeid: Name
    bootid: UUID
    outboxid: UUID
    sequence: Annotated[str, Field(pattern=r"^[0-9]{20}$")]
    data: DataT

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.type != self.data.TYPE:
            raise ValueError(f"type {self.type} does not fit its data")
        if self.source.split("/")[2] != self.storeid:
            raise ValueError(f"source {self.source} is not of store {self.storeid}")
        if self.id.version != 7:
            raise ValueError("id is not a UUIDv7")
        return self

    @property
    def seq(self) -> int:
        """``sequence`` as a number."""
        return int(self.sequence)

    @property
    def sensor(self) -> str:
        """The last part of ``source``."""
        return self.source.rsplit("/", 1)[1]

    def encode(self) -> bytes:
        """Compact JSON, UTF-8."""
        return self.model_dump_json(exclude_none=True).encode()


AnyEvent = CloudEvent[Any]
_ENVELOPES: dict[str, type[AnyEvent]] = {name: CloudEvent[kind] for name, kind in DATA_TYPES.items()}  # type: ignore[valid-type]
_NAMED = re.compile(rb'"type":"([a-z0-9.]{1,64})"')
_TYPE = re.compile(r"^[a-z0-9.]{1,64}$")


class Event(BaseModel):
    """What a processor returns: who saw what, and when. The outbox adds store, boot and sequence."""

    model_config = ConfigDict(frozen=True)
    id: UUID
    sensor: Name
    time: Time
    data: Data

    @classmethod
    def new(cls, sensor: str, seconds: float, data: Data) -> Self:
        """An event that happened at ``seconds`` (epoch, UTC), with a fresh id."""
        return cls(id=uuid7(seconds), sensor=sensor, time=utc(seconds), data=data)

    def envelope(self, *, store: str, boot: UUID, outbox: UUID, seq: int) -> AnyEvent:
        """The event as it travels."""
        return _ENVELOPES[self.data.TYPE](
            id=self.id,
            source=f"/stores/{store}/{self.sensor}",
            type=self.data.TYPE,
            time=self.time,
            storeid=store,
            bootid=boot,
            outboxid=outbox,
            sequence=f"{seq:020d}",
            data=self.data,
        )


class InvalidEvent(SyncError):
    """Bytes that are not an event of this contract; ``str()`` is the reason kept with the dead letter."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "it is kept as a dead letter; after an upgrade, replay it")


def decode(payload: bytes) -> AnyEvent:
    """Parse and check one event. Raises ``InvalidEvent`` with a one-line reason that quotes no content."""
    # Nearly all are events, with their type where our own encoder puts it: parsed once, at half the cost. The model
    # checks the type; whatever is not good this way is looked at from the start.
    named = _NAMED.search(payload)
    envelope = _ENVELOPES.get(named[1].decode()) if named is not None else None
    if envelope is not None:
        with suppress(ValidationError):
            return envelope.model_validate_json(payload)
    return _decode_any(payload)


def _decode_any(payload: bytes) -> AnyEvent:
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent(f"not JSON: {type(error).__name__}") from error
    kind = document.get("type") if isinstance(document, dict) else None
    if not isinstance(kind, str) or kind not in _ENVELOPES:
        named = kind if isinstance(kind, str) and _TYPE.match(kind) else "none"
        raise InvalidEvent(f"unknown type: {named}")
    try:
        return _ENVELOPES[kind].model_validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        # The name of an unknown field is the sender's content: it could hold anything.
        known = first["loc"][:-1] if first["type"] == "extra_forbidden" else first["loc"]
        raise InvalidEvent(f"{'.'.join(str(part) for part in known) or 'event'}: {first['type']}") from error


def uuid7(seconds: float, bits: bytes | None = None) -> UUID:
    """A UUIDv7 (RFC 9562, 5.7) for that moment: 48 bits of milliseconds, then 74 random bits.

    ``bits``: ten bytes to take instead, where the same thing must get the same id again.
    """
    millis = int(seconds * 1000) & ((1 << 48) - 1)
    random = int.from_bytes(os.urandom(10) if bits is None else bits, "big")
    value = millis << 80 | 0x7 << 76 | (random >> 68 & 0xFFF) << 64 | 0b10 << 62 | random & ((1 << 62) - 1)
    return UUID(int=value)


def schemas() -> dict[str, str]:
    """The JSON Schema of every type, as text, by file name (``docs/schema`` holds exactly these)."""
    result = {}
    for name, envelope in _ENVELOPES.items():
        schema = envelope.model_json_schema()
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        schema["title"] = name
        schema["properties"]["type"] = {"const": name}
        result[f"{name}.json"] = json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    return result


def topic(store: str, leaf: str) -> str:
    """The MQTT topic of a store: ``leaf`` is e.g. ``events/visit``, ``ack`` or ``available``."""
    return f"yingke/v1/{store}/{leaf}"


def event_topic(event: AnyEvent) -> str:
    """``events/{type}``, or ``alerts`` for arrivals: their own consumer, so that a backlog never delays them."""
    if isinstance(event.data, Arrival):
        return topic(event.storeid, "alerts")
    return topic(event.storeid, f"events/{event.type.removeprefix('yingke.').rsplit('.', 1)[0].replace('.', '-')}")
