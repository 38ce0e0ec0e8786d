"""What the feeds have in common: careful reading of others' JSON, and the step that makes it pseudonymous."""

import json
import math
import re
import threading
from collections.abc import Iterable
from typing import Any, NamedTuple

from sensors.errors import FormatError
from sensors.readings import ClientHeard
from sensors.wifi.hashing import Pseudonyms

_FIX = "what cannot be read is counted and left out"
_ADDRESS = re.compile(r"^[0-9a-f]{2}([:-]?)[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}$")
EARLIEST, LATEST = 900.0, 60.0
"""Seconds before and after now that a sighting may be dated; another is refused: it says nothing of the window."""


class Heard(NamedTuple):
    """One client before it is hashed; lives for one call. ``address`` is 6 bytes."""

    time: float
    address: bytes
    associated: bool
    rssi_dbm: int | None


class Hasher:
    """Turns what was heard into readings. Safe for several threads. ``refused`` counts what was dated wrongly."""

    def __init__(self, pseudonyms: Pseudonyms | None = None) -> None:
        self._names = pseudonyms or Pseudonyms()
        self._lock = threading.Lock()
        self.refused = 0

    def readings(self, clients: Iterable[Heard], now: float) -> list[ClientHeard]:
        """The readings; the salt is that of ``now`` (epoch seconds), the moment of arrival."""
        found = []
        with self._lock:
            self._names.rotate_at(now)
            for time, address, associated, rssi in clients:
                if not now - EARLIEST <= time <= now + LATEST:
                    self.refused += 1
                    continue
                name = self._names.device(address)
                randomised = address[0] & 2 != 0
                found.append(ClientHeard(min(time, now), name, randomised, associated, rssi))
        return found


def json_object(text: bytes | str) -> dict[str, Any]:
    """Raises ``FormatError``, as all of these do, without a word of what was sent."""
    try:
        return dictionary(json.loads(text))
    except (ValueError, RecursionError):
        raise FormatError("not JSON", _FIX) from None


def dictionary(value: object) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise FormatError("not an object", _FIX)
    return value


def listed(value: object, most: int) -> list[Any]:
    """A JSON array of so many at most."""
    if not isinstance(value, list) or len(value) > most:
        raise FormatError("not a list, or too long a one", _FIX)
    return value


def number(value: object, least: float, most: float) -> float:
    """A number, or one in quotes."""
    if isinstance(value, str) and len(value) <= 32:
        try:
            value = float(value)
        except ValueError:
            raise FormatError("not a number", _FIX) from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FormatError("not a number", _FIX)
    # The comparison comes first: an integer may be too large to be a float.
    if not least <= value <= most or not math.isfinite(value):
        raise FormatError("a number out of bounds", _FIX)
    return float(value)


def address_of(value: object) -> bytes:
    """The six bytes of an address in text. Raises ``FormatError`` for groups, since no device is one."""
    if not isinstance(value, str) or not _ADDRESS.match(lowered := value.strip().lower()[:20]):
        raise FormatError("not an address", _FIX)
    address = bytes.fromhex(lowered.replace(":", "").replace("-", ""))
    if address[0] & 1 or not any(address):
        raise FormatError("not the address of a device", _FIX)
    return address
