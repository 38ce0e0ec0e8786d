"""Makes ``models/weights/decoys.npz``: for each encoder, where the vectors of faces lie, without anybody's face.

    YINGKE_MODELS_DIR=... python -m tools.make_decoys

The three portraits of the demonstration's clip (public domain and CC0, edge/demo/CLIP.md) are mixed, warped and lit at
random into 1,500 heads that nobody has; what is kept of their vectors is the direction of the mean and the 64 strongest
directions of their spread. No vector of a face is in the file.
"""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from models.alignment import chip
from models.encoders import DlibEncoder, FaceEncoder, RetailEncoder
from models.faces import FaceDetector

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "models" / "weights" / "decoys.npz"
_SIDE = 240
_PLACES = np.array([(92.4, 91.9), (146.6, 91.9), (119.5, 124.4), (96.5, 149.0), (142.5, 149.0)])
_HEADS, _DIRECTIONS = 1500, 64

Picture = npt.NDArray[np.float32]


def portraits() -> list[Picture]:
    """One aligned picture of each person of the clip, the largest of each."""
    detector, encoder = FaceDetector(), DlibEncoder()
    video = cv2.VideoCapture(str(ROOT / "edge" / "demo" / "clip.mp4"))
    best: list[tuple[float, npt.NDArray[np.float32], Picture]] = []
    number = 0
    while True:
        ok, image = video.read()
        if not ok:
            break
        number += 1
        if number % 5:
            continue
        frame = image.astype(np.uint8)
        faces = detector.detect(frame)
        for landmarks in faces.landmarks:
            eyes = float(np.linalg.norm(landmarks[0] - landmarks[1]))
            if eyes < 16:
                continue
            vector = encoder.encode(frame, landmarks[None])[0]
            cut = chip(frame, landmarks.astype(np.float64), _PLACES, _SIDE).astype(np.float32)
            known = [index for index, (_, other, _) in enumerate(best) if np.linalg.norm(vector - other) < 0.4]
            if not known:
                best.append((eyes, vector, cut))
            elif eyes > best[known[0]][0]:
                best[known[0]] = (eyes, vector, cut)
    return [cut for _, _, cut in best]


def warped(picture: Picture, strength: float, rng: np.random.Generator) -> Picture:
    """Moves parts of the face by some pixels, mostly the same on both sides of the nose."""
    moves = rng.normal(size=(2, 6, 6)) * strength
    even = np.stack([moves[0] - moves[0][:, ::-1], moves[1] + moves[1][:, ::-1]]) / np.sqrt(2)
    field = 0.9 * even + 0.3 * rng.normal(size=moves.shape) * strength
    dx, dy = (cv2.resize(part.astype(np.float32), (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC) for part in field)
    y, x = np.mgrid[:_SIDE, :_SIDE].astype(np.float32)
    moved = cv2.remap(picture, x + dx, y + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return moved.astype(np.float32)


def head(bases: list[Picture], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """One head that nobody has."""
    strength = rng.uniform(4, 9)
    mixed = np.zeros((_SIDE, _SIDE, 3), np.float32)
    for share, base in zip(rng.dirichlet(np.full(len(bases), 0.7)), bases, strict=True):
        turned = base if rng.random() < 0.5 else np.ascontiguousarray(base[:, ::-1])
        mixed += np.float32(share) * warped(turned, strength, rng)
    mixed = warped(mixed, strength * 0.6, rng)
    shade = cv2.resize(rng.normal(size=(5, 5)).astype(np.float32) * 14, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)
    lit = mixed * rng.uniform(0.7, 1.2) + rng.normal(0, 12) + shade[..., None] + rng.normal(0, 8, 3)
    return np.clip(lit, 0, 255).astype(np.uint8)


def main() -> None:
    """Write the file."""
    rng = np.random.default_rng(1)
    bases = portraits()
    print(f"{len(bases)} portraits")
    encoders: tuple[FaceEncoder, ...] = (RetailEncoder(), DlibEncoder())
    places = _PLACES[None].astype(np.float32)
    heads = [head(bases, rng) for _ in range(_HEADS)]
    kept: dict[str, npt.NDArray[np.float32]] = {}
    for encoder in encoders:
        rows = np.concatenate([encoder.encode(picture, places) for picture in heads])
        middle = rows.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov((rows - middle).T))
        spread = vectors[:, -_DIRECTIONS:] * np.sqrt(values[-_DIRECTIONS:] / values.sum())
        kept[f"{encoder.name}.middle"] = (middle / np.linalg.norm(middle)).astype(np.float32)
        kept[f"{encoder.name}.spread"] = spread.astype(np.float32)
        print(f"{encoder.name}: {values[-_DIRECTIONS:].sum() / values.sum():.1%} of the spread is kept")
    np.savez_compressed(TARGET, **kept)  # type: ignore[arg-type]
    print(f"{TARGET.name}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
