"""Cisco Meraki's Scanning API, versions 2 and 3: the body of one post to what it says of clients.

Read against Cisco's documents (developer.cisco.com/meraki/scanning-api, versions 1, 2 and 3) and payloads that
receivers by others are tested with; never against a device. Version 3 gives strength in dBm as text; version 2 as
decibels above -95 dBm. Bluetooth is not read. Network names and user names are looked at for being there only.
"""

import hmac
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sensors.errors import FormatError
from sensors.wifi.feeds.parsing import Heard, address_of, dictionary, json_object, listed, number

_WIFI_TYPES = ("DevicesSeen", "WiFi")
_OTHER_TYPES = ("BluetoothDevicesSeen", "Bluetooth", "BLE")
_V2_ZERO_DBM = -95
MOST_OBSERVATIONS = 20_000
"""Clients in one post; the largest network that Cisco describes has some thousands of access points' posts apart."""
_MOST_LOCATIONS = 100
"""Of one client in one post, a minute long."""


def secret_fits(body: bytes, secret: str) -> dict[str, Any] | None:
    """The post, or None where its secret is another one. Raises ``FormatError`` when it is no post at all."""
    post = json_object(body)
    given = post.get("secret")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), secret.encode()):
        return None
    return post


def heard(post: dict[str, Any]) -> tuple[list[Heard], int]:
    """What a post says, and how many of its observations could not be read.

    Raises ``FormatError`` for a version or a type that is not known, and a post that is not as documented.
    """
    version, kind = str(post.get("version"))[:8], post.get("type")
    if version.split(".")[0] not in ("2", "3"):
        raise FormatError(f"a post of version {version!r}, not 2 or 3", "choose API version 3 in Meraki's page")
    if kind in _OTHER_TYPES:
        return [], 0
    if kind not in _WIFI_TYPES:
        raise FormatError("a post of a type that is not known", "choose type WiFi in Meraki's page")
    read = _v2 if version.startswith("2") else _v3
    found: list[Heard] = []
    damaged = 0
    for item in listed(dictionary(post.get("data")).get("observations"), MOST_OBSERVATIONS):
        try:
            found += read(dictionary(item))
        except FormatError:
            damaged += 1
    return found, damaged


def _v2(item: dict[str, Any]) -> Iterator[Heard]:
    address = address_of(item.get("clientMac"))
    seen = item.get("seenEpoch")
    time = _time(item.get("seenTime")) if seen is None else number(seen, 0, 1e11)
    rssi = item.get("rssi")
    # 0 is "not measured", and what is below it came from something that already tells dBm.
    strength = None if rssi is None else round(number(rssi, -127, 127))
    if strength is not None and strength >= 0:
        strength = _V2_ZERO_DBM + strength if strength else None
    yield Heard(time, address, bool(item.get("ssid")), strength)


def _v3(item: dict[str, Any]) -> Iterator[Heard]:
    address, joined = address_of(item.get("clientMac")), bool(item.get("ssid"))
    latest = item.get("latestRecord")
    if latest is not None:
        record = dictionary(latest)
        rssi = record.get("nearestApRssi")
        strength = None if rssi is None else round(number(rssi, -127, 0))
        yield Heard(_time(record.get("time")), address, joined, strength)
    for place in listed(item.get("locations") or [], _MOST_LOCATIONS):
        place = dictionary(place)
        records = [dictionary(each) for each in listed(place.get("rssiRecords") or [], 1000)]
        strengths = [round(number(each.get("rssi"), -127, 0)) for each in records]
        yield Heard(_time(place.get("time")), address, joined, max(strengths, default=None))


def _time(value: object) -> float:
    """Epoch seconds, given as such or in ISO 8601."""
    if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise FormatError("a time that is none", "what cannot be read is counted and left out") from None
        if moment.tzinfo is None:
            raise FormatError("a time without its zone", "what cannot be read is counted and left out")
        return moment.timestamp()
    return number(value, 0, 1e11)
