"""Half a second of one face: the best crops are kept, encoded and compared when it ends, and overwritten."""

import threading

import numpy as np

from models.encoders import FaceEncoder
from models.face_quality import FaceQuality
from models.face_search import NEAR_PX, FaceFinder, SeenFace, finer
from models.gallery import Gallery
from models.rule import Decision
from models.visit import VisitFace

BEST = 2
"""Crops that are encoded, and good ones needed before anybody is named: with one, 3 to 13 points of TPIR are lost
(docs/figures.md); a third costs as much as it brings."""
LOOKS = 3
"""Good crops among which the best are chosen; with so many the burst ends."""


def worth(quality: FaceQuality) -> float:
    """For ordering good crops of one face, 0–1: large, straight ahead, sharp. Full at the medians of LFW."""
    sharp = float(min(1.0, quality.sharpness / 545) ** 0.25)
    return min(1.0, quality.side / 100) * (1 - min(1.0, quality.turn)) * sharp


class Burst:
    """Used by the camera's thread, and by a timer of its own, which only ends it (PRIVACY rule 4)."""

    def __init__(self, began: float, forget_after: float) -> None:
        """``began``: media time, seconds; ``forget_after``: seconds of real time until everything is overwritten."""
        self.began = began
        self.seen = 0
        """Good crops so far, those that were not kept included."""
        self._kept: list[SeenFace] = []
        self._lock = threading.Lock()
        self._over = False
        self._timer = threading.Timer(forget_after, self.forget)
        self._timer.daemon = True
        self._timer.start()

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, face: SeenFace) -> None:
        """Take a good crop; the worst is overwritten when there are more than ``BEST``."""
        with self._lock:
            self._kept.append(face)
            self.seen += 1
            self._kept.sort(key=lambda each: -worth(each.quality))
            for worse in self._kept[0 if self._over else BEST :]:
                worse.crop[:] = 0
            del self._kept[0 if self._over else BEST :]

    def decide(
        self, finder: FaceFinder, encoder: FaceEncoder, gallery: Gallery, *, again: bool = False
    ) -> Decision | None:
        """What the gallery says of the best crops; None with too few, or when the time was up meanwhile.

        The best is encoded first: when no member is anywhere near, the second is not. ``again``: an earlier burst of
        this person named nobody, so that the first crop already has to be within the rule's cap.
        """
        with self._lock:
            kept = [(face, face.landmarks.copy()) for face in self._kept]
        if len(kept) < BEST:
            return None
        visit = VisitFace(encoder.rule.jump)
        try:
            for face, found in kept:
                # Without the lock, so that the timer is not held up: what it overwrote meanwhile counts for nothing.
                finest = finer(finder, face.crop, encoder.landmarks_px) if encoder.landmarks_px > NEAR_PX else None
                vectors = encoder.encode(face.crop, (found if finest is None else finest)[None])
                visit.add(vectors[0])
                far = gallery.far(vectors[0], 1.0 if again else encoder.rule.far)
                vectors[:] = 0
                if self._over:
                    return None
                if far:
                    return Decision("nothing", None, None, 2.0, 2.0)
            return _decision(visit, gallery)
        finally:
            visit.forget()

    def forget(self) -> None:
        """Overwrite everything."""
        with self._lock:
            self._over = True
            for face in self._kept:
                face.crop[:] = 0
                face.landmarks[:] = np.float32(0)
            self._kept.clear()
        self._timer.cancel()


def _decision(visit: VisitFace, gallery: Gallery) -> Decision | None:
    if len(visit) < BEST:
        return None
    probe = visit.probe
    try:
        return gallery.decide(probe)
    finally:
        probe[:] = 0
