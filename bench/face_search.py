"""What it costs in recognition to take landmarks from small copies: members and strangers of LFW, both encoders.

    YINGKE_MODELS_DIR=... python -m bench.face_search

Templates of three pictures with landmarks at full size, as they are enrolled; visits with landmarks at full size, and
as the box finds them (``models/face_search.py``). Needs ../shared/data/faces/lfw_subset. Also how many members and
strangers are told to be far from everybody by their first picture (``MatchRule.far``).
"""

from collections import defaultdict

import cv2
import numpy as np

from bench.faces_identify import LFW, SAME_PERSON, calibrates
from models.alignment import Floats, unit
from models.encoders import DlibEncoder, FaceEncoder, RetailEncoder, decoys_for
from models.face_quality import main_face
from models.face_search import FaceSearch
from models.faces import FaceDetector
from models.gallery import Gallery, template

BUST = (0.0, 0.0, 1.0, 2.0)
"""Somebody whose head and shoulders fill the picture."""
Pair = tuple[Floats, Floats]
"""One picture's vector with landmarks at full size, and in small copies."""


def read(encoders: list[FaceEncoder]) -> tuple[list[dict[str, list[Pair]]], list[list[Pair]], int]:
    """For each encoder the people and the strangers that judge; and how many faces were not found again."""
    people: list[dict[str, list[Pair]]] = [defaultdict(list) for _ in encoders]
    strangers: list[list[Pair]] = [[] for _ in encoders]
    detector, missed = FaceDetector(), 0
    for path in sorted(LFW.rglob("*.jpg")):
        stranger = path.parent.name == "strangers"
        name = path.stem[:-5] if stranger else path.parent.name
        if name == SAME_PERSON or (stranger and calibrates(name)):
            continue
        image = np.asarray(cv2.imread(str(path)), np.uint8)
        faces = detector.detect(image)
        chosen = main_face(faces, *image.shape[:2])
        if chosen is None:
            continue
        small = FaceSearch(detector).find(image, BUST, 0.0)
        if small is None:
            missed += 1
            continue
        for number, encoder in enumerate(encoders):
            full = encoder.encode(image, faces.landmarks[chosen : chosen + 1])[0]
            pair = full, encoder.encode(small.crop, small.landmarks[None])[0]
            strangers[number].append(pair) if stranger else people[number][name].append(pair)
    return people, strangers, missed


def judge(encoder: FaceEncoder, people: dict[str, list[Pair]], strangers: list[Pair], size: int, repeats: int) -> None:
    """Print TPIR with one and two pictures, FPIR, and who is far, for landmarks at full size and in small copies."""
    names = sorted(name for name, rows in people.items() if len(rows) >= 4)
    for which, label in ((0, "full size"), (1, "small copies")):
        rng = np.random.default_rng(5)
        one, two, false, far, far_strangers = ([] for _ in range(5))
        for _ in range(repeats):
            enrolled: dict[str, Floats] = {}
            visits: list[tuple[str, list[Floats]]] = []
            for name in [names[k] for k in rng.permutation(len(names))[:size]]:
                rows = [people[name][k] for k in rng.permutation(len(people[name]))]
                enrolled[name] = template(np.stack([row[0] for row in rows[:3]]))
                visits.append((name, [row[which] for row in rows[3:]]))
            gallery = Gallery(enrolled, encoder.rule, decoys_for(encoder))
            for name, probes in visits:
                one += [gallery.decide(probe).member == name for probe in probes]
                far += [gallery.far(probe, encoder.rule.far) for probe in probes]
                if len(probes) >= 2:
                    two.append(gallery.decide(unit(np.mean(probes[:2], axis=0))).member == name)
            false += [gallery.decide(pair[which]).outcome != "nothing" for pair in strangers]
            far_strangers += [gallery.far(pair[which], encoder.rule.far) for pair in strangers]
        print(
            f"{encoder.name}, {len(enrolled)} members, {label}: TPIR {np.mean(one):.3f} with one picture, "
            f"{np.mean(two):.3f} with two; FPIR {sum(false)} of {len(false)}; far: {np.mean(far):.2%} of members' "
            f"pictures, {np.mean(far_strangers):.0%} of strangers'",
            flush=True,
        )


def main() -> None:
    """Measure and print."""
    encoders: list[FaceEncoder] = [RetailEncoder(), DlibEncoder()]
    people, strangers, missed = read(encoders)
    print(f"{missed} faces not found again in small copies")
    for number, encoder in enumerate(encoders):
        for size, repeats in ((40, 20), (200, 6)):
            judge(encoder, people[number], strangers[number], size, repeats)


if __name__ == "__main__":
    main()
