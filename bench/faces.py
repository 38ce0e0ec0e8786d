"""CPU cost of finding and encoding a face beside the ``face_recognition`` package; how well people are told apart.

    python -m bench.faces [cost|people]

``cost`` needs nothing but the demo clip. ``people`` needs ../shared/data/faces/lfw_subset: the square that dlib's
predictor starts from is fitted on every second person and judged on the others. Times are CPU milliseconds.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import dlib
import face_recognition  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt

from models.faces import FaceDetector, FaceEncoder, Image, face_squares
from models.onnx_file import redeclared
from models.registry import find
from models.runtime import Session

ROOT = Path(__file__).resolve().parents[1]
PEOPLE = ROOT.parent / "shared" / "data" / "faces" / "lfw_subset" / "enrolled"
ROUNDS = 12


def frame(second: float, width: int, height: int) -> Image:
    """A picture of the demo clip, enlarged."""
    video = cv2.VideoCapture(str(ROOT / "edge" / "demo" / "clip.mp4"))
    video.set(cv2.CAP_PROP_POS_FRAMES, second * 10)
    _, image = video.read()
    video.release()
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def interleaved(jobs: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median CPU milliseconds of each, taken in turns so that a busy machine is busy for all."""
    spent: dict[str, list[float]] = {name: [] for name in jobs}
    for job in jobs.values():
        job()
    for _ in range(ROUNDS):
        for name, job in jobs.items():
            start = time.process_time()
            job()
            spent[name].append((time.process_time() - start) * 1000)
    return {name: float(np.median(times)) for name, times in spent.items()}


def cost() -> None:
    """Print what detection and encoding cost, and the ratio to the peer in the same run."""
    detector, encoder = FaceDetector(), FaceEncoder()
    image = frame(4.0, 640, 480)
    rgb = np.ascontiguousarray(image[..., ::-1])
    faces = detector.detect(image)
    crop = np.ascontiguousarray(image[90:390, 150:370])
    (left, top, right, bottom) = face_squares(faces.landmarks[:1])[0]
    location = [(top, right, bottom, left)]
    weights = find("centerface")[0].read_bytes()
    exported = Session(weights, "as exported")
    outputs = {"537": (10, 1, 8, 8), "538": (10, 2, 8, 8), "539": (10, 2, 8, 8), "540": (10, 10, 8, 8)}
    constant = Session(redeclared(weights, {"input.1": (10, 3, 32, 32)}, outputs, "weights constant"), "constant")
    toy = {"input.1": np.zeros((10, 3, 32, 32), np.float32)}
    jobs: dict[str, Callable[[], object]] = {
        "detect 640x480: CenterFace": lambda: detector.detect(image),
        "detect 640x480: face_recognition (dlib HOG, once enlarged: its default)": lambda: (
            face_recognition.face_locations(rgb)
        ),
        "detect 640x480: face_recognition (dlib HOG, not enlarged)": lambda: face_recognition.face_locations(rgb, 0),
        "detect a person's crop 220x300: CenterFace": lambda: detector.detect(crop),
        "encode a face: FaceEncoder": lambda: encoder.encode(image, faces.landmarks[:1]),
        "encode a face: face_recognition (68 points, its default)": lambda: face_recognition.face_encodings(
            rgb, location, model="large"
        ),
        "CenterFace as exported, 10 x 32x32": lambda: exported.run(toy),
        "CenterFace with its weights as constants, 10 x 32x32": lambda: constant.run(toy),
    }
    result = interleaved(jobs)
    for name, milliseconds in result.items():
        print(f"{milliseconds:8.1f} ms  {name}")
    values = list(result.values())
    print(
        f"detection costs {values[0] / values[1]:.2f} of the peer's default, {values[0] / values[2]:.2f} of its fastest"
    )
    print(f"encoding costs {values[4] / values[5]:.2f} of the peer's")
    print(f"constant weights cost {values[7] / values[6]:.2f} of the exported file")


