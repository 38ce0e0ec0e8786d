"""Finding ONVIF cameras: one WS-Discovery probe by multicast (OASIS WS-Discovery 1.1; ONVIF Core, chapter 7)."""

import ipaddress
import socket
import time
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from sensors.errors import FormatError, SourceError
from sensors.onvif.xml import clean, find_all, parse, text

MULTICAST = ("239.255.255.250", 3702)
_MOST = 256
"""Cameras that are listed, and answers per camera that are read."""
_SCOPE = "onvif://www.onvif.org/"
_PROBE = """<?xml version="1.0" encoding="UTF-8"?>
<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" \
xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" \
xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:n="http://www.onvif.org/ver10/network/wsdl">\
<e:Header><a:MessageID>{id}</a:MessageID><a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>\
<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action></e:Header>\
<e:Body><d:Probe><d:Types>n:NetworkVideoTransmitter</d:Types></d:Probe></e:Body></e:Envelope>"""


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera that answered. ``service`` is its device service, ``address`` where the answer came from."""

    address: str
    name: str
    hardware: str
    location: str
    service: str


def discover(
    timeout: float = 3.0, *, to: tuple[str, int] = MULTICAST, interface: str | None = None
) -> tuple[list[Camera], int]:
    """The cameras that answer within ``timeout`` seconds, by address, and how many answers could not be read.

    ``to``: whom to ask, everybody or one. ``interface``: the own address of the network to ask in; the system's choice
    when None. Raises ``SourceError`` when nothing can be sent.
    """
    identity = f"urn:uuid:{uuid4()}"
    found: dict[str, Camera] = {}
    strange = answers = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            if interface is not None:
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
                sock.bind((interface, 0))
            # A datagram may be lost: twice, as the standard asks for.
            for _ in range(2):
                sock.sendto(_PROBE.format(id=identity).encode(), to)
        except OSError as error:
            fix = "connect this machine to the cameras' network, or choose its address there with --interface"
            raise SourceError(f"no probe could be sent to {to[0]}: {error.strerror or error}", fix) from error
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0 and answers < _MOST * 8 and len(found) < _MOST:
            sock.settimeout(left)
            try:
                content, (address, _) = sock.recvfrom(65535)
            except TimeoutError:
                break
            except ConnectionError:
                continue
            answers += 1
            try:
                found |= {camera.service: camera for camera in matches(content, address, identity)}
            except FormatError:
                strange += 1
    cameras = sorted(found.values(), key=lambda camera: (ipaddress.ip_address(camera.address), camera.service))
    return cameras, strange


def matches(content: bytes, address: str, identity: str) -> list[Camera]:
    """The cameras in one answer; none where it answers somebody else's question. Raises ``FormatError``."""
    root = parse(content)
    related = text(root, "RelatesTo")
    if related and related.rpartition(":")[2].lower() != identity.rpartition(":")[2].lower():
        return []
    cameras = []
    for match in find_all(root, "ProbeMatch")[:_MOST]:
        scopes = [unquote(scope.removeprefix(_SCOPE)) for scope in text(match, "Scopes").split()]
        told = {kind: value for kind, _, value in (scope.partition("/") for scope in scopes)}
        name, hardware, location = (clean(told.get(key, ""))[:100] for key in ("name", "hardware", "location"))
        services = [url for url in text(match, "XAddrs").split() if is_at(url, address)]
        if services:
            cameras.append(Camera(address, name, hardware, location, services[0]))
    return cameras


def is_at(url: str, address: str) -> bool:
    """Whether a service lies where the answer came from: nobody is sent to a third machine with a login."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and parts.hostname == address and (parts.port or 1) > 0
    except ValueError:
        return False
