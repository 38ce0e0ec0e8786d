"""Opening a USB camera by its number, and saying by name why that fails."""

import os
import sys
from pathlib import Path

import cv2

from sensors.errors import SourceError

DEVICES = Path("/dev")


def open_device(number: int, address: str, devices: Path = DEVICES) -> cv2.VideoCapture:
    """The camera ``/dev/video<number>`` (on macOS, the camera of that number). Raises ``SourceError``."""
    said = f"camera {address} cannot be opened"
    node = devices / f"video{number}"
    if sys.platform == "linux":
        if not node.exists():
            there = sorted(path.name.removeprefix("video") for path in devices.glob("video*"))
            known = (
                f"cameras here: {', '.join(f'usb:{name}' for name in there)}" if there else "no camera is plugged in"
            )
            raise SourceError(
                f"{said}: there is no {node}", f"check its plug and its number; {known}", reason="no_device"
            )
        if not os.access(node, os.R_OK | os.W_OK):
            fix = "add this user to the group video (sudo usermod -aG video USER) and log in again"
            raise SourceError(f"{said}: permission denied on {node}", fix, reason="no_device")
    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        capture.release()
        raise SourceError(
            f"{said}: it is in use, or gives no pictures",
            "stop the other program that uses it; many cameras have a second number without pictures: try the next one",
            reason="no_device",
        )
    return capture
