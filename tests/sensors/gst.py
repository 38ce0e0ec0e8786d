"""A real RTSP server for tests: GStreamer's, as a process of its own, and the H.264 and H.265 files that it serves."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from sensors.readings import Image

Codec = Literal["h264", "h265"]
CODECS: tuple[Codec, ...] = ("h264", "h265")
PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).with_name("gst_rtsp_server.py")
_ENCODERS = {
    "h264": ["libx264", "-tag:v", "avc1"],
    "h265": ["libx265", "-tag:v", "hvc1", "-x265-params", "log-level=0"],
}


@cache
def _missing() -> str:
    if shutil.which("ffmpeg") is None:
        return "ffmpeg is not installed (scripts/install-system-packages)"
    asked = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    try:
        found = subprocess.run([PYTHON, "-c", asked], capture_output=True, text=True)
    except OSError:
        return f"there is no {PYTHON}"
    return "" if found.returncode == 0 else "GStreamer's RTSP server is not installed (scripts/install-system-packages)"


def require_gst() -> None:
    """Skip the test where the packages are not installed."""
    if reason := _missing():
        pytest.skip(reason)


def encode(path: Path, codec: Codec, pictures: list[Image], fps: int) -> Path:
    """Write an MP4 with a key frame every second and no reordering, as cameras do."""
    height, width = pictures[0].shape[:2]
    shape = ["-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{width}x{height}", "-r", str(fps)]
    kept = ["-c:v", *_ENCODERS[codec], "-preset", "ultrafast", "-crf", "12", "-g", str(fps), "-bf", "0"]
    command = ["ffmpeg", "-loglevel", "error", "-y", *shape, "-i", "-", *kept, "-pix_fmt", "yuv420p", str(path)]
    subprocess.run(command, input=np.stack(pictures).tobytes(), check=True, capture_output=True)
    return path


class GstServer:
    """``port`` is free to ask once it was started; ``stop`` kills it, ``start`` begins again on the same port."""

    def __init__(self, mounts: Mapping[str, tuple[Path, Codec]], login: str) -> None:
        user, _, password = login.partition(":")
        streams = {f"/{name}": [str(file), codec] for name, (file, codec) in mounts.items()}
        self._settings = {"user": user, "password": password, "mounts": streams}
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    def start(self) -> None:
        """Returns when it listens."""
        settings = json.dumps({**self._settings, "port": self.port})
        command = [PYTHON, str(SERVER), settings]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self._process.communicate()[1]
        self.port = int(line)

    def stop(self) -> None:
        """As a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


@contextmanager
def gst_rtsp(mounts: Mapping[str, tuple[Path, Codec]], login: str = "") -> Iterator[GstServer]:
    """Serve files in real time at ``rtsp://127.0.0.1:<port>/<name>``, to ``user:password`` (digest) where given."""
    require_gst()
    server = GstServer(mounts, login)
    server.start()
    try:
        yield server
    finally:
        server.stop()
