"""A picture every now and then from one camera, for a moment: for enrolment. None is kept."""

import time
from collections.abc import Iterator

from sensors.camera import CameraSource
from sensors.camera_config import CameraConfig
from sensors.readings import Frame, Image

APART_S = 0.7
"""Between two pictures: sooner they show the same thing again."""


def stills(camera: CameraConfig, seconds: float, apart: float = APART_S) -> Iterator[Image]:
    """For so many seconds; the caller overwrites each picture when done with it.

    A network camera gives a second reader what it gives the running box. A USB camera is the box's alone, so that the
    box has to be stopped meanwhile. Raises ``SourceError``.
    """
    with CameraSource(camera) as source:
        began, last = time.monotonic(), float("-inf")
        for reading in source:
            moment = time.monotonic()
            if moment - began > seconds:
                return
            if isinstance(reading, Frame):
                # A recording has a time of its own.
                position = moment if camera.live else reading.media_time
                if position - last >= apart:
                    last = position
                    yield reading.image
