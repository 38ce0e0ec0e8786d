"""Looks through one camera for a while, and keeps the newest picture and where people walked: in memory, no more."""

import threading
from dataclasses import dataclass, replace
from typing import Literal

from models.config import ModelsConfig
from models.detector import Detector
from models.errors import ModelError
from models.observation import Observation, Observer
from models.tracker import Tracker
from sensors.camera import CameraSource, open_camera
from sensors.config import NamedCamera
from sensors.errors import SensorError, SourceError
from sensors.readings import Frame, Image

RATE = 5.0
"""Pictures per second that are looked at: enough for the tracker, and half of what a box usually looks at."""
LONG_SIDE = 832
"""Of the detector's input, at least: calibration has to see those who are too small for the present size."""
_FURTHER_S = 5.0
"""Seconds of a recording between the picture shown and a new one."""

Phase = Literal["opening", "watching", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Looked:
    """What is known now. ``progress`` is 0 to 1; ``shape`` is width and height of the picture, None before the first.

    ``number`` changes with every new picture that was asked for. ``error`` and ``fix`` are set where ``phase`` is
    ``failed``.
    """

    phase: Phase
    progress: float
    number: int
    shape: tuple[int, int] | None
    seen: Observation
    error: str = ""
    fix: str = ""


class CameraWatch:
    """One camera. ``start`` begins to watch, ``stop`` ends it and forgets everything."""

    def __init__(self, camera: NamedCamera, models: ModelsConfig, seconds: float) -> None:
        self.camera = camera
        changes = {"max_fps": min(camera.max_fps or RATE, RATE), "every": 1, "loop": False, "speed": None, "start": 0.0}
        self._config = camera.model_copy(update=changes)
        self._models = models
        self._seconds = seconds
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._image: Image | None = None
        self._position = 0.0
        self._looked = Looked("opening", 0.0, 0, None, Observation(16 / 9))

    @property
    def looked(self) -> Looked:
        """What is known now."""
        with self._lock:
            return self._looked

    @property
    def image(self) -> Image | None:
        """The newest picture, BGR; None before the first."""
        with self._lock:
            return self._image

    def start(self) -> None:
        """Watch anew; what was seen before is forgotten, the picture stays until the next one."""
        self.stop(forget=False)
        self._stop.clear()
        with self._lock:
            self._looked = Looked("opening", 0.0, self._looked.number, self._looked.shape, Observation(16 / 9))
        self._thread = threading.Thread(target=self._run, name="calibration", daemon=True)
        self._thread.start()

    def stop(self, *, forget: bool = True) -> None:
        """End the thread and close the camera."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if forget:
            with self._lock:
                self._image, self._looked = None, Looked("opening", 0.0, 0, None, Observation(16 / 9))

    def renew(self) -> None:
        """Take another picture. Raises ``SensorError`` when the camera cannot be read."""
        if self.looked.phase not in ("opening", "watching"):
            with open_camera(self._config) as source:
                frame = self._later(source)
            self._show(frame)
        with self._lock:
            self._looked = replace(self._looked, number=self._looked.number + 1)

    def _later(self, source: CameraSource) -> Frame:
        """The next picture of a live camera; of a recording one that is later than the last, or the first again."""
        first: Frame | None = None
        for frame in source:
            if not isinstance(frame, Frame):
                continue
            first = first or frame
            if self._config.live or frame.media_time >= self._position + _FURTHER_S:
                return frame
        if first is None:
            raise SourceError(f"camera {self._config.address} sends no picture", "check the camera in a player")
        return first

    def _run(self) -> None:
        problem = ("the program has a fault; its terminal says which", "report it, with what the terminal says")
        done = False
        try:
            with open_camera(self._config) as source:
                self._watch(source)
            done = True
        except (SensorError, ModelError) as error:
            problem = str(error), error.fix
        finally:
            with self._lock:
                known = self._looked
                self._looked = (
                    Looked("done", 1.0, known.number, known.shape, known.seen)
                    if done
                    else Looked("failed", known.progress, known.number, known.shape, known.seen, *problem)
                )

    def _watch(self, source: CameraSource) -> None:
        detector: Detector | None = None
        observer, tracker = Observer(16 / 9), Tracker()
        for frame in source:
            if self._stop.is_set():
                return
            if not isinstance(frame, Frame):
                continue
            self._show(frame)
            if detector is None:
                height, width = frame.image.shape[:2]
                observer = Observer(width / height)
                side = max(LONG_SIDE, self._models.detector.size)
                detector = Detector(long_side=side, directory=self._models.directory)
            now = frame.media_time
            observer.see(tracker.update(detector.detect(frame.image), now), now)
            with self._lock:
                self._looked = replace(
                    self._looked,
                    progress=min(1.0, now / self._seconds),
                    seen=observer.observation(),
                )
            if now >= self._seconds:
                return

    def _show(self, frame: Frame) -> None:
        height, width = frame.image.shape[:2]
        with self._lock:
            self._image, self._position = frame.image, frame.media_time
            phase: Phase = "watching" if self._looked.phase == "opening" else self._looked.phase
            self._looked = replace(self._looked, phase=phase, shape=(width, height))
