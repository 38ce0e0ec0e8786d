"""A small RTSP camera for tests: MPEG-TS over RTP over the RTSP connection itself (RFC 2326, 10.12; RFC 2250)."""

import base64
import socketserver
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

PACKETS = 7
"""Of 188 bytes in each RTP packet."""


class _Camera(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    media = b""
    login = ""
    pause = 0.0
    stall = 0.0
    seen: list[str]
    stopping: threading.Event


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        camera = cast(_Camera, self.server)
        while request := self.rfile.readline().decode().split():
            headers = {}
            while (line := self.rfile.readline().decode().strip()) != "":
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            method = request[0]
            camera.seen.append(headers.get("authorization", ""))
            wanted = "Basic " + base64.b64encode(camera.login.encode()).decode()
            if camera.login and headers.get("authorization") != wanted:
                self._answer("401 Unauthorized", headers, 'WWW-Authenticate: Basic realm="camera"')
            elif method == "DESCRIBE":
                sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\n"
                sdp += "m=video 0 RTP/AVP 33\r\na=control:track\r\n"
                self._answer("200 OK", headers, "Content-Type: application/sdp", body=sdp)
            elif method == "SETUP":
                self._answer("200 OK", headers, "Session: 1", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
            elif method == "PLAY":
                self._answer("200 OK", headers, "Session: 1")
                self._play(camera)
                return
            else:
                self._answer("200 OK", headers, "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")

    def _answer(self, status: str, request: dict[str, str], *headers: str, body: str = "") -> None:
        lines = [f"RTSP/1.0 {status}", f"CSeq: {request.get('cseq', '0')}", *headers, f"Content-Length: {len(body)}"]
        self.wfile.write(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    def _play(self, camera: _Camera) -> None:
        step = 188 * PACKETS
        try:
            for number, start in enumerate(range(0, len(camera.media), step)):
                piece = camera.media[start : start + step]
                rtp = struct.pack(">BBHII", 0x80, 33, number & 0xFFFF, number * 900, 1) + piece
                self.wfile.write(b"$\x00" + struct.pack(">H", len(rtp)) + rtp)
                time.sleep(camera.pause)
            camera.stopping.wait(camera.stall)
        except OSError:
            pass


@contextmanager
def rtsp_camera(
    media: Path, *, login: str = "", pause: float = 0.0, stall: float = 0.0
) -> Iterator[tuple[str, list[str]]]:
    """Serve an MPEG-TS file once per connection; gives ``host:port/path`` and the Authorization headers that came.

    ``pause`` seconds after each packet; after the last one, the connection stays open and silent for ``stall`` seconds.
    """
    with _Camera(("127.0.0.1", 0), _Session) as camera:
        camera.media, camera.login, camera.pause, camera.seen = media.read_bytes(), login, pause, []
        camera.stall, camera.stopping = stall, threading.Event()
        threading.Thread(target=camera.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{camera.server_address[1]}/stream", camera.seen
        camera.stopping.set()
        camera.shutdown()
