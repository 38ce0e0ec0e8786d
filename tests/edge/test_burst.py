"""Half a second of one face: which crops are kept, and what is left of them."""

import threading
from dataclasses import replace

import numpy as np

from edge.processors.burst import BEST, Burst, worth
from models.face_quality import FaceQuality
from models.face_search import SeenFace

GOOD = FaceQuality(100, 545, 0.0, 0.55, 1.2, 2, 120, 120, ())


def seen(quality: FaceQuality) -> SeenFace:
    return SeenFace(np.full((60, 60, 3), 200, np.uint8), np.ones((5, 2), np.float32), quality)


def test_a_large_face_seen_from_the_front_and_sharp_is_worth_more() -> None:
    assert worth(GOOD) == 1
    for worse in (replace(GOOD, side=50), replace(GOOD, turn=0.3), replace(GOOD, sharpness=60)):
        assert 0 < worth(worse) < 1


def test_the_best_crops_are_kept_and_the_others_are_overwritten_at_once() -> None:
    burst = Burst(0.0, 60)
    faces = [seen(replace(GOOD, side=side)) for side in (60, 90, 45, 80, 70)]
    for face in faces:
        burst.add(face)
    assert [face.quality.side for face in faces if face.crop.any()] == [90, 80]
    assert (len(burst), burst.seen) == (BEST, 5)
    burst.forget()
    assert not any(face.crop.any() or face.landmarks.any() for face in faces if face.quality.side >= 80)


def test_rule_4_a_face_that_comes_after_the_time_was_up_is_overwritten_at_once() -> None:
    burst = Burst(0.0, 0.01)
    for timer in [each for each in threading.enumerate() if isinstance(each, threading.Timer)]:
        timer.join(10)
    late = seen(GOOD)
    burst.add(late)
    assert not late.crop.any()
    assert len(burst) == 0
