"""Pictures that a shop's camera spoils: does anybody get a false name then? Blur, darkness, few pixels, masks.

    YINGKE_MODELS_DIR=... python -m bench.faces_stress read VECTORS.npz [KIND ...]
    python -m bench.faces_stress table VECTORS.npz [...]

Templates are of the pictures as they are (three a member); visits of members and of strangers alike are of spoilt ones,
found, judged and encoded anew. The last column spoils the templates, too, most of which ``yingke enrol`` would refuse.
``read`` takes a minute of CPU for each kind of damage; ``table`` then needs no model. The strangers are the half that
calibrates nothing, as in bench/faces_identify.py.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from bench.faces_identify import LFW, SAME_PERSON, calibrates
from models.alignment import Floats, Image
from models.decoys import Population
from models.encoders import DlibEncoder, FaceEncoder, RetailEncoder
from models.face_quality import MATCHED, face_quality, main_face
from models.faces import FaceDetector, Faces
from models.gallery import LEAST_PICTURES, Gallery, template
from models.rule import MatchRule

PLAIN = "as it is"
Damage = Callable[[Image, Floats], Image]


def _light(gain: float) -> Damage:
    return lambda image, _: np.clip(image * gain, 0, 255).astype(np.uint8)


def _blur(sigma: float) -> Damage:
    return lambda image, _: cv2.GaussianBlur(image, (0, 0), sigma).astype(np.uint8)


def _shrink(scale: float) -> Damage:
    def damage(image: Image, _: Floats) -> Image:
        return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.uint8)

    return damage


def _jpeg(quality: int) -> Damage:
    def damage(image: Image, _: Floats) -> Image:
        packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return cv2.imdecode(packed, cv2.IMREAD_COLOR).astype(np.uint8)  # type: ignore[union-attr]

    return damage


def _turn(degrees: float) -> Damage:
    def damage(image: Image, _: Floats) -> Image:
        height, width = image.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
        return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT).astype(np.uint8)

    return damage


def _smear(length: int) -> Damage:
    kernel = np.full((1, length), 1 / length)
    return lambda image, _: cv2.filter2D(image, -1, kernel).astype(np.uint8)


def _noise(image: Image, _: Floats) -> Image:
    grain = np.random.default_rng(int(image.sum())).normal(0, 20, image.shape)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


def _grey(image: Image, _: Floats) -> Image:
    return np.repeat(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2).astype(np.uint8)


def _mask(image: Image, landmarks: Floats) -> Image:
    """A surgical mask, drawn: from the bridge of the nose to below the chin."""
    left, right, nose, one, two = landmarks
    down, across = (one + two - left - right) / 2, right - left
    top = nose - 0.15 * down
    corners = [top - 0.75 * across, top, top + 0.75 * across, two + 0.3 * across + 0.6 * down]
    corners += [one - 0.3 * across + 0.6 * down]
    return cv2.fillPoly(image.copy(), [np.round(corners).astype(np.int32)], (210, 190, 160)).astype(np.uint8)


def _sunglasses(image: Image, landmarks: Floats) -> Image:
    """Two dark discs and a bridge."""
    left, right = (tuple(round(float(v)) for v in landmarks[k]) for k in (0, 1))
    radius = max(1, round(float(np.linalg.norm(landmarks[1] - landmarks[0])) * 0.36))
    drawn = image.copy()
    cv2.line(drawn, left, right, (25, 25, 25), max(1, radius // 4))
    for eye in (left, right):
        cv2.circle(drawn, eye, radius, (25, 25, 25), -1)
    return drawn


KINDS: dict[str, Damage] = {
    PLAIN: lambda image, _: image,
    "JPEG quality 30": _jpeg(30),
    "JPEG quality 10": _jpeg(10),
    "blur 2 px": _blur(2),
    "blur 3.5 px": _blur(3.5),
    "smear 11 px": _smear(11),
    "light x 0.35": _light(0.35),
    "light x 1.7": _light(1.7),
    "noise 20": _noise,
    "face of about 60 px": _shrink(0.6),
    "face of about 40 px": _shrink(0.4),
    "mirrored": lambda image, _: np.ascontiguousarray(image[:, ::-1]),
    "turned 12 degrees": _turn(12),
    "greyscale": _grey,
    "mask": _mask,
    "sunglasses": _sunglasses,
}


def _chosen(faces: Faces, image: Image) -> Floats | None:
    number = main_face(faces, *image.shape[:2])
    return None if number is None else faces.landmarks[number]


def read(target: Path, kinds: list[str]) -> None:
    """Every picture, spoilt in every way, through both encoders: vectors, and what the gate says of each."""
    detector = FaceDetector()
    encoders: list[FaceEncoder] = [RetailEncoder(), DlibEncoder()]
    kept: dict[str, list[object]] = {"kind": [], "name": [], "good": [], **{each.name: [] for each in encoders}}
    for path in sorted(LFW.rglob("*.jpg")):
        image = cv2.imread(str(path))
        assert image is not None
        whole = image.astype(np.uint8)
        marks = _chosen(detector.detect(whole), whole)
        name = f"?{path.stem[:-5]}" if path.parent.name == "strangers" else path.parent.name
        if marks is None or name == f"?{SAME_PERSON}":
            continue
        for kind in kinds:
            spoilt = KINDS[kind](whole, marks)
            found = _chosen(detector.detect(spoilt), spoilt)
            if found is None:
                continue
            kept["kind"].append(kind)
            kept["name"].append(name)
            kept["good"].append(face_quality(spoilt, found, MATCHED).good)
            for each in encoders:
                kept[each.name].append(each.encode(spoilt, found[None])[0])
    np.savez_compressed(target, **{key: np.array(rows) for key, rows in kept.items()})  # type: ignore[arg-type]


class _Rows:
    """Vectors of one encoder, by kind and person."""

    def __init__(self, files: list[Path], encoder: str) -> None:
        self.of: dict[str, dict[str, list[tuple[bool, Floats]]]] = {}
        for file in files:
            with np.load(file) as kept:
                rows = zip(kept["kind"], kept["name"], kept["good"], kept[encoder], strict=True)
                for kind, name, good, row in rows:
                    self.of.setdefault(str(kind), {}).setdefault(str(name), []).append((bool(good), row))


def _judge(
    rows: _Rows, kind: str, rule: MatchRule, decoys: Floats, size: int, gated: bool, alike: bool
) -> tuple[int, int, int, int, int]:
    """Member visits, found, wrong member, stranger visits, false: over several galleries of ``size``."""
    plain, spoilt = rows.of[kind if alike else PLAIN], rows.of[kind]
    people = sorted(name for name, found in plain.items() if name[0] != "?" and len(found) > LEAST_PICTURES)
    strangers = [name for name in spoilt if name[0] == "?" and not calibrates(name[1:])]
    counts = np.zeros(5, int)
    rng = np.random.default_rng(0)
    for _ in range(max(4, 400 // size)):
        chosen = [people[k] for k in rng.permutation(len(people))[:size]]
        enrolled = {name: template(np.stack([row for _, row in plain[name][:LEAST_PICTURES]])) for name in chosen}
        gallery = Gallery(enrolled, rule, decoys)
        for name in chosen:
            for visit in _visits(spoilt.get(name, [])[LEAST_PICTURES:], gated):
                said = gallery.decide(visit)
                match = said.outcome == "match"
                counts += (1, match and said.member == name, match and said.member != name, 0, 0)
        for name in strangers:
            for visit in _visits(spoilt[name], gated):
                counts += (0, 0, 0, 1, gallery.decide(visit).outcome != "nothing")
    return tuple(int(each) for each in counts)  # type: ignore[return-value]


def _visits(found: list[tuple[bool, Floats]], gated: bool) -> list[Floats]:
    return [row for usable, row in found if usable or not gated]


def table(files: list[Path]) -> None:
    """Print one row for each kind, encoder and size of gallery."""
    for encoder in (RetailEncoder, DlibEncoder):
        rows = _Rows(files, encoder.name)
        decoys = Population.shipped(encoder.name).draw(encoder.rule.decoys)
        print(
            f"\n{encoder.name}: found of member visits; strangers named; members misnamed. "
            "Every face | gate passed | every face, and the templates spoilt alike"
        )
        for kind in KINDS:
            if kind not in rows.of:
                continue
            for size in (20, 40, 200):
                cells = []
                for gated, alike in ((False, False), (True, False), (False, True)):
                    told = _judge(rows, kind, encoder.rule, decoys, size, gated, alike)
                    visits, found, wrong, unknown, false = told
                    cells.append(
                        f"{found / max(1, visits):.3f} of {visits:4d}  {false:2d} of {unknown:4d} "
                        f"({false / max(1, unknown):.2%})  {wrong:2d}"
                    )
                print(f"{kind:22s} {size:3d}  " + "  |  ".join(cells), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "read":
        read(Path(sys.argv[2]), sys.argv[3:] or list(KINDS))
    else:
        table([Path(each) for each in sys.argv[2:]])
