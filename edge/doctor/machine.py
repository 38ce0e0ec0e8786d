"""The machine that doctor runs on: the only module of it that touches anything."""

import ctypes
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from edge.doctor.findings import ClockState, Disk, Frames, Output
from sensors.camera import CameraSource
from sensors.camera_config import CameraConfig
from sensors.errors import SourceError
from sensors.readings import Frame
from sensors.wifi.hopping import Ran
from sync.config import MqttConfig
from sync.mqtt import MqttBroker, Session

_COMMAND_S = 10.0
_PICTURE_S = 10.0
_ALL_PROTOCOLS = 0x0003
_UNSYNCHRONISED = 0x0040
"""STA_UNSYNC of adjtimex(2)."""


class ThisMachine:
    """See ``edge.doctor.findings.Machine``."""

    def command(self, command: Sequence[str]) -> Output:
        try:
            done = subprocess.run(  # noqa: S603  # fixed commands of this package
                command, capture_output=True, text=True, errors="replace", timeout=_COMMAND_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"{command[0]} does not end") from error
        return Output(done.stdout, Ran(done.returncode, done.stderr))

    def frames(self, interface: str, seconds: float) -> Frames:
        """Counts only: a probe request is known by one byte behind the radio header, and nothing else is looked at."""
        frames = probes = link = 0
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS)) as raw:
            raw.bind((interface, 0))
            link = raw.getsockname()[3]
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0:
                raw.settimeout(left)
                try:
                    data = raw.recv(512)
                except TimeoutError:
                    break
                frames += 1
                at = int.from_bytes(data[2:4], "little")
                probes += at < len(data) and data[at] == 0x40
        return Frames(link, frames, probes)

    def disk(self, path: Path) -> Disk:
        usage = shutil.disk_usage(_existing(path))
        return Disk(usage.free, usage.total)

    def write(self, path: Path) -> None:
        """A file that is gone again; the folder itself is not made."""
        with tempfile.TemporaryFile(dir=_existing(path)) as file:
            file.write(b"doctor")
            file.flush()
            os.fsync(file.fileno())

    def clock(self) -> ClockState | None:
        """By adjtimex(2), read only: it works without any tool, whoever keeps the clock."""
        if sys.platform != "linux":
            return None
        adjust = getattr(ctypes.CDLL(None, use_errno=True), "adjtimex", None)
        state = _Timex()
        if adjust is None or adjust(ctypes.byref(state)) < 0:
            return None
        return ClockState(not state.status & _UNSYNCHRONISED, state.maxerror / 1e6)

    def reach(self, host: str, port: int, seconds: float) -> None:
        socket.create_connection((host, port), seconds).close()

    def broker(self, config: MqttConfig) -> None:
        with MqttBroker(config).connect(Session(f"yingke-doctor-{os.getpid()}")):
            pass

    def picture(self, config: CameraConfig) -> tuple[int, int]:
        deadline = time.monotonic() + _PICTURE_S
        with CameraSource(config) as source:
            for reading in source:
                if isinstance(reading, Frame):
                    height, width = reading.image.shape[:2]
                    return width, height
                if time.monotonic() > deadline:
                    break
        raise SourceError(f"{config.address}: no picture within {_PICTURE_S:.0f} s", "look at the camera's own page")


class _Timex(ctypes.Structure):
    """The beginning of ``struct timex`` of Linux, with room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 512),
    )


def _existing(path: Path) -> Path:
    """The folder, or the nearest one above it that is there: the box makes the others at its start."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
