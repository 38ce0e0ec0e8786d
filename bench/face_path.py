"""What recognition adds to a camera's cost: faces looked for, judged, encoded and compared, against detection.

    YINGKE_MODELS_DIR=... python -m bench.face_path

In mode entrance, so that everybody is looked at; the gallery holds people who are not on the clips, so that nobody is
ever done with early: the worst case. Clips: the one that ships, enlarged to 1280×720; the recorded singer; the street,
whose people are too small for a face. Ten pictures a second; CPU milliseconds per picture of this process.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from edge.processors.gallery import OpenGallery, model_of
from edge.processors.recognition import Recogniser
from edge.processors.recognition_config import RecognitionConfig
from models.alignment import unit
from models.detector import Detector
from models.encoders import BUILT_IN, RECOMMENDED, FaceEncoder, decoys_for, open_encoder
from models.faces import FaceDetector
from models.registry import available
from models.tracker import Tracker
from sensors.readings import Frame, Image
from sync.members.register import Register
from tests.dashboard.tablet_serving import agreed

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared/data"
CLIPS = {
    "the shipped clip, 1280×720": (ROOT / "edge/demo/clip.mp4", (1280, 720)),
    "a singer, close": (SHARED / "faces/named_samples/examples/short_hamilton_clip.mp4", None),
    "a street, people far away": (SHARED / "video/vtest.avi", None),
}
MEMBERS = 40


def pictures(path: Path, size: tuple[int, int] | None) -> Iterator[tuple[float, Image]]:
    """About ten pictures a second, with their times."""
    capture = cv2.VideoCapture(str(path))
    fps, index = capture.get(cv2.CAP_PROP_FPS), 0
    step = max(1, round(fps / 10))
    while (read := capture.read())[0]:
        if index % step == 0:
            image = read[1] if size is None else cv2.resize(read[1], size, interpolation=cv2.INTER_CUBIC)
            yield index / fps, np.asarray(image, np.uint8)
        index += 1


def measure(encoder: FaceEncoder, path: Path, size: tuple[int, int] | None) -> tuple[float, float, int]:
    """CPU milliseconds per picture for detection and tracking, and for faces; and how many pictures."""
    strangers = decoys_for(encoder, MEMBERS * 3, seed=7)
    with TemporaryDirectory() as folder, Register(Path(folder), "bench") as register:
        now = time.time()
        for number in range(MEMBERS):
            rows = unit(strangers[[number]] + 0.02 * strangers[MEMBERS + number : MEMBERS + number + 3])
            register.record([agreed(f"M-{1000 + number}", "recognition", now - 60)])
            register.enrol(f"M-{1000 + number}", model_of(encoder), rows.astype(np.float32), now, "bench")
        config = RecognitionConfig.model_construct(mode="entrance", cameras=("door",), spots=(), card_seconds=900.0)
        gallery = OpenGallery(register, encoder, time.monotonic)
        recogniser = Recogniser("door", config, FaceDetector(), encoder, gallery, register, forget_after=60)
        detector, tracker = Detector(), Tracker()
        # Reading the gallery and the first run of each network are no part of a picture.
        gallery.now(now)
        encoder.encode(
            np.zeros((200, 200, 3), np.uint8),
            np.array([[(80, 80), (120, 80), (100, 100), (85, 120), (115, 120)]], np.float32),
        )
        people = faces = 0.0
        count = 0
        for media, image in pictures(path, size):
            start = time.process_time()
            update = tracker.update(detector.detect(image), media)
            middle = time.process_time()
            recogniser.picture(Frame(image, now + media, media, count), update)
            end = time.process_time()
            people, faces, count = people + middle - start, faces + end - middle, count + 1
        recogniser.close()
    return 1000 * people / count, 1000 * faces / count, count


def main() -> None:
    """Measure and print."""
    names = [BUILT_IN, *([RECOMMENDED] if available(RECOMMENDED) else [])]
    print(f"{'CPU ms a picture':32}{'encoder':36}{'people':>8}{'faces':>8}{'share':>8}")
    for title, (path, size) in CLIPS.items():
        if not path.exists():
            print(f"{title}: needs {path}")
            continue
        for name in names:
            people, faces, _ = measure(open_encoder(only=name), path, size)
            print(f"{title:32}{name:36}{people:8.2f}{faces:8.2f}{faces / people:8.0%}", flush=True)


if __name__ == "__main__":
    main()
