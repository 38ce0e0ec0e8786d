"""The clip of a singer and a pianist: how soon is the singer named, and is anybody named wrongly?

``python -m bench.faces clip``; needs ../shared/data/faces (named_samples, and lfw_subset for a gallery of 200). Each
member is enrolled from one portrait, which the product would refuse: there are no more. Truth: the shots, cut where the
picture changes at once. The singer from afar (47 px, a microphone before his mouth), the pianist in profile, the singer
close, and the audience, in which nobody is a member.
"""

from pathlib import Path

import cv2
import numpy as np

from models.alignment import Floats, Image
from models.encoders import DlibEncoder, FaceEncoder, RetailEncoder, decoys_for
from models.face_quality import face_quality, main_face
from models.faces import FaceDetector
from models.gallery import Gallery
from models.visit import VisitFace

FACES = Path(__file__).resolve().parents[2] / "shared" / "data" / "faces"
CUTS = (0.65, 2.72, 7.02)
"""Seconds, just before the first frames of the second, third and fourth shot (frames 20, 82 and 211)."""
SINGER, PIANIST = "lin-manuel-miranda", "alex-lacamoire"


def picture(path: Path) -> Image:
    """A picture file."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert image is not None, path
    return image.astype(np.uint8)


def one_vector(encoder: FaceEncoder, detector: FaceDetector, path: Path) -> Floats:
    """The main face of a picture."""
    image = picture(path)
    faces = detector.detect(image)
    chosen = main_face(faces, *image.shape[:2])
    assert chosen is not None, path
    vector: Floats = encoder.encode(image, faces.landmarks[chosen : chosen + 1])[0]
    return vector


def members(encoder: FaceEncoder, detector: FaceDetector, size: int) -> dict[str, Floats]:
    """The two of the clip, and people of LFW up to ``size``."""
    examples = FACES / "named_samples" / "examples"
    enrolled = {name: one_vector(encoder, detector, examples / f"{name}.png") for name in (SINGER, PIANIST)}
    for folder in sorted((FACES / "lfw_subset" / "enrolled").iterdir())[: size - 2]:
        enrolled[folder.name] = one_vector(encoder, detector, min(folder.iterdir()))
    return enrolled


def expected(second: float) -> set[str]:
    """Who may be named at that time."""
    if second > CUTS[2]:
        return set()
    return {PIANIST if CUTS[0] < second < CUTS[1] else SINGER}


class Tracks:
    """Faces followed from frame to frame by their overlap; one ``VisitFace`` each."""

    def __init__(self, jump: float) -> None:
        self._jump = jump
        self._known: list[tuple[Floats, VisitFace]] = []

    def follow(self, boxes: Floats) -> list[VisitFace]:
        """The visit of each box; tracks without a box end."""
        now: list[tuple[Floats, VisitFace]] = []
        for box in boxes:
            old = max(self._known, key=lambda known: _overlap(known[0], box), default=None)
            same = old is not None and _overlap(old[0], box) > 0.3
            now.append((box, old[1] if old is not None and same else VisitFace(self._jump)))
        self._known = now
        return [visit for _, visit in now]


def _overlap(a: Floats, b: Floats) -> float:
    width, height = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    common = max(0.0, float(width)) * max(0.0, float(height))
    return common / (float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - common)


def play(encoder: FaceEncoder, gallery: Gallery) -> tuple[list[float], float | None, int, int]:
    """Times of the singer's usable faces, his first match (s), frames with a name, frames with a wrong one."""
    detector, tracks = FaceDetector(), Tracks(encoder.rule.jump)
    video = cv2.VideoCapture(str(FACES / "named_samples" / "examples" / "short_hamilton_clip.mp4"))
    usable: list[float] = []
    first: float | None = None
    matched, false = 0, 0
    while True:
        ok, image = video.read()
        if not ok:
            break
        second = (video.get(cv2.CAP_PROP_POS_FRAMES) - 1) / video.get(cv2.CAP_PROP_FPS)
        frame = image.astype(np.uint8)
        faces = detector.detect(frame)
        named: set[str] = set()
        for landmarks, visit in zip(faces.landmarks, tracks.follow(faces.boxes), strict=True):
            if not face_quality(frame, landmarks).good:
                continue
            if expected(second) == {SINGER}:
                usable.append(second)
            visit.add(encoder.encode(frame, landmarks[None])[0])
            decision = gallery.decide(visit.probe)
            if decision.outcome != "nothing":
                named |= {name for name in (decision.member,) if name}
                if decision.outcome == "ambiguous" and decision.runner_up:
                    named.add(decision.runner_up)
        matched += bool(named)
        false += bool(named - expected(second))
        if SINGER in named and first is None:
            first = second
    return usable, first, matched, false


def clip() -> None:
    """Print it for both encoders and galleries of 2 and 200."""
    detector = FaceDetector()
    encoders: tuple[FaceEncoder, ...] = (RetailEncoder(), DlibEncoder())
    for encoder in encoders:
        everybody = members(encoder, detector, 200)
        for size in (2, 200):
            chosen = dict(list(everybody.items())[:size])
            gallery = Gallery(chosen, encoder.rule, decoys_for(encoder))
            usable, first, matched, false = play(encoder, gallery)
            print(f"{encoder.name}, {size} members: usable faces from {usable[0]:.2f} s, close from ", end="")
            close = min(second for second in usable if second > 2)
            print(f"{close:.2f} s; " + (f"named at {first:.2f} s; " if first is not None else "never named; "), end="")
            print(f"{matched} frames with a name, {false} with a wrong one", flush=True)
