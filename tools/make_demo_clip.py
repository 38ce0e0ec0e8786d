"""Make ``edge/demo/clip.mp4`` and its truth: people cut out of free photographs walk through a drawn shop entrance.

For developers; nothing of this runs in the product. From the root of the checkout, with ffmpeg installed:

    pip download --no-deps -d WHEELS matplotlib==3.11.2 scikit-image==0.26.0
    python -m tools.make_demo_clip WHEELS

The result is the same at every run with the same OpenCV and ffmpeg. ``edge/demo/CLIP.md`` names the photographs.
"""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from tools import demo_cutouts as cutouts
from tools.demo_scene import HEIGHT, LINE_X, WIDTH, Picture, background, foreground

FPS, SECONDS = 10, 80
OUT = Path(__file__).resolve().parent.parent / "edge" / "demo"
LANES = {"near": (82, 72), "middle": (73, 86), "far": (67, 97)}
"""Height of the head, and the top of the head, in pixels of the clip."""
LEFT, RIGHT = -110.0, 750.0
LINE_PX = LINE_X * WIDTH

Mask = npt.NDArray[np.float32]
Colours = npt.NDArray[np.float32]
"""Premultiplied by the alpha."""
Route = tuple[tuple[float, float], ...]
"""Where the middle of the walker is: pairs of second and x in pixels. Before the first and after the last: nowhere."""


@dataclass(frozen=True)
class Walker:
    """Who walks, in which lane, along which path."""

    note: str
    sprite: str
    lane: str
    path: Route


def enters(start: float, speed: float) -> Route:
    """From the street into the shop, ``speed`` in px/s."""
    return ((start, LEFT), (start + (RIGHT - LEFT) / speed, RIGHT))


def leaves(start: float, speed: float) -> Route:
    """From the shop out to the street."""
    return ((start, RIGHT), (start + (RIGHT - LEFT) / speed, LEFT))


WALKERS = (
    Walker("orange suit enters", "orange", "middle", enters(0.0, 95)),
    Walker("navy jacket leaves", "navy", "near", leaves(4.0, 80)),
    Walker("blue coat enters, fast", "blue coat", "far", enters(10.0, 170)),
    Walker("pair side by side enters: wine jacket", "wine", "far", enters(15.0, 85)),
    Walker("pair side by side enters: blue suit", "blue", "near", enters(16.3, 85)),
    Walker(
        "olive coat turns back before the line",
        "olive coat",
        "middle",
        ((25.0, LEFT), (28.0, 178.0), (29.4, 184.0), (32.4, LEFT)),
    ),
    Walker("orange suit leaves", "orange", "far", leaves(28.5, 110)),
    Walker("green jacket enters", "green jacket", "far", enters(33.0, 75)),
    Walker("blue coat leaves, passes the one before inside", "blue coat", "near", leaves(38.0, 120)),
    Walker(
        "blue suit enters, looks at the shelf, leaves",
        "blue",
        "middle",
        ((43.0, LEFT), (48.6, 420.0), (50.0, 436.0), (52.6, 420.0), (58.0, LEFT)),
    ),
    Walker("wine jacket enters, slowly", "wine", "far", enters(49.5, 60)),
    Walker("olive coat leaves, running", "olive coat", "near", leaves(58.5, 230)),
    Walker("pair side by side leaves: green suit", "green", "near", leaves(60.5, 90)),
    Walker("pair side by side leaves: navy jacket", "navy", "far", leaves(61.7, 90)),
    Walker("blue coat enters", "blue coat", "middle", enters(68.0, 140)),
    Walker("green jacket leaves", "green jacket", "near", leaves(70.5, 100)),
)


def sprites(wheels: Path) -> dict[str, tuple[Picture, int]]:
    """Each look by its name: BGRA, and the height of the head in it."""
    suit, jacket, coat = cutouts.ASTRONAUT.head, cutouts.HOPPER.head, cutouts.CAMERA.head
    return {
        "orange": (cutouts.astronaut(wheels), suit),
        "blue": (cutouts.astronaut(wheels, 105), suit),
        "green": (cutouts.astronaut(wheels, 60), suit),
        "navy": (cutouts.hopper(wheels), jacket),
        "wine": (cutouts.hopper(wheels, (45, 30, 110)), jacket),
        "green jacket": (cutouts.hopper(wheels, (60, 80, 40)), jacket),
        "blue coat": (cutouts.camera(wheels, (90, 50, 30)), coat),
        "olive coat": (cutouts.camera(wheels, (50, 80, 90)), coat),
    }


def position(path: Route, t: float) -> float | None:
    """x of the middle at ``t``, corners rounded over 0.6 s; None when not there."""
    if not path[0][0] <= t <= path[-1][0]:
        return None
    times, places = zip(*path, strict=True)
    return float(np.mean(np.interp(t + np.linspace(-0.3, 0.3, 7), times, places)))


