"""Why a network camera cannot be opened, in words: FFmpeg only says that it could not.

The camera is asked once, over RTSP (RFC 2326, DESCRIBE) or HTTP (GET), first without and, where it asks for a login,
with user and password (Basic, RFC 7617; Digest, RFC 7616 and 2617). Only the head of its answer is read.
"""

import hashlib
import http.client
import os
import re
import socket
from base64 import b64encode
from dataclasses import dataclass
from email.message import Message
from typing import BinaryIO
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import parse_http_list, parse_keqv_list

from sensors.errors import SourceError

_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443, "rtmp": 1935}
_TIMEOUT_S = 5.0
_LONGEST_LINE = 8192
_LOCKOUT_S = 120.0
"""Between two attempts with a password that was refused. Cameras lock a user out after some five to ten of them."""
_HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    phrase: str
    headers: Message


def check(url: str, address: str) -> None:
    """Before opening: raises ``SourceError`` where the camera does not answer at all, or refuses without a login.

    OpenCV opens one stream at a time in a process (opencv issue 17057): a camera that swallows the connection would
    keep all others waiting for its time limit, so it is asked here first. ``url`` and ``address`` as for ``explain``.
    """
    error, answer = _diagnose(url, address, try_login=False)
    asked = answer is not None and answer.status in (401, 403) and urlsplit(url).username
    if error.reason in ("unreachable", "not_found", "login_refused") and not asked:
        raise error


def explain(url: str, address: str) -> SourceError:
    """The error to raise for a stream that FFmpeg could not open. ``url`` with its password, ``address`` without.

    Blocks for at most some 15 seconds.
    """
    return _diagnose(url, address, try_login=True)[0]


def _diagnose(url: str, address: str, *, try_login: bool) -> tuple[SourceError, _Answer | None]:
    said = f"camera {address} cannot be opened"
    host, port, scheme = "", 0, ""
    try:
        parts = urlsplit(url)
        host, port, scheme = parts.hostname or "", parts.port or _PORTS.get(parts.scheme.lower(), 0), parts.scheme
        answer = _ask(parts, host, port, try_login)
    except socket.gaierror:
        why, fix = f"the name {host} is not known", "correct the name in its url, or give the number"
    except TimeoutError:
        why, fix = f"{host}:{port} does not answer", "check that the camera is on and its network cable plugged in"
    except ConnectionRefusedError:
        why, fix = f"nothing listens at {host}:{port}", "check that the camera is on, and its port in the url"
    except OSError as error:
        why, fix = f"{host}:{port}: {error.strerror or 'the connection was cut'}", "check address and network"
    except http.client.HTTPException:
        return _nonsense(said, host, port, scheme), None
    except ValueError as error:
        if host and port:
            return _nonsense(said, host, port, scheme), None
        why, fix = str(error), "correct its url"
    else:
        return _judge(said, parts, answer), answer
    return SourceError(f"{said}: {why}", fix, reason="unreachable"), None


def _nonsense(said: str, host: str, port: int, scheme: str) -> SourceError:
    what = f"{said}: {host}:{port} does not speak {scheme.upper()}"
    return SourceError(what, "check port and kind of its url", reason="no_video")


def _ask(parts: SplitResult, host: str, port: int, try_login: bool) -> _Answer | None:
    if parts.scheme.lower() not in ("rtsp", "http"):
        # Encrypted streams: that the camera can be reached is all that is looked at.
        socket.create_connection((host, port), _TIMEOUT_S).close()
        return None
    answer = _request(parts, host, port, None)
    if try_login and answer.status == 401 and parts.username and (login := _login(parts, answer)):
        answer = _request(parts, host, port, login)
    return answer


def _judge(said: str, parts: SplitResult, answer: _Answer | None) -> SourceError:
    """What an answer means for a stream that cannot be opened."""
    if answer is None:
        return SourceError(f"{said}, though it answers", "check the url and the login in a player such as VLC")
    if answer.status in (401, 403):
        refused = "refuses user and password" if parts.username else "asks for a user and a password"
        fix = "correct the user in the url and the password behind password_env or password_file"
        return SourceError(f"{said}: it {refused} ({answer.status})", fix, reason="login_refused", patience=_LOCKOUT_S)
    if answer.status in (404, 410, 454):
        what = f"{said}: it has no stream {parts.path or '/'} ({answer.status})"
        fix = "look up the stream's path in the camera's manual, or run: yingke cameras discover"
        return SourceError(what, fix, reason="not_found")
    if answer.status != 200:
        fix = "restart the camera; look whether too many others watch it"
        return SourceError(f"{said}: it answers {answer.status} {answer.phrase}".rstrip(), fix)
    kind = answer.headers.get_content_type() if answer.headers.get("Content-Type") else "something of no kind"
    if kind.startswith("text/"):
        what = f"{said}: it sends a page ({kind}), no video"
        return SourceError(what, "give the url of the stream", reason="no_video")
    what = f"{said}: it answers ({kind}), but no picture can be decoded"
    fix = "set the camera to H.264, H.265 or motion JPEG, and look at it in a player such as VLC"
    return SourceError(what, fix, reason="no_video")


