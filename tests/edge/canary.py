"""A child process: the real recogniser over pictures of somebody who is no member, then it waits to be searched.

Arguments: the box's folder, a picture, ``forget`` or ``keep``, the broker, the encoder, the models' folder. With
``keep`` it holds on to what it saw of the face on purpose: the search that finds nothing otherwise must find that.
"""

import gc
import logging
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np

from edge.processors import recognition
from edge.processors.gallery import OpenGallery
from edge.processors.recognition import Recogniser
from edge.processors.recognition_config import RecognitionConfig
from models.config import ModelsConfig
from models.decoys import Population
from models.encoders import FaceEncoder, model_of, open_encoder
from models.faces import FaceDetector
from models.tracker import Person, Update
from sensors.readings import Frame, Image
from sync.config import MqttConfig, SyncConfig
from sync.members.register import Register
from sync.outbox import Outbox
from sync.relay import Relay
from tests.edge.test_recognition import ENTRANCE
from tests.sync.members.test_register import agreed

BOX = (0.2, 0.05, 0.8, 0.98)
SIZE = (720, 960)
FRAMES = 40


def scene(picture: Path) -> Image:
    """Somebody whose face is where the upper part of a person is, ``(720, 960, 3)``."""
    face = cv2.resize(np.asarray(cv2.imread(str(picture)), np.uint8), (420, 420), interpolation=cv2.INTER_CUBIC)
    height, width = SIZE
    image = np.full((height, width, 3), 90, np.uint8)
    image[30 : 30 + 420, (width - 420) // 2 : (width + 420) // 2] = face
    return image


def person(number: int, detections: int) -> Person:
    return Person(number, BOX, 0.9, 0.0, detections)


def main(folder: Path, picture: Path, keeping: bool) -> None:
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    now = time.time()
    kept: list[object] = []
    stop = threading.Event()
    mqtt = MqttConfig.model_validate_json(sys.argv[4])
    with Register(folder, "s1") as register, Outbox(folder / "outbox.db", "s1") as outbox:
        encoder = open_encoder(ModelsConfig(directory=Path(sys.argv[6])), only=sys.argv[5])
        members = Population.shipped(encoder.name).draw(20, 4711)
        for number, row in enumerate(members):
            register.record([agreed(f"M-{number:04d}", time=now - 60)])
            register.enrol(f"M-{number:04d}", model_of(encoder), row[None], now - 50, "guide-7")
        gallery = OpenGallery(register, encoder, time.monotonic)
        used: FaceEncoder = Keeping(encoder, kept) if keeping else encoder
        config = RecognitionConfig.model_validate(ENTRANCE)
        recogniser = Recogniser("door", config, FaceDetector(), used, gallery, register)
        relay = threading.Thread(target=Relay(outbox, SyncConfig(mqtt=mqtt)).run, args=(stop,))
        relay.start()
        looked = watch(recogniser, picture)
        # The half second that the rule allows, and no picture in it.
        time.sleep(recognition.FORGET_S)
        gc.collect()
        print(f"done {looked} {len(kept)}", flush=True)
        sys.stdin.readline()
        stop.set()
        relay.join()


def watch(recogniser: Recogniser, picture: Path) -> int:
    image = scene(picture)
    events = 0
    began = time.time()
    for index in range(FRAMES):
        shown = image.copy()
        media = index / 10
        frame = Frame(shown, began + media, media, index)
        events += len(recogniser.picture(frame, Update([person(1, index + 3)], [])))
        # A camera's pictures lie in its own buffers, which the next picture overwrites.
        shown[:] = 0
    image[:] = 0
    assert events == 0, "a stranger was taken for a member"
    # Whoever was looked at in the last moment is in a burst now, which nobody ends but its own clock.
    return recogniser.outcomes["nothing"]


class Keeping:
    """An encoder that breaks the rule: it keeps a copy of every face and vector."""

    def __init__(self, real: FaceEncoder, kept: list[object]) -> None:
        self._real = real
        self._kept = kept
        self.name, self.version, self.licence = real.name, real.version, real.licence
        self.size, self.rule, self.landmarks_px = real.size, real.rule, real.landmarks_px

    def encode(self, image: Image, landmarks: np.ndarray) -> np.ndarray:
        rows = self._real.encode(image, landmarks)
        self._kept += [image.copy(), rows.copy(), rows.astype(np.float64)]
        return rows


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "keep")
