"""An ONVIF camera for tests, on loopback: answers WS-Discovery over UDP and SOAP over HTTP, and checks the login."""

import base64
import hashlib
import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import cast

from sensors.onvif.xml import find_all, parse, text

SOAP = (
    '<?xml version="1.0"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
    'xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
    'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" xmlns:m="http://www.onvif.org/ver10/media/wsdl">'
    "<s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
)
SCOPES = (
    "onvif://www.onvif.org/Profile/Streaming onvif://www.onvif.org/hardware/DS-2CD2042WD "
    "onvif://www.onvif.org/name/HIKVISION%20%E9%97%A8%E5%8F%A3 onvif://www.onvif.org/location/entrance"
)


class OnvifCamera(http.server.ThreadingHTTPServer):
    """``ahead`` is how far its clock is off; ``scheme`` is how it wants to be told the password."""

    daemon_threads = True

    def __init__(self, password: str = "right", ahead: timedelta = timedelta(), scheme: str = "token") -> None:
        super().__init__(("127.0.0.1", 0), _Service)
        self.password, self.ahead, self.scheme = password, ahead, scheme
        self.asked: list[str] = []
        self.probes = 0
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))

    @property
    def service(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/onvif/device_service"

    def match(self, probe: bytes, services: str | None = None) -> bytes:
        """Its answer to a probe."""
        related = text(parse(probe), "MessageID")
        body = (
            "<d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:1</a:Address></a:EndpointReference>"
            f"<d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>{SCOPES}</d:Scopes>"
            f"<d:XAddrs>{services or 'http://192.0.2.1/onvif http://[bad ' + self.service}</d:XAddrs>"
            "<d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches>"
        )
        return SOAP.format(header=f"<a:RelatesTo>{related}</a:RelatesTo>", body=body).encode()

    def answer_probes(self, *others: bytes) -> None:
        """Until the socket is closed; ``others`` are sent before each answer, as from careless devices."""
        while True:
            try:
                probe, sender = self.udp.recvfrom(65535)
            except OSError:
                return
            if not probe:
                return
            self.probes += 1
            for other in others:
                self.udp.sendto(other, sender)
            self.udp.sendto(self.match(probe), sender)


class _Service(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        camera = cast(OnvifCamera, self.server)
        root = parse(self.rfile.read(int(self.headers["Content-Length"])))
        action = next(iter(find_all(root, "Body")[0])).tag.rpartition("}")[2]
        camera.asked.append(action)
        now = datetime.now(UTC) + camera.ahead
        if action == "GetSystemDateAndTime":
            clock = f"<tt:Time><tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute>"
            clock += f"<tt:Second>{now.second}</tt:Second></tt:Time><tt:Date><tt:Year>{now.year}</tt:Year>"
            clock += f"<tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day></tt:Date>"
            self._answer(200, f"<tt:UTCDateTime>{clock}</tt:UTCDateTime>")
        elif camera.scheme == "digest" and "Digest" not in self.headers.get("Authorization", ""):
            self._answer(401, "", 'Digest realm="cam", nonce="abc", qop="auth"')
        elif camera.scheme == "token" and not self._knows(root, now):
            body = "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:NotAuthorized</s:Value>"
            self._answer(400, body + "</s:Subcode></s:Code><s:Reason><s:Text>no</s:Text></s:Reason></s:Fault>")
        elif camera.scheme == "digest" and not self._is_digest():
            self._answer(401, "", 'Digest realm="cam", nonce="abc", qop="auth"')
        else:
            self._answer(200, self._body(action, text(root, "ProfileToken")))

    def _body(self, action: str, token: str) -> str:
        camera = cast(OnvifCamera, self.server)
        if action == "GetCapabilities":
            url = camera.service.replace("device_service", "Media")
            return f"<tt:Media><tt:XAddr>{url}</tt:XAddr></tt:Media>"
        if action == "GetProfiles":
            sizes = {"main": ("H264", 1920, 1080), "sub&amp;": ("H265", 640, 360)}
            return "".join(
                f'<m:Profiles token="{name}"><tt:Name>{name}Stream</tt:Name><tt:VideoEncoderConfiguration>'
                f"<tt:Encoding>{kind}</tt:Encoding><tt:Resolution><tt:Width>{width}</tt:Width><tt:Height>{height}"
                "</tt:Height></tt:Resolution></tt:VideoEncoderConfiguration></m:Profiles>"
                for name, (kind, width, height) in sizes.items()
            )
        return f"<m:MediaUri><tt:Uri>rtsp://127.0.0.1:554/{len(token)}?a=1&amp;b=2</tt:Uri></m:MediaUri>"

    def _knows(self, root: object, now: datetime) -> bool:
        security = parse_security(root)
        if security is None:
            return False
        user, given, nonce, created = security
        wanted = hashlib.sha1(
            base64.b64decode(nonce) + created.encode() + cast(OnvifCamera, self.server).password.encode()
        )
        then = datetime.strptime(created, "%Y-%m-%dT%H:%M:%S.000Z").replace(tzinfo=UTC)
        fresh = abs(then - now) < timedelta(seconds=5)
        return fresh and (user, given) == ("viewer", base64.b64encode(wanted.digest()).decode())

    def _is_digest(self) -> bool:
        fields = dict(
            item.strip().replace('"', "").split("=", 1)
            for item in self.headers["Authorization"].removeprefix("Digest ").split(",")
        )

        def hashed(words: str) -> str:
            return hashlib.md5(words.encode()).hexdigest()

        inner, outer = hashed(f"viewer:cam:{cast(OnvifCamera, self.server).password}"), hashed(f"POST:{self.path}")
        return fields["response"] == hashed(f"{inner}:abc:{fields['nc']}:{fields['cnonce']}:auth:{outer}")

    def _answer(self, status: int, body: str, challenge: str = "") -> None:
        content = SOAP.format(header="", body=body).encode()
        self.send_response(status)
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


def parse_security(root: object) -> tuple[str, str, str, str] | None:
    """User, digest, nonce and time of a request's WS-UsernameToken."""
    from xml.etree.ElementTree import Element

    assert isinstance(root, Element)
    if not find_all(root, "UsernameToken"):
        return None
    user, given, nonce, created = (text(root, name) for name in ("Username", "Password", "Nonce", "Created"))
    return user, given, nonce, created


@contextmanager
def onvif_camera(camera: OnvifCamera, *others: bytes) -> Iterator[tuple[str, int]]:
    """Runs it; gives where it answers probes."""
    threads = [
        threading.Thread(target=camera.serve_forever),
        threading.Thread(target=camera.answer_probes, args=others),
    ]
    for thread in threads:
        thread.start()
    try:
        yield camera.udp.getsockname()
    finally:
        camera.shutdown()
        # An empty datagram ends the wait for probes.
        camera.udp.sendto(b"", camera.udp.getsockname())
        for thread in threads:
            thread.join()
        camera.udp.close()
        camera.server_close()
