"""Asking one ONVIF camera for the addresses of its streams: SOAP 1.2, login by WS-UsernameToken digest or HTTP digest.

ONVIF Device and Media services, version 10: GetSystemDateAndTime, GetCapabilities, GetProfiles, GetStreamUri.
"""

import base64
import hashlib
import http.client
import os
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit, urlunsplit
from urllib.request import parse_http_list, parse_keqv_list
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from sensors.errors import FormatError, SourceError
from sensors.onvif.discovery import Camera, is_at
from sensors.onvif.xml import LARGEST, clean, find_all, parse, text
from sensors.refusal import digest

_TIMEOUT_S = 5.0
_MOST_PROFILES = 16
_DEVICE, _MEDIA = "http://www.onvif.org/ver10/device/wsdl", "http://www.onvif.org/ver10/media/wsdl"
_WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss"


@dataclass(frozen=True, slots=True)
class Stream:
    """One profile of a camera. ``url`` holds the user and no password; width and height are px, 0 where untold."""

    profile: str
    encoding: str
    width: int
    height: int
    url: str


def streams(camera: Camera, user: str, password: str) -> list[Stream]:
    """The streams of a camera. Raises ``SourceError``, with reason ``login_refused`` for a wrong login."""
    service = _Service(camera, user, password)
    service.skew = _skew(service.call(camera.service, f'<GetSystemDateAndTime xmlns="{_DEVICE}"/>', login=False))
    asked = f'<GetCapabilities xmlns="{_DEVICE}"><Category>Media</Category></GetCapabilities>'
    media = text(service.call(camera.service, asked), "Media", "XAddr")
    if not is_at(media, camera.address):
        raise SourceError(f"camera {camera.address} names no media service of its own", "look for updates of it")
    profiles = find_all(service.call(media, f'<GetProfiles xmlns="{_MEDIA}"/>'), "Profiles")[:_MOST_PROFILES]
    return [_stream(service, media, profile) for profile in profiles]


def _stream(service: "_Service", media: str, profile: Element) -> Stream:
    token = escape(profile.get("token", "")[:128], {'"': "&quot;"})
    asked = (
        f'<GetStreamUri xmlns="{_MEDIA}"><StreamSetup><Stream xmlns="http://www.onvif.org/ver10/schema">RTP-Unicast'
        '</Stream><Transport xmlns="http://www.onvif.org/ver10/schema"><Protocol>RTSP</Protocol></Transport>'
        f"</StreamSetup><ProfileToken>{token}</ProfileToken></GetStreamUri>"
    )
    url = text(service.call(media, asked), "MediaUri", "Uri")
    encoder = next(iter(find_all(profile, "VideoEncoderConfiguration")), profile)
    width, height = (_whole(text(encoder, "Resolution", side)) for side in ("Width", "Height"))
    return Stream(text(profile, "Name"), text(encoder, "Encoding"), width, height, _with_user(url, service.user))


