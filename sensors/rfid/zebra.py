"""Zebra fixed readers (FX7500, FX9600, FXR90, ATR7000): tag data events of the IoT Connector, by MQTT or HTTP POST.

Written after Zebra's public documentation of the IoT Connector and of ``dataEVT`` of the RFD40 and RFD90
(techdocs.zebra.com). Read against those documents only; no reader and no recording of one has been tried.
"""

from typing import Any

from sensors.rfid import heard
from sensors.rfid.heard import Heard, Parsed


def parse_zebra(payload: bytes, antenna: int = 0) -> Parsed:
    """The tag data events in one message: an object, or an array; each holds one tag, or a list of them.

    ``{"type": "SIMPLE", "timestamp": "…+0100", "data": {"eventNum": 1, "format": "epc", "idHex": "…", "antenna": 1,
    "peakRssi": -39}}``; the operating mode (``type``) decides which of the fields are there.
    """
    events = heard.document(payload)
    return heard.each(_tags(events if isinstance(events, list) else [events]), lambda tag: _read(tag, antenna))


def _tags(events: list[Any]) -> list[tuple[Any, Any]]:
    """Each tag with the time of its event."""
    found: list[tuple[Any, Any]] = []
    for event in events:
        data = event.get("data") if isinstance(event, dict) else None
        when = event.get("timestamp") if isinstance(event, dict) else None
        if isinstance(data, dict) and isinstance(data.get("tagData"), list):
            found += [(tag, when) for tag in data["tagData"]]
        elif isinstance(data, list):
            found += [(tag, when) for tag in data]
        elif isinstance(data, dict) and "barcodeData" in data and "idHex" not in data:
            continue  # bar codes of a hand-held reader
        else:
            found.append((data, when))
    return found


def _read(item: tuple[Any, Any], antenna: int) -> Heard:
    tag, when = heard.dictionary(item[0]), item[1]
    if tag.get("format", "epc") != "epc":
        raise heard.refused("a tag that is no EPC")
    name = next((name for name in ("idHex", "EPC", "EPCid") if name in tag), "idHex")
    port = heard.antenna_of(tag.get("antenna"), antenna)
    return Heard(heard.moment_of(when), heard.epc_of(tag.get(name)), port, heard.rssi_of(tag.get("peakRssi")))
