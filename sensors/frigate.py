"""People that Frigate follows: its MQTT messages to sightings. Topics that carry pictures are not subscribed to.

Read against Frigate's documentation (integrations/mqtt) and the source of 0.16: ``events`` (``before``, ``after``, with
``path_data`` since 0.16), ``available``, ``stats``, ``<camera>/detect/state``, ``<camera>/enabled/state``.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from sensors.errors import FormatError
from sensors.frigate_config import FrigateConfig
from sensors.readings import Attention, Sighting, Silence
from sensors.subscription import Connect, Message, Subscription

UNKNOWN, OFFLINE = "frigate_unknown", "frigate_offline"
NO_FRAMES, DETECT_OFF = "frigate_no_frames", "frigate_detect_off"
"""Why nothing is observed, as reason codes of ``health``."""
_SILENCE_AFTER = 1.0
_LARGEST = 256 * 1024
"""Bytes of a message that is read. An event is some kilobytes, the stats of twenty cameras some twenty."""
_LONGEST_PATH = 2000
_CLOCKS_APART = 600.0
"""Seconds by which Frigate's clock may be ahead of the box's; more is nonsense."""


class FrigateSource:
    """One camera of Frigate; see ``sensors.readings.Source``. ``dropped`` counts messages that could not be read."""

    def __init__(self, config: FrigateConfig, connect: Connect, clock: Callable[[], float] = time.time) -> None:
        """``connect`` comes from whoever may use MQTT; ``clock`` gives epoch seconds."""
        self._config = config
        self._connect = connect
        self._clock = clock
        self._stack = ExitStack()
        self._link: Subscription | None = None
        self._state = _State()
        self.dropped = 0

    def __enter__(self) -> Self:
        prefix, camera = self._config.topic, self._config.camera
        own = [f"{prefix}/{camera}/{part}/state" for part in ("detect", "enabled")]
        self._link = self._stack.enter_context(
            self._connect([f"{prefix}/available", f"{prefix}/stats", f"{prefix}/events", *own])
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._link = None
        self._stack.close()

    def __iter__(self) -> Iterator[Sighting | Attention | Silence]:
        self._state = _State()
        yield Attention(self._clock(), self._state.reason)
        while self._link is not None:
            message = self._link.receive(_SILENCE_AFTER)
            now = self._clock()
            if message is None:
                yield Silence(now)
                continue
            try:
                yield from self._readings(message, now)
            except FormatError:
                # Counted, and told in health; a message of somebody else's must not stop the counting.
                self.dropped += 1

    def _readings(self, message: Message, now: float) -> list[Sighting | Attention]:
        part = message.topic.removeprefix(f"{self._config.topic}/")
        if part == "events":
            found = sightings(message.payload, self._config, now)
            # Whoever tells of this camera's people watches it.
            return [*found, Attention(now, self._state.reason)] if found else []
        if part == "stats":
            self._state.fps = camera_fps(message.payload, self._config.camera)
        elif part == "available":
            self._state.online = message.payload == b"online"
            if self._state.online:
                # That it is up says nothing of the camera: its next message does.
                return []
        elif part.endswith("/detect/state"):
            self._state.detecting = message.payload != b"OFF"
        elif part.endswith("/enabled/state"):
            self._state.enabled = message.payload != b"OFF"
        # Switched on is no proof that it watches; switched off is one that it does not.
        proof = part == "stats" or self._state.reason not in (None, UNKNOWN)
        return [Attention(now, self._state.reason)] if proof else []


class _State:
    """What Frigate said last of itself and of the camera."""

    def __init__(self) -> None:
        self.online: bool | None = None
        self.detecting = True
        self.enabled = True
        self.fps: float | None = None

    @property
    def reason(self) -> str | None:
        if self.online is None:
            return UNKNOWN
        if not self.online:
            return OFFLINE
        if not (self.detecting and self.enabled):
            return DETECT_OFF
        return NO_FRAMES if self.fps is not None and self.fps <= 0 else None


def sightings(payload: bytes, config: FrigateConfig, now: float) -> list[Sighting]:
    """The sightings in one ``events`` message, in order of time: its path, then its box. None of other cameras' events.

    Raises ``FormatError`` for a message that is not what Frigate sends.
    """
    document = _object(payload)
    after = _dictionary(document.get("after"))
    if _text(after.get("camera")) != config.camera or after.get("label") not in config.labels:
        return []
    if after.get("false_positive") is True:
        return []
    track, since = _text(after.get("id")), _number(after.get("start_time"), 0, now + _CLOCKS_APART)
    seen = _number(after.get("frame_time"), 0, now + _CLOCKS_APART)
    score = _number(after.get("score", after.get("top_score")), 0, 1)
    ended = document.get("type") == "end" or after.get("end_time") is not None
    x1, y1, x2, y2 = _box(after.get("box"), config.detect)
    points = [(when, point) for when, point in _path(after.get("path_data"), now) if when < seen]
    width, height = x2 - x1, y2 - y1
    # Of the past only the feet are known; the person is as large as now.
    boxes = [(when, (x - width / 2, y - height, x + width / 2, y)) for when, (x, y) in sorted(points)]
    found = [Sighting(when, track, box, score, min(since, when), False) for when, box in boxes]
    return [*found, Sighting(seen, track, (x1, y1, x2, y2), score, min(since, seen), ended)]


def camera_fps(payload: bytes, camera: str) -> float:
    """Pictures per second that Frigate takes from a camera and looks at, by a ``stats`` message; 0 where it is absent.

    Raises ``FormatError``.
    """
    cameras = _dictionary(_object(payload).get("cameras"))
    if camera not in cameras:
        return 0.0
    stats = _dictionary(cameras[camera])
    rates = [_number(stats.get("camera_fps"), 0, 1000)]
    if stats.get("process_fps") is not None:
        rates.append(_number(stats["process_fps"], 0, 1000))
    return 0.0 if stats.get("detection_enabled") in (False, 0) else min(rates)


def _object(payload: bytes) -> dict[str, Any]:
    if len(payload) > _LARGEST:
        raise _nonsense("too large")
    try:
        return _dictionary(json.loads(payload))
    except (ValueError, RecursionError):
        raise _nonsense("not JSON") from None


def _dictionary(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _nonsense("not an object")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 128:
        raise _nonsense("not a name")
    return value


def _number(value: object, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _nonsense("not a number")
    # The comparison comes first: an integer may be too large to be a float.
    if not least <= value <= most or not math.isfinite(value):
        raise _nonsense("a number out of bounds")
    return float(value)


def _box(value: object, detect: tuple[int, int]) -> tuple[float, float, float, float]:
    """Pixels to shares; what lies a little outside the picture is cut off."""
    if not isinstance(value, list) or len(value) != 4:
        raise _nonsense("no box")
    x1, x2 = (min(_number(x, -1e5, 1e5) / detect[0], 1.0) for x in value[::2])
    y1, y2 = (min(_number(y, -1e5, 1e5) / detect[1], 1.0) for y in value[1::2])
    x1, y1 = max(0.0, x1), max(0.0, y1)
    if x2 <= x1 or y2 <= y1:
        raise _nonsense("an empty box")
    return x1, y1, x2, y2


def _path(value: object, now: float) -> list[tuple[float, tuple[float, float]]]:
    """``[[[x, y], time], …]``: the middle of the lower edge, as shares; absent before Frigate 0.16."""
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > _LONGEST_PATH:
        raise _nonsense("no path")
    found = []
    for item in value:
        if not isinstance(item, list) or len(item) != 2 or not isinstance(item[0], list) or len(item[0]) != 2:
            raise _nonsense("no path")
        x, y = (_number(part, -1, 2) for part in item[0])
        found.append((_number(item[1], 0, now + _CLOCKS_APART), (min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0))))
    return found


def _nonsense(what: str) -> FormatError:
    return FormatError(f"a message of Frigate's is {what}", "check topic, camera and detect of this sensor")
