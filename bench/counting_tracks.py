"""MOTA and IDF1 of trackers from given boxes, by py-motmetrics (pip install motmetrics)."""

import importlib.util
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.counting_peers import FOLLOWERS, Followed
from models.detector import Detections
from models.tracker import Tracker

SIZE = (640, 480)
FPS = 25.0
Rows = npt.NDArray[np.float64]


def given(path: Path) -> list[Detections]:
    """Boxes of a MOT text file without their numbers; those without a score count as sure."""
    rows = np.loadtxt(path, delimiter=",", usecols=range(7))
    pictures = []
    for number in range(1, int(rows[:, 0].max()) + 1):
        x, y, wide, high, score = rows[rows[:, 0] == number][:, 2:7].T
        boxes = np.stack([x, y, x + wide, y + high], axis=1) / np.array([*SIZE, *SIZE])
        sure = np.where(score < 0, 0.9, np.clip(score, 0, 1))
        order = np.argsort(-sure, kind="stable")
        pictures.append(Detections(boxes[order].astype(np.float32), sure[order].astype(np.float32)))
    return pictures


def ours(fps: float) -> Callable[[Detections, float], Followed]:
    """This project's tracker."""
    tracker, scale = Tracker(), np.array([*SIZE, *SIZE])

    def follow(found: Detections, moment: float) -> Followed:
        return [(person.track, np.array(person.box) * scale) for person in tracker.update(found, moment).people]

    return follow


def measured(truth: Rows, followed: Sequence[Followed]) -> tuple[float, float, int]:
    """MOTA, IDF1 and switches at an overlap of one half."""
    import motmetrics  # type: ignore[import-not-found,unused-ignore]

    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    for number, people in enumerate(followed, 1):
        true = truth[truth[:, 0] == number]
        corners = np.array([box for _, box in people]).reshape(-1, 4)
        # Its own iou_matrix needs a function that numpy 2 has not.
        distance = 1 - _overlap(np.hstack([true[:, 2:4], true[:, 2:4] + true[:, 4:6]]), corners)
        distance[distance > 0.5] = np.nan
        accumulator.update(true[:, 1].astype(int).tolist(), [track for track, _ in people], distance)
    summary = motmetrics.metrics.create().compute(accumulator, metrics=["mota", "idf1", "num_switches"])
    return float(summary["mota"].iloc[0]), float(summary["idf1"].iloc[0]), int(summary["num_switches"].iloc[0])


def _overlap(first: Rows, second: Rows) -> Rows:
    """Intersection over union of boxes x1 y1 x2 y2."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(axis=2)
    sizes = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second)]
    overlap: Rows = common / np.maximum(sizes[0][:, None] + sizes[1][None, :] - common, 1e-9)
    return overlap


def tracks(folder: Path, boxes: Path | None = None) -> None:
    """Print a row for each tracker and recording.

    ``folder`` holds NAME/gt.txt and NAME/test.txt (boxes of a detector and tracker, whose numbers are thrown away);
    ``boxes``, where given, NAME/det/det.txt with scores instead.
    """
    if importlib.util.find_spec("motmetrics") is None:
        print("tracks: needs py-motmetrics (pip install motmetrics), in an environment of its own")
        return
    installed = [row for row in FOLLOWERS if importlib.util.find_spec(row[0]) is not None]
    print(f"{'tracks':18}{'tracker':14}{'MOTA':>8}{'IDF1':>8}{'switches':>10}{'CPU ms':>9}")
    for name in ("TUD-Campus", "TUD-Stadtmitte"):
        truth = np.loadtxt(folder / name / "gt.txt", delimiter=",", usecols=range(6))
        pictures = given((boxes or folder) / name / ("det/det.txt" if boxes else "test.txt"))
        for rig, make in (("ours", ours), *installed):
            before = time.process_time()
            follow = make(FPS)
            followed = [follow(found, index / FPS) for index, found in enumerate(pictures)]
            spent = (time.process_time() - before) / len(pictures) * 1000
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                mota, idf1, switches = measured(truth, followed)
            print(f"{name:18}{rig:14}{mota:8.3f}{idf1:8.3f}{switches:10}{spent:9.3f}")