Row = tuple[int, Image, npt.NDArray[np.float32], tuple[int, int, int, int]]
"""Number of the person, picture, landmarks, the square of dlib's own detector."""


def _rows() -> list[Row]:
    detector, hog = FaceDetector(), dlib.get_frontal_face_detector()
    rows: list[Row] = []
    for number, folder in enumerate(sorted(PEOPLE.iterdir())):
        for path in sorted(folder.iterdir())[:2]:
            image = cv2.imread(str(path))
            assert image is not None
            picture = image.astype(np.uint8)
            faces = detector.detect(picture)
            found = hog(np.ascontiguousarray(picture[..., ::-1]), 1)
            if len(faces) and len(found):
                middle = np.abs((faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2 - 125).sum(axis=1)
                landmarks = faces.landmarks[int(middle.argmin())]
                for square in found:
                    if square.contains(*(int(value) for value in landmarks[2])):
                        place = (square.left(), square.top(), square.right(), square.bottom())
                        rows.append((number, picture, landmarks, place))
                        break
    return rows


def _fit(rows: list[Row]) -> tuple[float, float]:
    """Centre and side of dlib's square in units of the distance from the eyes to the mouth: medians."""
    down, side = [], []
    for _, _, landmarks, (left, top, right, bottom) in rows:
        eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
        distance = float(np.linalg.norm(mouth - eyes))
        centre = np.array(((left + right + 1) / 2, (top + bottom + 1) / 2))
        down.append(float((centre - eyes) @ (mouth - eyes)) / distance**2)
        side.append((right - left + 1) / distance)
    return float(np.median(down)), float(np.median(side))


def _report(name: str, pairs: dict[int, list[npt.NDArray[Any]]]) -> None:
    both = [rows for rows in pairs.values() if len(rows) == 2]
    first, second = (np.array([rows[k] for rows in both]) for k in (0, 1))
    distance = np.linalg.norm(first[:, None] - second[None], axis=2)
    same, different = np.diag(distance), distance[~np.eye(len(both), dtype=bool)]
    steps = np.sort(np.concatenate([same, different]))
    equal = min(max((same > step).mean(), (different <= step).mean()) for step in steps)
    accepted = (same < np.quantile(different, 0.001)).mean()
    print(
        f"{name}: {len(both)} people, equal error {equal:.2%}, accepted at 0.1 % false {accepted:.1%}, "
        f"median distance {np.median(same):.2f} same, {np.median(different):.2f} different"
    )


def people() -> None:
    """Print the fitted square, and how well the other half of the people is told apart, beside dlib's own detector."""
    rows = _rows()
    down, side = _fit([row for row in rows if row[0] % 2 == 0])
    print(f"fitted on {sum(row[0] % 2 == 0 for row in rows)} pictures: centre {down:.2f}, side {side:.2f}")
    encoder = FaceEncoder()
    ours: dict[int, list[npt.NDArray[Any]]] = {}
    theirs: dict[int, list[npt.NDArray[Any]]] = {}
    apart = []
    for number, image, landmarks, (left, top, right, bottom) in rows:
        if number % 2 == 0:
            continue
        ours.setdefault(number, []).append(encoder.encode(image, landmarks[None])[0])
        rgb = np.ascontiguousarray(image[..., ::-1])
        square = [(top, right, bottom, left)]
        theirs.setdefault(number, []).append(face_recognition.face_encodings(rgb, square, model="small")[0])
        apart.append(float(np.linalg.norm(ours[number][-1] - theirs[number][-1])))
    _report("CenterFace and FaceEncoder", ours)
    _report("dlib HOG and face_recognition", theirs)
    print(f"distance between the two for one picture: median {np.median(apart):.3f}, largest {max(apart):.3f}")


if __name__ == "__main__":
    {"cost": cost, "people": people}[sys.argv[1] if len(sys.argv) > 1 else "cost"]()
