"""Members and strangers on Labeled Faces in the Wild: what the shipped rules find, miss and confuse.

    YINGKE_MODELS_DIR=... python -m bench.faces identify

Needs ../shared/data/faces/lfw_subset: 200 people with 4 or 5 pictures, 400 strangers with one. Strangers whose name has
an even hash are the calibration half: caps, jumps and dlib's landmark places come from them, and they judge nothing but
the stress test of East Asian names, which would have too few. The ratios come from other people altogether
(CASIA-FaceV5). Wang Nan is among the people as Nan_Wang and among the strangers as Wang_Nan, the same table tennis
player: she is left out of the strangers.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import face_recognition  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt

from models.alignment import Floats, Image
from models.decoys import Population
from models.encoders import DlibEncoder, FaceEncoder, RetailEncoder, decoys_for
from models.face_quality import main_face
from models.faces import FaceDetector
from models.open_set import OpenSet, open_set
from models.rule import MatchRule

LFW = Path(__file__).resolve().parents[2] / "shared" / "data" / "faces" / "lfw_subset"
SAME_PERSON = "Wang_Nan"


def _words(text: str) -> list[str]:
    return text.split()


# East Asian names, as a stress test. A list of names; nothing that a program inferred.
EAST_MEMBERS = _words(
    "Antony_Leung Candie_Kung Edward_Lu Hitomi_Soga Jiang_Zemin Kim_Dae-jung Kim_Jong-Il Nan_Wang Sachiko_Yamada "
    "Tang_Jiaxuan Wen_Jiabao Yoko_Ono Yoriko_Kawaguchi Zhang_Ziyi Zhu_Rongji"
)
EAST_STRANGERS = _words(
    "Bill_Kong Chang_Sang Chyung_Dai-chul Elaine_Chao Eric_Shinseki Gong_Li Ham_Pong-sil Hiroki_Gomi Junko_Tabei "
    "Kaoru_Hasuike Kurt_Suzuki Laurie_Chan Lydia_Shum Masaru_Hayami Mayumi_Moriyama SJ_Twu Shigeo_Nagashima "
    "Shigeru_Ishiba Shingo_Suetsugu Soon_Yi Takahiro_Mori Taku_Yamasaki Yang_Pao-yu Yoo_Jay-Kun"
)

Encode = Callable[[Image, Floats], Floats]
Doubles = npt.NDArray[np.float64]


@dataclass
class Set:
    """Vectors of one encoder: of people, and of strangers that calibrate and that judge."""

    people: dict[str, Floats]
    calibration: dict[str, Floats]
    judges: dict[str, Floats]


def calibrates(name: str) -> bool:
    """Whether a stranger belongs to the calibration half."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 2 == 0


def peer_encode(image: Image, landmarks: Floats) -> Floats:
    """The peer's own path: its detector, its 68 points, its encoder; the face nearest to the middle of the picture."""
    rgb = np.ascontiguousarray(image[..., ::-1])
    places = face_recognition.face_locations(rgb)
    if not places:
        return np.empty((0, 128), np.float32)
    middle = [abs(top + bottom - 250) + abs(left + right - 250) for top, right, bottom, left in places]
    return np.array(face_recognition.face_encodings(rgb, [places[int(np.argmin(middle))]]), np.float32)


def read(encoders: dict[str, Encode]) -> dict[str, Set]:
    """Every picture, through every encoder."""
    detector = FaceDetector()
    sets = {name: Set({}, {}, {}) for name in encoders}
    for path in sorted(LFW.rglob("*.jpg")):
        image = cv2.imread(str(path))
        assert image is not None
        picture = image.astype(np.uint8)
        faces = detector.detect(picture)
        chosen = main_face(faces, 250, 250)
        if chosen is None:
            print(f"left out: {path.name}, no face stands out")
            continue
        stranger = path.parent.name == "strangers"
        name = path.stem[:-5] if stranger else path.parent.name
        for encoder, encode in encoders.items():
            vectors = encode(picture, faces.landmarks[chosen : chosen + 1])
            mine = sets[encoder]
            target = mine.people if not stranger else mine.calibration if calibrates(name) else mine.judges
            if len(vectors):
                target[name] = np.concatenate([*([target[name]] if name in target else []), vectors])
    for mine in sets.values():
        mine.judges.pop(SAME_PERSON, None)
        mine.calibration.pop(SAME_PERSON, None)
    return sets


