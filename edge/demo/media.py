"""Which video the demonstration watches: the public test video where it can be had, else the clip that ships.

In this order: OpenCV's test video from the first-run cache (downloaded once, checked by digest), the same video where
the system's OpenCV samples have it, the clip beside this module. Being without a network is normal: one plain line.
"""

import hashlib
import http.client
import os
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Point = tuple[float, float]

OFFLINE = "YINGKE_OFFLINE"
"""Set to 1, nothing is fetched."""
URL = "https://raw.githubusercontent.com/opencv/opencv/4.10.0/samples/data/vtest.avi"
SHA256 = "45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf"
"""Of ``vtest.avi`` as OpenCV has published it for years; Debian's package ``opencv-doc`` holds the same bytes."""
SIZE = 8_131_690
SYSTEM = tuple(
    Path(folder) / "vtest.avi"
    for folder in (
        "/usr/share/doc/opencv-doc/examples/data",  # Debian, Ubuntu: package opencv-doc, not compressed there
        "/usr/share/opencv4/samples/data",
        "/usr/local/share/opencv4/samples/data",  # OpenCV installed from source with its examples
        "/opt/homebrew/share/opencv4/samples/data",
    )
)
SHIPPED = Path(__file__).parent / "clip.mp4"
WAIT_S = 5.0
"""For the connection and for each piece: somebody waits for the first page."""
WHOLE_S = 30.0
"""For the download as a whole."""

Fetch = Callable[[str], Iterable[bytes]]
"""Yields the content behind an address in pieces; raises ``OSError`` or ``http.client.HTTPException``."""


@dataclass(frozen=True, slots=True)
class EntranceLine:
    """A line of the video: ``start`` to ``end`` in shares of the picture, and which way is into the store.

    ``entering``: ``positive`` is towards the left of somebody who looks from ``start`` to ``end`` in the picture.
    """

    name: str
    start: Point
    end: Point
    entering: Literal["positive", "negative"]
    anchor: Literal["centre", "foot"] = "centre"

    def config(self) -> dict[str, Any]:
        """As an entry of ``edge.counting.<camera>.lines``."""
        return {
            "name": self.name,
            "start": list(self.start),
            "end": list(self.end),
            "entering": self.entering,
            "anchor": self.anchor,
        }


@dataclass(frozen=True, slots=True)
class Media:
    """A video with what it is, for people, in both languages, and the entrance lines that fit it."""

    path: Path
    label: str
    label_zh: str
    lines: tuple[EntranceLine, ...]


PUBLIC_LINES = (EntranceLine("entrance", (0.7, 0.2), (0.7, 0.8), "negative"),)
"""Line A that the video's crossings were counted on by eye; right to left counts as entering: 18 of 33."""
SHIPPED_LINES = (EntranceLine("entrance", (0.46, 0.15), (0.46, 0.95), "positive"),)
"""The inner door post of the drawn shop, as in ``clip.truth.json``."""


def choose(
    cache: Path,
    *,
    fetch: Fetch | None = None,
    system: Iterable[Path] = SYSTEM,
    environment: Mapping[str, str] = os.environ,
    tell: Callable[[str], None] = print,
) -> Media:
    """The best video that can be had now. ``cache`` is created when needed; ``tell`` gets at most one line.

    Never raises for a missing network, a full or read-only disk or altered files: the shipped clip is always there.
    """
    cached = cache / "vtest.avi"
    if _genuine(cached):
        return _public(cached, "downloaded at the first run")
    for path in system:
        if _genuine(path):
            return _public(path, "from this system's OpenCV samples")
    if environment.get(OFFLINE, "") not in ("", "0"):
        return _shipped()
    try:
        _download((fetch or over_https)(URL), cached)
    except (OSError, http.client.HTTPException) as error:
        tell(f"video    the public test video is not to be had now ({_reason(error)}); the shipped clip does as well")
        return _shipped()
    return _public(cached, "downloaded at the first run")


def over_https(url: str) -> Iterator[bytes]:
    """The content behind an https address, in pieces of 64 KiB."""
    with urllib.request.urlopen(url, timeout=WAIT_S) as answer:  # noqa: S310 (the address is a constant, https)
        while piece := answer.read(1 << 16):
            yield piece


def _download(pieces: Iterable[bytes], target: Path) -> None:
    """Write to a temporary name beside ``target``, check, rename; nothing is left behind that is not whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + WHOLE_S
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    part = Path(name)
    try:
        digest, size = hashlib.sha256(), 0
        with os.fdopen(descriptor, "wb") as file:
            for piece in pieces:
                size += len(piece)
                if size > SIZE or time.monotonic() > deadline:
                    raise OSError("too much came" if size > SIZE else "too slow")
                digest.update(piece)
                file.write(piece)
        if digest.hexdigest() != SHA256:
            raise OSError("what came is not that video")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _genuine(path: Path) -> bool:
    """Whether the file is there with exactly the expected content."""
    try:
        if path.stat().st_size != SIZE:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == SHA256
    except OSError:
        return False


def _public(path: Path, where: str) -> Media:
    return Media(
        path,
        f"OpenCV's public test video vtest.avi, a recorded street scene ({where})",
        "OpenCV 公开测试视频 vtest.avi（实拍街景）",
        PUBLIC_LINES,
    )


def _shipped() -> Media:
    return Media(
        SHIPPED,
        "the clip that ships with Yingke: people cut out of public-domain photographs walk through a drawn shop",
        "随软件附带的短片：公有领域照片中的人物走过手绘店面",
        SHIPPED_LINES,
    )


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", error)
    text = getattr(inner, "strerror", None) or str(inner) or type(error).__name__
    return str(text).splitlines()[0][:80]
