"""Pictures from a video file, a network stream or a USB camera, through OpenCV and FFmpeg.

A recording yields every picture, as fast as it is taken, with its exact media time. A live camera is read by a thread
of its own: the newest picture wins, what nobody took in time is counted in ``dropped``.
"""

import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

import cv2

from sensors.camera_config import CameraConfig
from sensors.device import open_device
from sensors.errors import FormatError, SourceError
from sensors.readings import Frame, Image, Silence
from sensors.refusal import check, explain

# The libraries print every damaged packet to stderr; what matters is said by exceptions and by coverage.
# FFmpeg's level (-8 is quiet) is read at the first opening, and only from the environment.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
# OpenCV opens one stream at a time in a process. FFmpeg would watch a stream for 2.8 s to estimate its rate, which
# nothing here relies on; two pictures are enough, and then 1.0 s (H.264, 10 pictures a second). The first part is
# OpenCV's own default, which a setting of ours replaces.
os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_flags;prefer_tcp|fpsprobesize;2")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

_OPEN_TIMEOUT_MS = 5_000
_READ_TIMEOUT_MS = 5_000
_SILENCE_AFTER = 1.0
_GIVE_UP_AFTER = 15.0
"""Seconds without a picture that can be decoded, though the stream goes on: then it is opened again."""
_USUAL_FPS = 25.0
_LEAST_BACKLOG_S = 0.3
_WAITED_S = 0.05
"""Whoever had to be waited for so long comes just now: old pictures are there at once, up to the time to decode one."""
_CATCH_UP_S = 2.0
"""Seconds of reading after which pictures are taken as they come, whatever their stamps say."""
_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


