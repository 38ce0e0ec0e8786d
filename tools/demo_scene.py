"""The drawn shop of the demo clip: a door to the street on the left, shelves on the right, a counter in front."""

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

WIDTH, HEIGHT = 640, 360
FINE = 4
"""Drawn this much larger, then averaged down: smooth edges."""
LINE_X = 0.46
"""Where the entrance line stands (share of the width): the inner door post."""
COUNTER_Y = 290
"""Top of the counter, in pixels of the clip: it hides where the cut-outs end."""
WOOD: Colour = (92, 128, 168)
DARK_WOOD: Colour = (52, 74, 104)
WALL: Colour = (214, 229, 238)
GOODS: tuple[Colour, ...] = ((150, 160, 205), (160, 190, 170), (190, 175, 150), (140, 190, 215), (175, 160, 185))


def _canvas(colour: Colour) -> Picture:
    return np.full((HEIGHT * FINE, WIDTH * FINE, 3), colour, np.uint8)


def _box(image: Picture, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
    cv2.rectangle(image, _at(x0, y0), _at(x1, y1), colour, -1)


def _at(x: float, y: float) -> tuple[int, int]:
    return round(x * FINE), round(y * FINE)


def _quad(image: Picture, corners: list[tuple[float, float]], colour: Colour) -> None:
    cv2.fillPoly(image, [np.array([_at(*corner) for corner in corners], np.int32)], colour, cv2.LINE_AA)


def _small(image: Picture) -> Picture:
    return cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.uint8)


