"""Counting people who are small in the picture: the default input, larger ones, and tiles.

    python -m bench.small [--scale 0.3] [--every 1]

The street of ../shared is shrunk and set into the middle of a 1280×720 picture of its own empty background, so that
people are 25 to 40 pixels tall, and the seams of the tiles go through where they walk. Prints CPU milliseconds a
picture for detection, boxes with a score of at least 0.25 and the height of most of them, and correct/false/missed
crossings of line A within one second.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from bench.capacity import background
from bench.vision import SHARED, compare, decoded, ours
from models.config import DetectorConfig, GateConfig, ModelsConfig, TilesConfig
from models.gate import open_people
from models.lines import Line
from sensors.readings import Image

WIDE, HIGH = 1280, 720


def shrinker(
    scale: float, empty: Image
) -> tuple[Callable[[Image], Image], Callable[[float, float], tuple[float, float]]]:
    """What makes the small picture, and where a point of the clip (shares) is in it."""
    high, wide = round(empty.shape[0] * scale), round(empty.shape[1] * scale)
    top, left = (HIGH - high) // 2, (WIDE - wide) // 2
    ground = cv2.resize(empty, (WIDE, HIGH), interpolation=cv2.INTER_LINEAR).astype(np.uint8)

    def shrink(image: Image) -> Image:
        whole = ground.copy()
        whole[top : top + high, left : left + wide] = cv2.resize(image, (wide, high), interpolation=cv2.INTER_AREA)
        return whole

    return shrink, lambda x, y: ((left + x * wide) / WIDE, (top + y * high) / HIGH)


def main() -> None:
    """Parse arguments, measure, print."""
    parser = argparse.ArgumentParser(description="People who are small in the picture.")
    parser.add_argument("--scale", type=float, default=0.3)
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    truth = json.loads(Path(SHARED / "vtest.truth.json").read_text())["lines"][0]
    frames, _, _ = decoded(SHARED / "vtest.avi", options.every)
    shrink, place = shrinker(options.scale, background())
    line = Line("A", place(*truth["p1"]), place(*truth["p2"]))
    rows: dict[str, DetectorConfig] = {
        "416": DetectorConfig(),
        "640": DetectorConfig(size=640),
        "960": DetectorConfig(size=960),
        "1280": DetectorConfig(size=1280),
        "416 and 2×1 tiles": DetectorConfig(tiles=TilesConfig(columns=2, rows=1)),
        "416 and 3×2 tiles": DetectorConfig(tiles=TilesConfig(columns=3, rows=2)),
    }
    print(f"{'input':20}{'CPU ms':>9}{'boxes':>8}{'px tall':>12}  correct/false/missed")
    for label, settings in rows.items():
        detector = open_people(ModelsConfig(detector=settings, gate=GateConfig(enabled=False), runtime="onnxruntime"))
        spent, found = 0.0, []
        for frame in frames:
            image = shrink(frame.image)
            before = time.process_time()
            found.append((frame.media_time, detector.detect(image, frame.media_time)))
            spent += time.process_time() - before
        tall = np.concatenate([(d.boxes[:, 3] - d.boxes[:, 1])[d.scores >= 0.25] for _, d in found]) * HIGH
        range_ = "–".join(f"{value:.0f}" for value in np.percentile(tall, (10, 90))) if len(tall) else "none"
        verdict = "/".join(map(str, compare(ours(found, line), truth)))
        print(
            f"{label:20}{1000 * spent / len(frames):9.1f}{len(tall) / len(frames):8.1f}{range_:>12}  {verdict}",
            flush=True,
        )


if __name__ == "__main__":
    main()