def compare_faces(mine: Set, size: int, pictures: int, repeats: int) -> tuple[int, int, int, int, int]:
    """Visits, found, misidentified, strangers, false: the peer's rule at its default of 0.6, nearest accepted."""
    rng = np.random.default_rng(0)
    names = sorted(name for name, rows in mine.people.items() if len(rows) >= 3)
    counts = np.zeros(5, int)
    for _ in range(repeats):
        known: list[Floats] = []
        owners: list[str] = []
        visits: list[tuple[str, Floats]] = []
        for name in [names[k] for k in rng.permutation(len(names))[:size]]:
            rows = mine.people[name][rng.permutation(len(mine.people[name]))]
            known += list(rows[:3])
            owners += [name] * len(rows[:3])
            rest = rows[3:]
            visits += [(name, row) for row in rest] if pictures == 1 else []
            visits += [(name, rest[:pictures].mean(axis=0))] if 1 < pictures <= len(rest) else []
        for name, probe in visits:
            same = face_recognition.compare_faces(np.array(known), probe)
            best = owners[int(np.argmin(face_recognition.face_distance(np.array(known), probe)))]
            counts += (1, any(same) and best == name, any(same) and best != name, 0, 0)
        for rows in mine.judges.values():
            counts += (0, 0, 0, 1, any(face_recognition.compare_faces(np.array(known), rows[0])))
    return tuple(int(count) for count in counts)  # type: ignore[return-value]


def line(label: str, size: int, pictures: int, visits: int, found: int, wrong: int, strangers: int, false: int) -> None:
    """One row of the table."""
    print(
        f"{label:44s} {size:4d} {pictures:2d}  TPIR {found / max(1, visits):.3f} of {visits:4d}  "
        f"FPIR {false / strangers:.4f} ({false} of {strangers})  wrong member {wrong}",
        flush=True,
    )


def show(label: str, pictures: int, result: OpenSet) -> None:
    """One row of the table, with what the same encoder reaches at fixed FPIR."""
    line(
        f"{label} [{result.tpir_at(0.01):.3f} {result.tpir_at(0.001):.3f}]",
        result.size,
        pictures,
        result.visits,
        result.found,
        result.misidentified,
        result.strangers,
        result.false_matches,
    )


def table(encoder: FaceEncoder, mine: Set) -> None:
    """Galleries of 20, 40 and 200 with the shipped rule, without decoys, and with decoys fitted to real strangers."""
    bare = MatchRule(encoder.rule.ratio, encoder.rule.cap, encoder.rule.jump, 0, "without decoys")
    fitted = Population.fit(np.stack([rows[0] for rows in mine.calibration.values()])).draw(100)
    none = np.empty((0, encoder.size), np.float32)
    print(
        f"\n{encoder.name} {encoder.version}: ratio {encoder.rule.ratio}, cap {encoder.rule.cap}; "
        "in brackets TPIR at FPIR 1 % and 0.1 %"
    )
    for size, repeats in ((20, 20), (40, 10), (200, 4)):
        for pictures in (1, 2):
            for label, rule, decoys in (
                ("shipped", encoder.rule, decoys_for(encoder)),
                ("no decoys", bare, none),
                ("decoys fitted to LFW (not shipped)", encoder.rule, fitted),
            ):
                show(
                    label,
                    pictures,
                    open_set(mine.people, mine.judges, rule, decoys, size=size, pictures=pictures, repeats=repeats),
                )


def east(encoder: FaceEncoder, mine: Set) -> None:
    """Only people with East Asian names, and one such member among 19 others; strangers with such names."""
    strangers = {k: v for k, v in {**mine.judges, **mine.calibration}.items() if k in EAST_STRANGERS}
    members = {name: mine.people[name] for name in EAST_MEMBERS}
    decoys = decoys_for(encoder)
    for pictures in (1, 2):
        result = open_set(members, strangers, encoder.rule, decoys, size=14, pictures=pictures, repeats=20)
        show("East Asian names only", pictures, result)
    others = sorted(name for name in mine.people if name not in EAST_MEMBERS)
    total = np.zeros(5, int)
    for k, name in enumerate(EAST_MEMBERS):
        chosen = np.random.default_rng(k).permutation(others)[:19]
        mixed = {other: mine.people[other] for other in (name, *chosen)}
        result = open_set(mixed, strangers, encoder.rule, decoys, size=20, seed=k)
        total += (result.visits, result.found, result.misidentified, result.strangers, result.false_matches)
    line("one East Asian name among 19 others", 20, 1, *(int(count) for count in total))


def identify(peer: bool = True) -> None:
    """Print the whole table."""
    encoders: list[FaceEncoder] = [RetailEncoder(), DlibEncoder()]
    paths: dict[str, Encode] = {encoder.name: encoder.encode for encoder in encoders}
    if peer:
        paths["face_recognition"] = peer_encode
    sets = read(paths)
    for encoder in encoders:
        table(encoder, sets[encoder.name])
        east(encoder, sets[encoder.name])
    if not peer:
        return
    print("\nface_recognition 1.4.2 (-ng), its own detector and encodings, compare_faces at its default 0.6")
    mine = sets["face_recognition"]
    for size, repeats in ((20, 20), (40, 10), (200, 4)):
        for pictures in (1, 2):
            line("compare_faces", size, pictures, *compare_faces(mine, size, pictures, repeats))
    strangers = {k: v for k, v in {**mine.judges, **mine.calibration}.items() if k in EAST_STRANGERS}
    members = {name: mine.people[name] for name in EAST_MEMBERS if name in mine.people}
    for pictures in (1, 2):
        subset = Set(members, {}, strangers)
        line("compare_faces, East Asian names only", 14, pictures, *compare_faces(subset, 14, pictures, 20))
