"""One picture as a JPEG, for the person who sets up its camera."""

import cv2

from sensors.errors import FormatError
from sensors.readings import Image


def jpeg(image: Image, longest: int = 1600) -> bytes:
    """``image``: ``(height, width, 3)`` uint8 BGR; made smaller where its longer side has more than ``longest`` px."""
    height, width = image.shape[:2]
    scale = min(1.0, longest / max(height, width))
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype("uint8", copy=False)
    made, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])
    if not made:
        raise FormatError("the picture cannot be shown", "check the camera's resolution in a player such as VLC")
    return data.tobytes()