def _street() -> Picture:
    """What is seen through the glass: sky, houses, trees, a pavement, out of focus."""
    image = _canvas((238, 222, 200))
    for y in range(HEIGHT * FINE):
        image[y] = (236, 214 + y * 20 // (HEIGHT * FINE), 186 + y * 40 // (HEIGHT * FINE))
    houses = [(0, 70, 60, (188, 200, 214)), (60, 95, 70, (170, 186, 208)), (130, 60, 65, (200, 204, 206)),
              (195, 84, 60, (176, 196, 220)), (255, 66, 60, (190, 196, 204))]  # fmt: skip
    for x, top, width, colour in houses:
        _box(image, x, top, x + width, 238, colour)
        for wx in range(x + 8, x + width - 10, 16):
            for wy in range(top + 10, 214, 24):
                _box(image, wx, wy, wx + 8, wy + 12, (214, 206, 190))
    for x, y, radius in ((36, 168, 27), (60, 184, 21), (232, 176, 25), (210, 188, 19)):
        cv2.circle(image, _at(x, y), radius * FINE, (112, 168, 138), -1, cv2.LINE_AA)
        _box(image, x - 2, y + radius - 6, x + 2, 244, (90, 112, 130))
    _box(image, 0, 236, 300, 264, (196, 198, 200))
    _box(image, 0, 262, 300, 360, (176, 180, 184))
    return cv2.GaussianBlur(image, (0, 0), 2.2 * FINE).astype(np.uint8)


def _shelves(image: Picture) -> None:
    rng = np.random.default_rng(7)
    _box(image, 352, 70, 628, 290, (192, 210, 222))
    for y in (122, 178, 234):
        x = 362.0
        while x < 604:
            width, height = float(rng.uniform(14, 30)), float(rng.uniform(16, 34))
            colour = GOODS[int(rng.integers(len(GOODS)))]
            if x + width < 620:
                _box(image, x, y - height, x + width, y, colour)
                _box(image, x, y - height, x + width, y - height + 4, tuple(min(255, c + 22) for c in colour))  # type: ignore[arg-type]
            x += width + float(rng.uniform(5, 12))
        _box(image, 352, y, 628, y + 5, WOOD)
        _box(image, 352, y + 5, 628, y + 9, (176, 194, 206))
    for x in (352, 488, 624):
        _box(image, x, 66, x + 5, 290, WOOD)
    _box(image, 348, 62, 633, 68, WOOD)


def _lamps(image: Picture) -> Picture:
    for x in (380, 490, 600):
        cv2.line(image, _at(x, 0), _at(x, 26), (70, 70, 70), FINE, cv2.LINE_AA)
        _quad(image, [(x - 5, 24), (x + 5, 24), (x + 16, 40), (x - 16, 40)], (72, 92, 60))
        cv2.ellipse(image, _at(x, 40), _at(16, 4), 0, 0, 360, (190, 240, 255), -1, cv2.LINE_AA)
    glow = np.zeros((HEIGHT, WIDTH), np.float32)
    for x in (380, 490, 600):
        cv2.circle(glow, (x, 62), 46, 1.0, -1)
    glow = cv2.GaussianBlur(glow, (0, 0), 26)[..., None].astype(np.float32)
    lit = _small(image).astype(np.float32)
    return np.clip(lit + glow * (14, 22, 26), 0, 255).astype(np.uint8)


def background() -> Picture:
    """``(360, 640, 3)`` BGR: everything behind the people."""
    image = _canvas(WALL)
    street = _street()
    right = round(LINE_X * WIDTH)
    image[: 266 * FINE, : right * FINE] = street[: 266 * FINE, : right * FINE]
    _box(image, right, 258, 640, 290, (190, 206, 216))
    _quad(image, [(0, 266), (640, 266), (640, 360), (0, 360)], (118, 152, 186))
    for x in range(-400, 1100, 46):
        cv2.line(image, _at(320 + (x - 320) * 0.7, 266), _at(x, 360), (100, 134, 168), FINE // 2, cv2.LINE_AA)
    _shelves(image)
    _box(image, 0, 0, right + 14, 34, DARK_WOOD)
    _box(image, 0, 34, right + 14, 38, (40, 58, 84))
    for x in (0, 128):
        _box(image, x, 34, x + 8, 268, DARK_WOOD)
    _box(image, 8, 128, 128, 132, DARK_WOOD)
    glare = image.copy()
    _quad(glare, [(22, 38), (54, 38), (24, 128), (8, 128)], (250, 246, 240))
    image = cv2.addWeighted(glare, 0.45, image, 0.55, 0).astype(np.uint8)
    _box(image, right - 7, 0, right + 7, 277, DARK_WOOD)
    _box(image, right - 2, 34, right + 2, 277, (64, 190, 235))
    _box(image, 40, 8, 240, 28, (40, 58, 84))
    cv2.putText(image, "WELCOME", _at(98, 24), cv2.FONT_HERSHEY_DUPLEX, 0.58 * FINE, (215, 235, 245), FINE, cv2.LINE_AA)
    _quad(image, [(150, 273), (right, 273), (right, 290), (136, 290)], (96, 96, 108))
    return _lamps(image)


def foreground() -> tuple[Picture, npt.NDArray[np.float32]]:
    """The counter and what stands on it: ``(360, 640, 3)`` BGR and its alpha ``(360, 640)`` 0–1."""
    image, alpha = _canvas(DARK_WOOD), np.zeros((HEIGHT * FINE, WIDTH * FINE), np.uint8)
    _box(image, 0, COUNTER_Y, 640, COUNTER_Y + 12, (128, 166, 204))
    _box(image, 0, COUNTER_Y + 12, 640, COUNTER_Y + 16, (60, 84, 116))
    for x in range(0, 640, 32):
        _box(image, x, COUNTER_Y + 16, x + 30, 360, (84, 116, 154))
    shade = np.linspace(1.0, 0.78, (360 - COUNTER_Y) * FINE)[:, None, None]
    image[COUNTER_Y * FINE :] = (image[COUNTER_Y * FINE :] * shade).astype(np.uint8)
    alpha[COUNTER_Y * FINE :] = 255
    for layer, paint in ((image, (96, 124, 196)), (alpha, 255)):
        _quad(layer, [(34, 264), (62, 264), (58, COUNTER_Y), (38, COUNTER_Y)], paint)  # type: ignore[arg-type]
    for angle, length in ((-64, 30), (-35, 38), (-8, 44), (22, 40), (52, 32), (75, 24)):
        tip = (48 + length * np.sin(np.radians(angle)), 266 - length * np.cos(np.radians(angle)))
        centre = ((48 + tip[0]) / 2, (266 + tip[1]) / 2)
        for layer, paint in ((image, (88 + angle // 4, 150 + angle // 5, 96)), (alpha, 255)):
            cv2.ellipse(layer, _at(*centre), _at(length / 2, 6), angle - 90, 0, 360, paint, -1, cv2.LINE_AA)
    for k, colour in enumerate(((170, 150, 196), (200, 190, 160), (150, 190, 214))):
        for layer, paint in ((image, colour), (alpha, 255)):
            _box(layer, 566, COUNTER_Y - 8 * (k + 1), 624, COUNTER_Y - 8 * k - 1, paint)  # type: ignore[arg-type]
    soft = cv2.resize(alpha, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
    return _small(image), soft.astype(np.float32)
