"""Audits as sealed entries: what is signed, and how anybody checks it, on the box and at the centre.

Signed is the canonical JSON (sorted keys, no spaces, UTF-8) of store, sensor, id, time and data without ``signature``.
``data.number`` counts the entries of a box's ledger and ``data.previous`` is the SHA-256 of the entry before, so that
a changed, missing or inserted entry is found.
"""

import json
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from sync.events import Audit, Event, Name, Time
from sync.signing import SigningKey, verify

BEGIN = "0" * 64
"""``previous`` of the first entry."""
_UNSIGNED = "A" * 86


class Entry(BaseModel):
    """One line of the ledger, and the same as an event."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    store: Name
    sensor: Name
    id: UUID
    time: Time
    data: Audit

    @property
    def line(self) -> bytes:
        """As it stands in the ledger, without the end of the line."""
        return _canonical(self.model_dump(mode="json", exclude_none=True))

    @property
    def digest(self) -> str:
        """What the next entry calls ``previous``."""
        return sha256(self.line).hexdigest()

    @property
    def genuine(self) -> bool:
        """Whether it is signed by the key that it names, and unchanged since."""
        return verify(self.data.key, self.data.signature, self._signed())

    def event(self) -> Event:
        """What goes into the outbox; its id stays the same however often it is put, so the centre counts it once."""
        return Event(id=self.id, sensor=self.sensor, time=self.time, data=self.data)

    def _signed(self) -> bytes:
        document = self.model_dump(mode="json", exclude_none=True)
        del document["data"]["signature"]
        return _canonical(document)


def seal(store: str, event: Event, number: int, previous: str, key: SigningKey) -> Entry:
    """``event`` (an ``Audit`` whose chain is not filled in yet) as a signed entry."""
    chained = {"number": number, "previous": previous, "key": key.public, "signature": _UNSIGNED}
    data = event.data.model_copy(update=chained)
    assert isinstance(data, Audit)
    entry = Entry(store=store, sensor=event.sensor, id=event.id, time=event.time, data=data)
    signed = data.model_copy(update={"signature": key.sign(entry._signed())})
    # Through text once: what is kept is exactly what a reader will get.
    return Entry.model_validate_json(entry.model_copy(update={"data": signed}).line)


def unsealed(**fields: Any) -> Audit:
    """An ``Audit`` before ``seal`` fills in its place in the chain."""
    return Audit(number=1, previous=BEGIN, key="A" * 43, signature=_UNSIGNED, **fields)


def genuine(store: str, sensor: str, id_: UUID, time: datetime, data: Audit) -> bool:
    """Whether an event that arrived is what the box signed."""
    try:
        return Entry(store=store, sensor=sensor, id=id_, time=time, data=data).genuine
    except ValidationError:
        return False


def _canonical(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
