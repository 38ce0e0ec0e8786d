"""How well clothes tell people apart: the same person in two parts of a track against people seen at the same time.

    python -m bench.appearance [--video FILE] [--uniform TRACK]

Thresholds are those below which 2 and 5 % of the pairs of different people of the first half lie; the second half
judges them. ``--uniform`` learns a uniform from one track, without and with pictures of the others of the first half as
negatives, and prints how far everybody is from it. Prints CPU microseconds for a look.
"""

import argparse
import time
from collections import defaultdict
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge.processors.following import Following
from models.appearance import Look, look_at
from models.config import TrackerConfig
from models.detector import Detector
from models.uniform import learn
from sensors.camera import CameraSource
from sensors.camera_config import CameraConfig
from sensors.readings import Frame, Image

VIDEO = Path(__file__).resolve().parents[2] / "shared/data/video/vtest.avi"
LEAST_LOOKS = 8
FALSE_SHARES = (0.02, 0.05)
PART = 0.4
"""Of a track's looks, from each end: what lies between keeps the two parts from being the same moment."""

Seen = list[tuple[float, Image, Look]]


def tracks_of(video: Path) -> tuple[dict[int, Seen], float]:
    """When each track was looked at, its crop and look; and the length of the video in seconds."""
    found: dict[int, Seen] = defaultdict(list)
    following, media = Following(Detector(), TrackerConfig(), clothes=True), 0.0
    with CameraSource(CameraConfig(url=f"file:{video}", start=0.0)) as source:
        for frame in source:
            if not isinstance(frame, Frame):
                continue
            media = frame.media_time
            seen = following.picture(frame)
            height, width = frame.image.shape[:2]
            for person in seen.update.people:
                if person.track in seen.looks:
                    x1, y1, x2, y2 = person.box
                    rows = slice(int(y1 * height), int(np.ceil(y2 * height)))
                    crop = frame.image[rows, int(x1 * width) : int(np.ceil(x2 * width))].copy()
                    found[person.track].append((media, crop, seen.looks[person.track]))
    return {track: looks for track, looks in found.items() if len(looks) >= LEAST_LOOKS}, media


def mean(seen: Seen) -> Look:
    """The mean look."""
    look = seen[0][2]
    for _, _, other in seen[1:]:
        look = look + other
    return look


def distances(tracks: dict[int, Seen], first: float, last: float) -> tuple[npt.NDArray[np.float64], ...]:
    """Of the same person in two parts, and of different people, for tracks that begin in [first, last)."""
    parts = {}
    for track, seen in tracks.items():
        count = max(1, int(len(seen) * PART))
        parts[track] = mean(seen[:count]), mean(seen[-count:])
    same, different = [], []
    for one, seen in tracks.items():
        if not first <= seen[0][0] < last:
            continue
        same.append(parts[one][0].distance(parts[one][1]))
        for other, there in tracks.items():
            # Who is seen at the same time is somebody else; two tracks one after the other may be one person.
            if other != one and there[0][0] <= seen[-1][0] and seen[0][0] <= there[-1][0]:
                different.append(parts[one][0].distance(parts[other][1]))
    return np.array(same), np.array(different)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, default=VIDEO)
    parser.add_argument("--uniform", type=int, default=None, metavar="TRACK")
    arguments = parser.parse_args()
    tracks, length = tracks_of(arguments.video)
    _, apart = distances(tracks, 0, length / 2)
    for share in FALSE_SHARES:
        threshold = float(np.quantile(apart, share))
        print(f"threshold {threshold:.3f}: {share:.0%} of the different pairs of the first half lie below")
        for name, first, last in (("first", 0.0, length / 2), ("second", length / 2, length + 1)):
            same, different = distances(tracks, first, last)
            print(
                f"  {name} half: {np.count_nonzero(same <= threshold)} of {len(same)} known again, "
                f"{np.count_nonzero(different <= threshold)} of {len(different)} others taken for them "
                f"(medians {np.median(same):.2f} and {np.median(different):.2f})"
            )
    crops = [crop for seen in tracks.values() for _, crop, _ in seen[:8]]
    before = time.process_time()
    for crop in crops:
        look_at(crop)
    print(f"a look: {(time.process_time() - before) / len(crops) * 1e6:.0f} CPU µs")
    if arguments.uniform is not None:
        worn = [crop for _, crop, _ in tracks[arguments.uniform]]
        others = [
            seen[len(seen) * part // 4][1]
            for track, seen in tracks.items()
            if track != arguments.uniform and seen[-1][0] < length / 2
            for part in (1, 3)
        ]
        for negatives in ([], others):
            uniform = learn(worn, negatives, date.today())
            away = {track: round(uniform.distance(mean(seen)), 2) for track, seen in tracks.items()}
            print(f"uniform of track {arguments.uniform}, {len(negatives)} negatives: threshold {uniform.threshold}")
            print("  " + "  ".join(f"{track}: {distance}" for track, distance in away.items()))


if __name__ == "__main__":
    main()
