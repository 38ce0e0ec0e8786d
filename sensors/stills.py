"""Single pictures of a recording as JPEG, for a person to look at: forward at the pace of play, back by a jump."""

import math
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2

from sensors.errors import FormatError, SourceError
from sensors.readings import Image

_NEAR_S = 4.0
"""So far ahead pictures are read one after the other; further away is a jump."""
_QUALITY = 80


@dataclass(frozen=True, slots=True)
class Still:
    """One picture: JPEG bytes, and its time in seconds of media."""

    jpeg: bytes
    time: float


class Stills:
    """Pictures of one file; a context manager, safe for several threads. Nothing is written anywhere.

    Entering raises ``SourceError`` or ``FormatError``. ``duration`` (seconds), ``fps`` and ``size`` (width, height of
    the pictures given out, in px, at most ``width`` wide) are known then.
    """

    def __init__(self, path: Path, width: int = 1280) -> None:
        self._path = path
        self._width = width
        self._lock = threading.Lock()
        self._capture: cv2.VideoCapture | None = None
        self._time = -1.0
        self._image: Image | None = None
        self._still: Still | None = None
        self.fps = 25.0
        self.duration = 0.0
        self.size = 0, 0

    def __enter__(self) -> Self:
        if not self._path.is_file():
            raise SourceError(f"{self._path}: no such file", "check the path of the video")
        self._open()
        assert self._capture is not None
        fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.fps = fps if math.isfinite(fps) and 0.1 <= fps <= 240 else 25.0
        frames = float(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.duration = frames / self.fps if math.isfinite(frames) and 0 < frames < 1e9 else 0.0
        if not self._next() or self._image is None:
            self._capture.release()
            raise FormatError(f"{self._path}: no picture can be decoded", "record it again, or convert it with ffmpeg")
        height, width = self._image.shape[:2]
        scale = min(1.0, self._width / width)
        self.size = round(width * scale), round(height * scale)
        if not self.duration:
            self.duration = self._measured()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            if self._capture is not None:
                self._capture.release()
                self._capture = None

    def at(self, time: float) -> Still | None:
        """The picture at ``time`` (the first one from half a picture before it on); the last one beyond the end.

        None when the recording cannot be read any more, or is closed.
        """
        with self._lock:
            if self._capture is None:
                return None
            wanted = time - 0.5 / self.fps
            if self._image is None or not wanted <= self._time < wanted + 1 / self.fps:
                if not self._time < wanted <= self._time + _NEAR_S:
                    self._jump(wanted)
                while self._time < wanted and self._next():
                    pass
            if self._image is None:
                return None
            if self._still is None or self._still.time != self._time:
                self._still = Still(self._encoded(self._image), self._time)
            return self._still

    def _open(self) -> None:
        self._capture = cv2.VideoCapture(str(self._path.resolve()), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        self._time = -1.0
        if not self._capture.isOpened():
            self._capture.release()
            raise FormatError(f"{self._path}: not a video that FFmpeg can read", "check that the file is complete")

    def _next(self) -> bool:
        """Decode one picture more. A damaged one is passed over; False at the end."""
        assert self._capture is not None
        while self._capture.grab():
            stamp = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
            fine = math.isfinite(stamp) and stamp > self._time and (not self.duration or stamp < self.duration + 60)
            self._time = stamp if fine else self._time + 1 / self.fps if self._time >= 0 else 0.0
            decoded, image = self._capture.retrieve()
            if decoded and image is not None and image.ndim == 3:
                self._image = image.astype("uint8", copy=False)
                return True
        return False

    def _jump(self, wanted: float) -> None:
        """Stand before ``wanted``. Where the container's own jump lands wrong, everything from the start is read."""
        assert self._capture is not None
        target = max(0.0, wanted - 1.0)
        if target > 0 and self._capture.set(cv2.CAP_PROP_POS_MSEC, target * 1000):
            # The stamp after a jump must be believed or not; between 0 and the wanted time it can be.
            self._time = -1.0
            if self._next() and max(1e-3, target - _NEAR_S) <= self._time <= wanted:
                return
        self._capture.release()
        self._open()

    def _measured(self) -> float:
        """The time of the last picture, by reading all of them: some containers do not say how long they are."""
        while self._next():
            pass
        end = self._time + 1 / self.fps
        self._jump(0.0)
        self._next()
        return end

    def _encoded(self, image: Image) -> bytes:
        if (image.shape[1], image.shape[0]) != self.size:
            image = cv2.resize(image, self.size, interpolation=cv2.INTER_AREA).astype("uint8", copy=False)
        done, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        return jpeg.tobytes() if done else b""
