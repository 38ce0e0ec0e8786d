"""Keonn AdvanNet readers: what their HTTP service pushes, as JSON by a template, or as the XML of an inventory.

The JSON is what this template of the HTTP service (event TAG_READ) makes, batches of reads with every value a text::

    {"reads": [{"epc": "…", "rssi": "-62", "antenna": "1", "ts": "1716900123456"}, …]}

The XML is the inventory message of wiki.keonn.com ("Read TID"): items of class READ_EVENT, with ``props`` such as
``RSSI:-50,`` and ``ANTENNA_PORT:1,``. Read against that documentation only; no reader and no recording has been tried.
"""

from typing import Any
from xml.etree.ElementTree import Element

from sensors.errors import FormatError
from sensors.onvif.xml import find_all, parse, text
from sensors.rfid import heard
from sensors.rfid.heard import Heard, Parsed


def parse_keonn(payload: bytes, antenna: int = 0) -> Parsed:
    """The reads in one message, JSON or XML."""
    if payload.lstrip()[:1] == b"<":
        return heard.each(_items(payload), lambda item: _of_xml(item, antenna))
    body = heard.dictionary(heard.document(payload))
    reads = body.get("reads")
    if not isinstance(reads, list):
        raise heard.refused("no reads")
    return heard.each(reads, lambda read: _of_json(read, antenna))


def _of_json(read: Any, antenna: int) -> Heard:
    values = heard.dictionary(read)
    port = heard.antenna_of(values.get("antenna"), antenna)
    moment = heard.moment_of(values.get("ts"))
    return Heard(moment, heard.epc_of(values.get("epc")), port, heard.rssi_of(values.get("rssi")))


def _items(payload: bytes) -> list[Element]:
    if len(payload) > heard.LARGEST:
        raise heard.refused(f"over {heard.LARGEST // 1024} KB")
    try:
        return find_all(parse(payload), "item")
    except FormatError:
        raise heard.refused("no XML without a document type") from None


def _of_xml(item: Element, antenna: int) -> Heard | None:
    if text(item, "class") != "READ_EVENT":
        return None
    properties = dict((prop.text or "").rstrip(", \r\n").strip().partition(":")[::2] for prop in find_all(item, "prop"))
    epc = heard.epc_of(text(item, "data", "hexepc") or text(item, "epc"))
    moment = heard.moment_of(properties.get("TIME_STAMP") or text(item, "ts"))
    port = heard.antenna_of(properties.get("ANTENNA_PORT"), antenna)
    return Heard(moment, epc, port, heard.rssi_of(properties.get("RSSI")))
