"""From the first usable face to the card on the tablet, in a real browser.

    python -m bench.arrivals [--count 100] [--encoder NAME]

People of ../shared/data/faces/lfw_subset are enrolled with three pictures each. For each arrival a further picture of
one of them stands where a followed person's head would be, ten times a second, and goes the whole way: face detector,
encoder, gallery, rule, outbox, desk, server-sent events, Chromium. The page notes when a card appears; both clocks are
this machine's. Prints the median, the 95th percentile and the longest, and how many were not found.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from edge.processors.gallery import OpenGallery, model_of
from edge.processors.recognition import Recogniser
from edge.processors.recognition_config import RecognitionConfig
from models.config import ModelsConfig
from models.encoders import FaceEncoder, open_encoder
from models.faces import FaceDetector
from models.tracker import Person, Update
from sensors.readings import Frame, Image
from tests.dashboard.chromium import FLAGS
from tests.dashboard.tablet_serving import Box, a_box, agreed, sample_card, served
from tests.dashboard.test_tablet_page import log_in

PEOPLE = Path(__file__).resolve().parents[2] / "shared/data/faces/lfw_subset/enrolled"
MODELS = Path(__file__).resolve().parents[2] / "shared/models/recommended"
RATE = 10.0
PATIENCE = 3.0
"""Seconds for which a visitor stands there."""
NOTES = """
window.seen = {};
new MutationObserver(() => document.querySelectorAll('article .person small').forEach((node) => {
  window.seen[node.textContent] ??= Date.now() / 1000;
})).observe(document.getElementById('main'), {childList: true, subtree: true});
"""


def picture(path: Path) -> Image:
    """A picture of 720×1280 in which the face stands at the head of a person, and that person's box."""
    face = cv2.imread(str(path))
    assert face is not None, path
    scene = np.full((720, 1280, 3), 96, np.uint8)
    scene[40:290, 515:765] = face
    return scene


def person(track: int, since: float) -> Person:
    """The followed person in such a picture."""
    return Person(track, (500 / 1280, 30 / 720, 780 / 1280, 1.0), 0.9, since, 9)


@contextmanager
def browser(folder: str) -> Iterator[webdriver.Chrome]:
    """Headless Chromium of the size of a tablet."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        sys.exit("needs Chromium and its driver (apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={folder}/profile"):
        options.add_argument(flag)
    opened = webdriver.Chrome(options=options, service=Service(driver))
    opened.set_window_size(800, 1280)
    try:
        yield opened
    finally:
        opened.quit()


def enrol(box: Box, encoder: FaceEncoder, count: int) -> list[tuple[str, list[Path]]]:
    """Members with three pictures each; their other pictures, for the visit."""
    finder = FaceDetector()
    members: list[tuple[str, list[Path]]] = []
    for folder in sorted(PEOPLE.iterdir()):
        paths = sorted(folder.iterdir())
        rows = []
        for path in paths[:3]:
            image = np.asarray(cv2.imread(str(path)), np.uint8)
            faces = finder.detect(image)
            if len(faces):
                middle = np.abs((faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2 - 125).sum(axis=1).argmin()
                rows.append(encoder.encode(image, faces.landmarks[middle : middle + 1])[0])
        if len(rows) < 3 or len(paths) < 4:
            continue
        member = f"M-{1000 + len(members)}"
        now = box.now()
        box.register.record([agreed(member, "recognition", now - 60), agreed(member, "profile", now - 60)])
        box.register.enrol(member, model_of(encoder), np.stack(rows), now, "bench")
        box.register.keep_card(sample_card(member, box.today, guide=None), now)
        members.append((member, paths[3:]))
        if len(members) == count:
            break
    return members


def arrive(box: Box, recogniser: Recogniser, number: int, paths: list[Path]) -> tuple[float, bool]:
    """One visit in real time: when it began, and whether somebody was told."""
    scenes, began, told = [picture(path) for path in paths], time.time(), False
    for index in range(round(PATIENCE * RATE)):
        wait = began + index / RATE - time.time()
        time.sleep(max(0.0, wait))
        media = number * 60 + index / RATE
        frame = Frame(scenes[index % len(scenes)], time.time(), media, index)
        events = recogniser.picture(frame, Update([person(number + 1, media - 1)], [number]))
        if events:
            box.outbox.put(events)
            told = True
            break
    return began, told


def main() -> None:
    """Parse arguments, run, print."""
    parser = argparse.ArgumentParser(description="From a face to the card.")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--encoder", help="face-reidentification-retail-0095 or dlib-resnet-v1; the best there is")
    options = parser.parse_args()
    if not PEOPLE.is_dir():
        parser.error(f"needs {PEOPLE}")
    encoder = open_encoder(ModelsConfig(directory=MODELS), only=options.encoder)
    with tempfile.TemporaryDirectory() as folder, a_box(Path(folder)) as box, browser(folder) as page:
        members = enrol(box, encoder, options.count)
        config = RecognitionConfig.model_construct(mode="entrance", cameras=("door",), spots=(), card_seconds=900.0)
        gallery = OpenGallery(box.register, encoder, time.monotonic)
        recogniser = Recogniser("door", config, FaceDetector(), encoder, gallery, box.register)
        with served(box) as address:
            log_in(page, address)
            page.execute_script(NOTES)
            begun = {}
            for number, (member, paths) in enumerate(members):
                began, told = arrive(box, recogniser, number, paths)
                if told:
                    begun[member] = began
                time.sleep(0.3)
            time.sleep(2)
            seen: dict[str, float] = page.execute_script("return window.seen")
    spent = sorted(seen[member] - began for member, began in begun.items() if member in seen)
    print(f"{encoder.name}: {len(members)} arrivals, {len(members) - len(begun)} not recognised within {PATIENCE:g} s, "
          f"{len(begun) - len(spent)} recognised and not shown")  # fmt: skip
    if spent:
        middle, late = spent[len(spent) // 2], spent[min(len(spent) - 1, int(0.95 * len(spent)))]
        print(
            f"first usable face to card on the page: median {middle:.2f} s, p95 {late:.2f} s, longest {spent[-1]:.2f} s"
        )


if __name__ == "__main__":
    main()
