"""Counting under other light: exposure, its jumps, a night that falls, sensor noise, infrared.

    python -m bench.light [--video FILE --truth FILE] [--every N]

The box's whole way from pictures to events (watch, gate, detector, tracker, lines) over the two clips with known
crossings: the one that ships and the street of ../shared. Prints correct/false/missed crossings within one second, and
the share of the time that is reported as covered.
"""

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bench.vision import SHARED, compare, decoded
from edge.processors.footfall import FootfallConfig, FootfallProcessor
from models.config import DetectorConfig, ModelsConfig
from models.gate import open_gated
from sensors.readings import Frame, Image
from sync.events import Event, FootfallMinute, Visit

START = 1_795_564_800.0
"""A full minute."""
SENSOR = 1.5
"""Grey levels of noise that every sensor adds. A drawn clip has none: darkened, its rows equal each other."""
CLIP = Path(__file__).resolve().parent.parent / "edge" / "demo" / "clip.mp4"
Light = Callable[[Image, float, np.random.Generator], Image]
"""A picture in another light: the picture, its second, and where noise comes from."""


def gain(image: Image, factor: float) -> Image:
    """More or less exposure; what is too bright is white."""
    return cv2.convertScaleAbs(image, alpha=factor).astype(np.uint8)


def noisy(image: Image, sigma: float, rng: np.random.Generator) -> Image:
    """With the noise of a sensor, each colour by itself."""
    grain = np.empty(image.shape, np.int16)
    cv2.setRNGSeed(int(rng.integers(1 << 31)))
    cv2.randn(grain, np.zeros(3), np.full(3, sigma))
    return cv2.add(image, grain, dtype=cv2.CV_8U).astype(np.uint8)


def exposed(image: Image, factor: float, rng: np.random.Generator) -> Image:
    """More or less exposure of a picture to which the sensor adds its noise; what is too bright stays white."""
    bright = gain(image, factor)
    return np.where(bright == 255, bright, noisy(bright, SENSOR, rng)).astype(np.uint8)


def infrared(image: Image) -> Image:
    """Grey, as a camera with its infrared lamp gives it."""
    return cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR).astype(np.uint8)


def lights() -> dict[str, Light]:
    """Each by its name."""
    steady: dict[str, Light] = {
        f"gain {factor:g}": lambda image, _, rng, factor=factor: exposed(image, factor, rng)  # type: ignore[misc]
        for factor in (0.4, 0.6, 1.6, 2.0)
    }
    return {
        "as recorded": lambda image, _, rng: image,
        **steady,
        "noise of 8": lambda image, _, rng: noisy(image, 8.0, rng),
        "gain 0.4 and noise of 6": lambda image, _, rng: noisy(gain(image, 0.4), 6.0, rng),
        "gain 0.2 and noise of 4": lambda image, _, rng: noisy(gain(image, 0.2), 4.0, rng),
        "exposure jumps every 3 s": lambda image, at, rng: exposed(image, (1.0, 0.4, 1.0, 2.0)[int(at / 3) % 4], rng),
        "exposure hunts, period 2 s": lambda image, at, rng: exposed(image, float(1.6 ** np.sin(np.pi * at)), rng),
        "night falls, noise rises": lambda image, at, rng: noisy(gain(image, max(0.2, 1 - at / 80)), 1 + at / 16, rng),
        "infrared": lambda image, _, rng: infrared(image),
        "infrared, gain 0.5, noise of 6": lambda image, _, rng: infrared(noisy(gain(image, 0.5), 6.0, rng)),
        "night (gain 0.05)": lambda image, _, rng: noisy(gain(image, 0.05), 3.0, rng),
    }


@dataclass(frozen=True)
class Result:
    """Crossings with their second and way, and covered seconds as a share of the media."""

    crossings: list[tuple[float, str]]
    coverage: float


def count(frames: Iterable[Frame], truth: dict[str, Any], light: Light, *, size: int = 416, seed: int = 1) -> Result:
    """All pictures through the box's processor, under a light. ``L2R`` is the positive side."""
    line = {"name": "line", "start": truth["p1"], "end": truth["p2"], "entering": "positive"}
    models = ModelsConfig(detector=DetectorConfig(size=size))
    processor = FootfallProcessor("light", FootfallConfig.model_validate({"lines": [line]}), open_gated(models))
    rng, events, last = np.random.default_rng(seed), list[Event](), 0.0
    for frame in frames:
        image, last = light(frame.image, frame.media_time, rng), frame.media_time
        events += processor.process(Frame(image, START + last, last, frame.index))
    events += processor.close(START + last)
    crossings = [
        (event.time.timestamp() - START, "L2R" if event.data.direction == "in" else "R2L")
        for event in events
        if isinstance(event.data, Visit)
    ]
    covered = {event.data.minute: event.data.coverage for event in events if isinstance(event.data, FootfallMinute)}
    return Result(crossings, sum(covered.values()) / last)


def main() -> None:
    """Parse arguments, measure, print."""
    parser = argparse.ArgumentParser(description="Counting under other light.")
    parser.add_argument("--video", type=Path, help="another clip than the two")
    parser.add_argument("--truth", type=Path, help="its crossings, as in edge/demo/clip.truth.json")
    parser.add_argument("--every", type=int, default=1, help="look at every n-th picture")
    options = parser.parse_args()
    if (options.video is None) != (options.truth is None):
        parser.error("--video and --truth go together")
    pairs = [(CLIP, CLIP.with_name("clip.truth.json")), (SHARED / "vtest.avi", SHARED / "vtest.truth.json")]
    if options.video is not None:
        pairs = [(options.video, options.truth)]
    for video, described in pairs:
        if not video.exists():
            print(f"{video.name}: not here, left out")
            continue
        truth = json.loads(described.read_text())["lines"][0]
        frames, _, _ = decoded(video, options.every)
        print(f"{video.name}, every {options.every}: {len(truth['events'])} crossings\n{'':34}correct/false/missed")
        for name, light in lights().items():
            result = count(frames, truth, light)
            verdict = "/".join(map(str, compare(result.crossings, truth)))
            print(f"{name:34}{verdict:>12}{result.coverage:12.1%} covered", flush=True)


if __name__ == "__main__":
    main()
