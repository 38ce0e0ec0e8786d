"""The cameras of the endurance run: three or more that are drawn, and one that reads real files through FFmpeg."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from bench.soak_faults import Fault
from bench.soak_shop import HIGH, NOISE, WIDE, Painter, Walker, traffic
from bench.soak_time import SteppedTime
from sensors.camera import CameraSource
from sensors.camera_config import CameraConfig
from sensors.errors import SourceError
from sensors.readings import Frame, Image, Silence
from tests.fakes import FakeSource

FPS = 4.0
NIGHT_NOISE = 3.0
SIZES = {"larger": (2 * WIDE, 2 * HIGH), "narrower": (240, 180)}
FILE_SECONDS = 300.0
Pictures = FakeSource[Frame]


class DrawnCamera:
    """One camera that is looked at ``FPS`` times a second and suffers ``faults``. Call it to open it."""

    def __init__(
        self, seed: tuple[int, int], time: SteppedTime, walkers: Sequence[Walker], faults: Sequence[Fault]
    ) -> None:
        rng = np.random.default_rng(seed)
        self._time = time
        self._faults = faults
        self._painter = Painter(rng, walkers)
        across = np.linspace(30, 110, WIDE)[None, :, None] * np.array([0.3, 0.5, 1.0])
        self._hand = np.repeat(across, HIGH, 0).astype(np.uint8)
        self._last: Image = np.zeros((HIGH, WIDE, 3), np.uint8)

    def __call__(self) -> Pictures:
        source: Pictures = FakeSource(lambda: self._open(source))
        return source

    def _fault(self) -> Fault | None:
        now = self._time.elapsed
        return next((fault for fault in self._faults if fault.start <= now < fault.end), None)

    def _open(self, source: Pictures) -> Iterator[Frame | Silence]:
        fault = self._fault()
        if fault is not None and fault.kind == "lost":
            raise SourceError("nobody answers", "wait until the fault is over")
        return self._readings(source, self._time.elapsed)

    def _readings(self, source: Pictures, opened: float) -> Iterator[Frame | Silence]:
        index, tick = 0, int(opened * FPS)
        while True:
            fault = self._fault()
            kind = None if fault is None else fault.kind
            step = round(FPS) if kind in ("slow", "silent") else 1
            # What nobody was there to take is lost, as with a live camera.
            missed = max(0, int(self._time.elapsed * FPS) - tick)
            source.dropped += missed
            tick += missed + step
            self._time.sleep(tick / FPS - self._time.elapsed)
            fault = self._fault()
            kind = None if fault is None else fault.kind
            if kind == "lost":
                raise SourceError("the line is cut", "wait until the fault is over")
            if kind == "crash":
                raise ZeroDivisionError("a bug in the source")
            if kind == "silent":
                yield Silence(self._time.now())
                continue
            yield Frame(self._picture(fault), self._time.now(), self._time.elapsed - opened, index)
            index += step

    def _picture(self, fault: Fault | None) -> Image:
        time, kind = self._time.elapsed, None if fault is None else fault.kind
        if kind == "frozen":
            return self._last
        if kind == "black":
            return self._painter.noisy(np.zeros_like(self._hand))
        if kind == "covered":
            return self._painter.noisy(self._hand, NIGHT_NOISE)
        image = self._painter.paint(time, 1.0 if fault is None else fault.gain(time))
        image = self._painter.noisy(image, NIGHT_NOISE if kind == "dusk" else NOISE)
        if kind == "corrupt":
            image[int(0.4 * HIGH) :] = 130
        if kind in SIZES:
            image = cv2.resize(image, SIZES[kind]).astype(np.uint8)
        self._last = image
        return image


@dataclass(frozen=True, slots=True)
class Film:
    """A file and who crosses in it; ``broken`` cannot be opened, ``damaged`` is bad in its middle."""

    path: Path
    walkers: Sequence[Walker]
    broken: bool = False
    damaged: bool = False


@dataclass(slots=True)
class Play:
    """A film ran from ``start`` to ``end``, elapsed seconds."""

    film: Film
    start: float
    end: float


def films(folder: Path, seed: int) -> list[Film]:
    """Five minutes of the shop as Motion JPEG and as MPEG-4; each also damaged: one in the middle, one at its end."""
    made = []
    for number, (codec, name) in enumerate((("MJPG", "one.avi"), ("mp4v", "two.mp4"))):
        rng = np.random.default_rng((seed, 1000 + number))
        walkers = traffic(rng, FILE_SECONDS, 60)
        painter, path = Painter(rng, walkers), folder / name
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), FPS, (WIDE, HIGH))
        for tick in range(round(FILE_SECONDS * FPS)):
            writer.write(painter.noisy(painter.paint(tick / FPS)))
        writer.release()
        made.append(Film(path, walkers))
    content = bytearray(made[0].path.read_bytes())
    middle = slice(len(content) * 2 // 5, len(content) // 2)
    content[middle] = np.random.default_rng(seed).bytes(middle.stop - middle.start)
    damaged, broken = folder / "damaged.avi", folder / "broken.mp4"
    damaged.write_bytes(content)
    whole = made[1].path.read_bytes()
    broken.write_bytes(whole[: len(whole) * 3 // 5])
    return [*made, Film(damaged, made[0].walkers, damaged=True), Film(broken, (), broken=True)]


class FilmCamera:
    """A camera behind which real files run, one after the other: each is opened by FFmpeg, cut off, and lost."""

    def __init__(self, seed: tuple[int, int], time: SteppedTime, films: Sequence[Film], *, healthy: bool) -> None:
        self._rng = np.random.default_rng(seed)
        self._time = time
        self._films = films[:2] if healthy else films
        self._weights = (0.5, 0.5) if healthy else (0.4, 0.4, 0.1, 0.1)
        self.plays: list[Play] = []

    def __call__(self) -> Pictures:
        film = self._films[int(self._rng.choice(len(self._films), p=self._weights))]
        length = float(self._rng.uniform(0.4, 1.0)) * FILE_SECONDS
        return FakeSource(lambda: self._run(film, length))

    def _run(self, film: Film, length: float) -> Iterator[Frame | Silence]:
        with CameraSource(CameraConfig(url=f"file:{film.path}"), clock=self._time.now) as source:
            play = Play(film, self._time.elapsed, self._time.elapsed)
            self.plays.append(play)
            for reading in source:
                if not isinstance(reading, Frame) or reading.media_time > length:
                    break
                self._time.sleep(play.start + reading.media_time - self._time.elapsed)
                play.end = self._time.elapsed
                yield Frame(reading.image, self._time.now(), reading.media_time, reading.index)
        raise SourceError("the stream was cut", "it is opened again")