def layer(walker: Walker, looks: dict[str, tuple[Picture, int]], t: float) -> tuple[Colours, Mask] | None:
    """The walker alone at ``t``: BGR ``(360, 640, 3)`` and alpha 0–1; the gait bobs and sways at two steps a second."""
    x = position(walker.path, t)
    if x is None:
        return None
    look, head = looks[walker.sprite]
    later = position(walker.path, min(t + 0.1, walker.path[-1][0]))
    heading = (later if later is not None else x) - x
    moving = min(1.0, abs(heading) * 10 / 60)
    if facing_left(walker.path, t):
        look = np.ascontiguousarray(look[:, ::-1])
    size, top = LANES[walker.lane]
    scale = size / head * (1 + 0.06 * (x - LINE_PX) / 400)
    small = cv2.resize(look, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    rows, columns = np.nonzero(small[..., 3] > 127)
    swing = np.sin(2 * np.pi * t * 1.0)
    turn = cv2.getRotationMatrix2D((float(columns.mean()), float(rows.max())), 1.1 * swing * moving, 1.0)
    turn[0, 2] += x - (columns.min() + columns.max()) / 2
    turn[1, 2] += top - rows.min() + 2.0 * abs(swing) * moving
    # Alpha is carried premultiplied, or the colour of the cut-away background would bleed into the edges.
    alpha = small[..., 3:].astype(np.float32) / 255
    carried = np.dstack([small[..., :3].astype(np.float32) * alpha, alpha])
    warped = cv2.warpAffine(carried, turn, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
    return warped[..., :3].astype(np.float32), warped[..., 3].astype(np.float32)


def facing_left(path: Route, t: float) -> bool:
    """Whether the walker last moved, or starts, towards the street."""
    segments = [(a, b) for a, b in pairwise(path) if a[0] <= t and abs(b[1] - a[1]) > 30]
    (_, start), (_, end) = segments[-1] if segments else (path[0], path[-1])
    return end < start


def compose(scene: Picture, layers: list[tuple[Colours, Mask]], front: tuple[Picture, Mask]) -> Picture:
    """One frame: the scene, a soft shadow and then the body of each walker (far ones first), the counter."""
    frame = scene.astype(np.float32)
    for body, alpha in layers:
        shifted = cv2.warpAffine(alpha, np.array([[1, 0, 13], [0, 1, 9]], np.float32), (WIDTH, HEIGHT))
        frame *= 1 - 0.24 * cv2.GaussianBlur(shifted, (0, 0), 7)[..., None]
        frame = frame * (1 - alpha[..., None]) + body
    over, mask = front
    frame = frame * (1 - mask[..., None]) + over.astype(np.float32) * mask[..., None]
    return np.clip(frame, 0, 255).astype(np.uint8)


def crossings(centres: dict[Walker, list[tuple[float, float]]]) -> list[dict[str, Any]]:
    """When the middle of each walker's visible part passes the line, from second and x of every frame."""
    events: list[dict[str, Any]] = []
    for walker, track in centres.items():
        for (t0, x0), (t1, x1) in pairwise(track):
            if (x0 < LINE_PX) != (x1 < LINE_PX):
                t = t0 + (t1 - t0) * (LINE_PX - x0) / (x1 - x0)
                events.append({"t": round(t, 2), "dir": "L2R" if x1 > x0 else "R2L", "note": walker.note})
    return sorted(events, key=lambda event: float(event["t"]))


def truth(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The truth file, in the shape of the one that describes the public test video."""
    return {
        "file": "clip.mp4",
        "w": WIDTH,
        "h": HEIGHT,
        "fps": float(FPS),
        "frames": FPS * SECONDS,
        "source": "python -m tools.make_demo_clip",
        "method": "known from the script: the middle of a walker's visible part passes the line; L2R = in",
        "lines": [
            {
                "name": "entrance",
                "p1": [LINE_X, 0.15],
                "p2": [LINE_X, 0.95],
                "rule": "box centre crosses; feet are hidden by the counter",
                "L2R": sum(event["dir"] == "L2R" for event in events),
                "R2L": sum(event["dir"] == "R2L" for event in events),
                "tolerated": [],
                "events": events,
            }
        ],
    }


def encoder(target: Path) -> "subprocess.Popen[bytes]":
    """ffmpeg that takes BGR frames on its standard input; one thread and bit-exact, so that runs agree."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        sys.exit("error: ffmpeg is not installed\nfix: apt install ffmpeg")
    command = [ffmpeg, "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{WIDTH}x{HEIGHT}"]
    command += ["-r", str(FPS), "-i", "-", "-an", "-c:v", "libx264", "-preset", "slow", "-crf", "25", "-g", "50"]
    command += ["-pix_fmt", "yuv420p", "-threads", "1", "-flags", "+bitexact", "-fflags", "+bitexact"]
    command += ["-movflags", "+faststart", str(target)]
    return subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: S603 (no shell, no outside input)


def main(wheels: Path, out: Path = OUT) -> None:
    """Write the clip and its truth to ``out``."""
    looks, scene, front = sprites(wheels), background(), foreground()
    depth = list(LANES)[::-1]
    ordered = sorted(WALKERS, key=lambda walker: depth.index(walker.lane))
    centres: dict[Walker, list[tuple[float, float]]] = {walker: [] for walker in WALKERS}
    process = encoder(out / "clip.mp4")
    assert process.stdin is not None
    for index in range(FPS * SECONDS):
        t = index / FPS
        layers = []
        for walker in ordered:
            drawn = layer(walker, looks, t)
            if drawn is None:
                continue
            layers.append(drawn)
            columns = np.nonzero((drawn[1] * (1 - front[1]) > 0.5).any(axis=0))[0]
            if columns.size:
                centres[walker].append((t, float(columns.min() + columns.max() + 1) / 2))
        process.stdin.write(compose(scene, layers, front).tobytes())
    process.stdin.close()
    if process.wait() != 0:
        sys.exit("error: ffmpeg failed")
    document = json.dumps(truth(crossings(centres)), indent=1, ensure_ascii=False) + "\n"
    (out / "clip.truth.json").write_text(document, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tools.make_demo_clip WHEELS")
    try:
        main(Path(sys.argv[1]))
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f"error: {error}")