class _Service:
    def __init__(self, camera: Camera, user: str, password: str) -> None:
        self.user = user
        self.skew = timedelta()
        """By how much the camera's clock is ahead: it refuses logins of another time."""
        self._camera = camera
        self._password = password

    def call(self, url: str, body: str, *, login: bool = True) -> Element:
        header = self._token() if login and self.user else ""
        envelope = (
            '<?xml version="1.0" encoding="UTF-8"?><e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope">'
            f"<e:Header>{header}</e:Header><e:Body>{body}</e:Body></e:Envelope>"
        ).encode()
        status, challenge, content = self._post(url, envelope, None)
        if status == 401 and login and challenge.lower().startswith("digest "):
            given = parse_keqv_list([item for item in parse_http_list(challenge[7:]) if "=" in item])
            if {"realm", "nonce"} <= given.keys() and given.get("algorithm", "MD5").upper() in ("MD5", "SHA-256"):
                answer = digest(self.user, self._password, "POST", _target(url), given, os.urandom(8).hex())
                status, _, content = self._post(url, envelope, answer)
        if status in (401, 403):
            raise self._refused()
        try:
            root = parse(content)
        except FormatError as error:
            raise self._error(f"answers {status}, and {error}") from None
        if faults := find_all(root, "Fault"):
            codes = " ".join(clean(value.text or "") for value in find_all(faults[0], "Value"))
            if "NotAuthorized" in codes or "FailedAuthentication" in codes:
                raise self._refused()
            raise self._error(f"refuses a question: {text(faults[0], 'Reason', 'Text') or codes}")
        return root

    def _post(self, url: str, envelope: bytes, login: str | None) -> tuple[int, str, bytes]:
        parts = urlsplit(url)
        headers = {"Content-Type": "application/soap+xml; charset=utf-8", "Connection": "close"}
        headers |= {"Authorization": login} if login else {}
        connection = http.client.HTTPConnection(self._camera.address, parts.port or 80, timeout=_TIMEOUT_S)
        if parts.scheme == "https":
            # Cameras sign their certificates themselves; what is sent is a digest that serves once.
            trusting = ssl._create_unverified_context()  # noqa: S323
            port = parts.port or 443
            connection = http.client.HTTPSConnection(self._camera.address, port, timeout=_TIMEOUT_S, context=trusting)
        try:
            connection.request("POST", _target(url), envelope, headers)
            response = connection.getresponse()
            return response.status, response.getheader("WWW-Authenticate") or "", response.read(LARGEST + 1)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise self._error(
                f"does not answer over ONVIF: {getattr(error, 'strerror', None) or type(error).__name__}"
            ) from error
        finally:
            connection.close()

    def _token(self) -> str:
        """WS-UsernameToken profile 1.0: Base64(SHA-1(nonce + created + password))."""
        nonce, created = os.urandom(16), f"{datetime.now(UTC) + self.skew:%Y-%m-%dT%H:%M:%S.000Z}"
        hashed = hashlib.sha1(nonce + created.encode() + self._password.encode()).digest()  # noqa: S324  # the standard's
        kind = f"{_WSSE}-username-token-profile-1.0#PasswordDigest"
        return (
            f'<s:Security xmlns:s="{_WSSE}-wssecurity-secext-1.0.xsd" xmlns:u="{_WSSE}-wssecurity-utility-1.0.xsd">'
            f"<s:UsernameToken><s:Username>{escape(self.user)}</s:Username>"
            f'<s:Password Type="{kind}">{base64.b64encode(hashed).decode()}</s:Password>'
            f'<s:Nonce EncodingType="{_WSSE}-soap-message-security-1.0#Base64Binary">{base64.b64encode(nonce).decode()}'
            f"</s:Nonce><u:Created>{created}</u:Created></s:UsernameToken></s:Security>"
        )

    def _error(self, what: str) -> SourceError:
        return SourceError(f"camera {self._camera.address} {what}", "look whether ONVIF is switched on in its settings")

    def _refused(self) -> SourceError:
        what = f"camera {self._camera.address} " + ("refuses user and password" if self.user else "asks for a user")
        fix = "many cameras have users of their own for ONVIF: create one in its settings, and give --user"
        return SourceError(what, fix, reason="login_refused")


def _skew(answer: Element) -> timedelta:
    """By how much the camera's UTC is ahead of ours; zero where it does not tell."""
    told = find_all(answer, "UTCDateTime")
    if not told:
        return timedelta()
    parts = [
        _whole(text(told[0], *path)) for path in (("Year",), ("Month",), ("Day",), ("Hour",), ("Minute",), ("Second",))
    ]
    year, month, day, hour, minute, second = parts
    try:
        return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC) - datetime.now(UTC)
    except ValueError:
        return timedelta()


def _whole(words: str) -> int:
    return int(words) if words.isascii() and words.isdigit() and len(words) <= 6 else 0


def _target(url: str) -> str:
    parts = urlsplit(url)
    return quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._") + (
        f"?{quote(parts.query, safe='/%:@!$&=+,;~-._?')}" if parts.query else ""
    )


def _with_user(url: str, user: str) -> str:
    """With the user, whose password stands behind ``password_env``, and without whatever login the camera wrote in."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}@{host}" if user else host))