def _request(parts: SplitResult, host: str, port: int, login: str | None) -> _Answer:
    rtsp = parts.scheme.lower() == "rtsp"
    target = _target(parts)
    lines = [f"DESCRIBE {target} RTSP/1.0", "CSeq: 1", "Accept: application/sdp"]
    if not rtsp:
        lines = [f"GET {target} HTTP/1.0", f"Host: {parts.netloc.rpartition('@')[2]}", "Connection: close"]
    lines += [f"Authorization: {login}"] if login else []
    with socket.create_connection((host, port), _TIMEOUT_S) as connection, connection.makefile("rb") as stream:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return _head(stream)


def _target(parts: SplitResult) -> str:
    """What the request line names: RTSP the whole URL without its login, HTTP path and query."""
    path = (parts.path or ("/" if parts.scheme.lower() == "http" else "")) + (f"?{parts.query}" if parts.query else "")
    path = re.sub(r"[\x00-\x20\x7f]", lambda found: f"%{ord(found[0]):02X}", path)
    return path if parts.scheme.lower() == "http" else f"rtsp://{parts.netloc.rpartition('@')[2]}{path}"


def _head(stream: BinaryIO) -> _Answer:
    line = stream.readline(_LONGEST_LINE).decode("latin-1")
    match = re.match(r"(?:RTSP|HTTP)/\d\.\d (\d{3}) ?([^\r\n]{0,80})", line)
    if match is None:
        raise ValueError(line[:20])
    phrase = "".join(letter for letter in match[2] if letter.isprintable())
    return _Answer(int(match[1]), phrase, http.client.parse_headers(stream))


def _login(parts: SplitResult, asked: _Answer) -> str | None:
    """The Authorization header that answers a 401; None where it asks for something that is not known here."""
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    challenges = [str(value) for value in asked.headers.get_all("WWW-Authenticate", [])]
    for challenge in challenges:
        kind, _, rest = challenge.partition(" ")
        if kind.lower() == "digest":
            given = parse_keqv_list([item for item in parse_http_list(rest) if item.partition("=")[2]])
            if given.get("algorithm", "MD5").upper() in _HASHES and {"realm", "nonce"} <= given.keys():
                method = "DESCRIBE" if parts.scheme.lower() == "rtsp" else "GET"
                return digest(user, password, method, _target(parts), given, os.urandom(8).hex())
    if any(challenge.lower().startswith("basic") for challenge in challenges):
        return "Basic " + b64encode(f"{user}:{password}".encode()).decode()
    return None


def digest(user: str, password: str, method: str, target: str, given: dict[str, str], cnonce: str) -> str:
    """The Digest Authorization header for the challenge ``given`` (RFC 7616, 3.4), with or without ``qop=auth``."""
    algorithm = given.get("algorithm", "MD5")

    def hashed(text: str) -> str:
        return _HASHES[algorithm.upper()](text.encode()).hexdigest()

    inner = hashed(f"{user}:{given['realm']}:{password}")
    outer = hashed(f"{method}:{target}")
    fields = {"username": user, "realm": given["realm"], "nonce": given["nonce"], "uri": target}
    if "auth" in [item.strip() for item in given.get("qop", "").split(",")]:
        fields["response"] = hashed(f"{inner}:{given['nonce']}:00000001:{cnonce}:auth:{outer}")
        fields["cnonce"] = cnonce
    else:
        fields["response"] = hashed(f"{inner}:{given['nonce']}:{outer}")
    fields |= {key: given[key] for key in ("opaque",) if key in given}
    quoted = ", ".join(f'{key}="{_quoted(value)}"' for key, value in fields.items())
    return f"Digest {quoted}, algorithm={algorithm}" + (", qop=auth, nc=00000001" if "cnonce" in fields else "")


def _quoted(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\r", "").replace("\n", "")