class CameraSource:
    """One camera or one recording; see ``sensors.readings.Source`` for what entering and iterating mean."""

    def __init__(
        self,
        config: CameraConfig,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``clock`` gives epoch seconds; ``sleep`` paces a recording that has a ``speed``."""
        self._source: _Recording | _Live = _Live(config, clock) if config.live else _Recording(config, clock, sleep)
        self.address = config.address

    @property
    def dropped(self) -> int:
        return self._source.dropped

    @property
    def fps(self) -> float:
        """Pictures per second that the stream declares (25 where it declares nonsense); known after entering."""
        return self._source.fps

    @property
    def duration(self) -> float | None:
        """Seconds of media that a recording declares; None where unknown. More than was read: the tail is damaged."""
        return self._source.duration

    def __enter__(self) -> Self:
        self._source.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.close()

    def __iter__(self) -> Iterator[Frame | Silence]:
        return self._source.readings()


class _Recording:
    dropped = 0

    def __init__(self, config: CameraConfig, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._config = config
        self._clock = clock
        self._sleep = sleep
        self._path = config.path
        self._capture: cv2.VideoCapture | None = None
        self.fps = _USUAL_FPS
        self.duration: float | None = None

    def open(self) -> None:
        """Raises ``SourceError`` for no file, ``FormatError`` for one without a decodable picture."""
        if not self._path.exists():
            raise SourceError(f"{self._path}: no such file", "check the path of the video")
        if not self._path.is_file():
            raise SourceError(f"{self._path}: not a file", "give one video file")
        if not os.access(self._path, os.R_OK):
            raise SourceError(f"{self._path}: permission denied", "make the file readable for this user")
        self._capture = self._reopen()
        self.fps = _sane_fps(self._capture)
        frames = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.duration = frames / self.fps if math.isfinite(frames) and 0 < frames < 1e9 else None

    def _reopen(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(str(self._path.resolve()), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        if not capture.isOpened():
            capture.release()
            raise FormatError(
                f"{self._path}: not a video that FFmpeg can read",
                "check that the file is complete (an MP4 that was cut off cannot be opened) and holds a video",
            )
        # A container can be in order and its pictures not: the first one decides here, before anybody counts on it.
        if not capture.grab() or not capture.retrieve()[0]:
            capture.release()
            raise FormatError(f"{self._path}: no picture can be decoded", "record it again, or convert it with ffmpeg")
        return capture

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def readings(self) -> Iterator[Frame | Silence]:
        began = self._clock()
        start = began if self._config.start is None else self._config.start
        index, offset = 0, 0.0
        while self._capture is not None:
            position, wanted = -1.0, _Thinner(self._config)
            while True:
                position = self._media_time(position)
                if wanted(index, position):
                    played = offset + position
                    yield from self._paced(began, played, start)
                    image = _picture(self._capture, self._config.rotate)
                    if image is not None:
                        yield Frame(image, start + played * self._config.time_scale, position, index)
                index += 1
                if not self._capture.grab():
                    break
            if not self._config.loop:
                return
            # The media begins anew, and whoever follows people with it; the store's clock goes on.
            offset += position + 1 / self.fps
            self._capture.release()
            self._capture = self._reopen()

    def _media_time(self, before: float) -> float:
        """Seconds of the grabbed picture: the container's time where it is sane, else one picture after the last."""
        assert self._capture is not None
        stamp = float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
        latest = math.inf if self.duration is None else self.duration * 1.5 + 60
        if math.isfinite(stamp) and before < stamp <= latest and stamp >= 0:
            return stamp
        return before + 1 / self.fps if before >= 0 else 0.0

    def _paced(self, began: float, media: float, start: float) -> Iterator[Silence]:
        """Wait until the picture is due, and say every second that nothing came yet."""
        speed = self._config.speed
        while speed is not None and (ahead := began + media / speed - self._clock()) > 0:
            self._sleep(min(ahead, _SILENCE_AFTER))
            if ahead > _SILENCE_AFTER:
                seen = (self._clock() - began) * speed
                yield Silence(start + min(seen, media) * self._config.time_scale)


class _Thinner:
    """Says which pictures are looked at."""

    def __init__(self, config: CameraConfig) -> None:
        self._every = config.every
        self._period = 1 / config.max_fps if config.max_fps else 0.0
        self._due = 0.0

    def __call__(self, index: int, position: float) -> bool:
        # A tenth of a period of slack: time stamps in whole milliseconds must not cost every second picture.
        if index % self._every or position < self._due - self._period / 10:
            return False
        self._due = max(self._due + self._period, position)
        return True


class _Live:
    duration: float | None = None

    def __init__(self, config: CameraConfig, clock: Callable[[], float]) -> None:
        self._config = config
        self._clock = clock
        self._news = threading.Condition()
        self._newest: Frame | None = None
        self._lost = False
        self._stop = False
        self._thread: threading.Thread | None = None
        self.fps = _USUAL_FPS
        self.dropped = 0

    def open(self) -> None:
        """Raises ``SourceError`` when nobody answers."""
        began = time.monotonic()
        if self._config.device is not None:
            capture = open_device(self._config.device, self._config.address)
        else:
            timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _OPEN_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC]
            options = [*timeouts, _READ_TIMEOUT_MS, cv2.CAP_PROP_N_THREADS, 1]
            url = self._config.secret_url()
            check(url, self._config.address)
            began = time.monotonic()
            capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, options)
            if not capture.isOpened():
                capture.release()
                raise explain(url, self._config.address)
        self.fps = _sane_fps(capture)
        self._lost = self._stop = False
        self._thread = threading.Thread(target=self._read, args=(capture, began), name="camera", daemon=True)
        self._thread.start()

    def close(self) -> None:
        with self._news:
            self._stop = True
        if self._thread is not None:
            # The reader may stand in a network read; that ends by its own time limit.
            self._thread.join(_READ_TIMEOUT_MS / 1000 + 1)
            self._thread = None
        self._newest = None

    def _read(self, capture: cv2.VideoCapture, opened: float) -> None:
        wanted = _Thinner(self._config.model_copy(update={"every": 1}))
        backlog = _Backlog(opened)
        index, began = 0, time.monotonic()
        try:
            while not self._stop and capture.grab():
                media = time.monotonic() - began
                if backlog(float(capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000):
                    self.dropped += 1
                elif wanted(index, media):
                    image = _picture(capture, self._config.rotate)
                    if image is not None:
                        self._publish(Frame(image, self._clock(), media, index))
                index += 1
        finally:
            capture.release()
            with self._news:
                self._lost = True
                self._news.notify()

    def _publish(self, frame: Frame) -> None:
        with self._news:
            if self._newest is not None:
                self.dropped += 1
            self._newest = frame
            self._news.notify()

    def readings(self) -> Iterator[Frame | Silence]:
        patience = max(_GIVE_UP_AFTER, 3 / (self._config.max_fps or math.inf))
        latest = time.monotonic()
        while True:
            with self._news:
                self._news.wait_for(lambda: self._newest is not None or self._lost, _SILENCE_AFTER)
                frame, self._newest = self._newest, None
                lost = self._lost
            if frame is not None:
                yield frame
                latest = time.monotonic()
            elif lost or time.monotonic() - latest > patience:
                raise SourceError(
                    f"camera {self._config.address} sends no more pictures",
                    "check its power and network; it is opened again by itself",
                )
            else:
                yield Silence(self._clock())


class _Backlog:
    """Says which pictures of a live stream are old ones.

    FFmpeg reads up to some seconds of a stream before it calls it open, and hands those pictures out at once
    afterwards: as of now, they would show people who jump.
    """

    def __init__(self, opened: float) -> None:
        self._opened = opened
        self._began = self._before = time.monotonic()
        self._first: float | None = None
        self._over = False

    def __call__(self, stamp: float) -> bool:
        """Whether the picture with this stamp (seconds in the stream) is older than the one that comes just now."""
        now = time.monotonic()
        if self._over or not math.isfinite(stamp):
            return False
        self._first = stamp if self._first is None else self._first
        behind = (now - self._opened) - (stamp - self._first)
        # Motion JPEG has no stamps of its own, and FFmpeg's run at 25 a second whatever comes.
        waited, self._before = now - self._before > _WAITED_S, now
        self._over = behind <= _LEAST_BACKLOG_S or waited or now - self._began > _CATCH_UP_S
        return not self._over


def _picture(capture: cv2.VideoCapture, rotate: int) -> Image | None:
    """The grabbed picture as BGR, upright, or None where it cannot be decoded. A grey one gets three equal channels."""
    decoded, image = capture.retrieve()
    if not decoded or image is None:
        return None
    return upright(image.astype("uint8", copy=False), rotate)


def upright(image: Image, rotate: int) -> Image | None:
    """Of ``(h, w)``, ``(h, w, 1)`` or ``(h, w, 3)`` the BGR picture, turned clockwise by ``rotate``; None of others."""
    if image.ndim == 2 or image.shape[2] == 1:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR).astype("uint8", copy=False)
    elif image.shape[2] != 3:
        return None
    return cv2.rotate(image, _TURNS[rotate]).astype("uint8", copy=False) if rotate in _TURNS else image


def _sane_fps(capture: cv2.VideoCapture) -> float:
    fps = float(capture.get(cv2.CAP_PROP_FPS))
    return fps if math.isfinite(fps) and 0.1 <= fps <= 240 else _USUAL_FPS


def open_camera(config: CameraConfig) -> CameraSource:
    """The source of one camera of the configuration; nothing is opened before it is entered."""
    return CameraSource(config)
