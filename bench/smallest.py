"""How high a person must be in the network's input to be found: recall of YOLOX-nano against height, on vtest.

``python -m bench.smallest [--every 20]``. There is no outside truth of every person's box in vtest, so the reference is
the detector's own sure finds at 960 px, where even the smallest person is about 80 px high. The figure therefore says
what is lost by a smaller input, not what is never found at any.
"""

from itertools import pairwise

import click
import numpy as np

from models.detector import Detections, Detector, Floats
from sensors.camera import CameraSource
from sensors.camera_config import CameraConfig
from sensors.readings import Frame, Image
from tests.shared_data import SHARED

REFERENCE, SURE, OVERLAP = 960, 0.5, 0.5
SIZES = (128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 480, 544, 640, 736, 832)
EDGES = (0, 10, 15, 20, 25, 30, 35, 40, 45, 50, 60, 80, 120, 200)


def pictures(every: int) -> list[Image]:
    """Every n-th picture of vtest."""
    config = CameraConfig(url=f"file:{SHARED / 'data/video/vtest.avi'}", every=every, start=0.0)
    with CameraSource(config) as source:
        return [frame.image for frame in source if isinstance(frame, Frame)]


def found(reference: Floats, detections: Detections) -> np.ndarray:
    """For each reference box ``(n, 4)`` whether a detection of its own overlaps it by half (IoU), best score first."""
    hit = np.zeros(len(reference), bool)
    for box in detections.boxes:
        low, high = np.maximum(reference[:, :2], box[:2]), np.minimum(reference[:, 2:], box[2:])
        common = np.prod(np.clip(high - low, 0, None), axis=1)
        area = np.prod(reference[:, 2:] - reference[:, :2], axis=1) + np.prod(box[2:] - box[:2])
        overlap = np.where(hit, 0, common / (area - common))
        if len(overlap) and overlap.max() >= OVERLAP:
            hit[int(overlap.argmax())] = True
    return hit


@click.command()
@click.option("--every", type=click.IntRange(1), default=20, show_default=True)
def main(every: int) -> None:
    """Print recall by height in network pixels, for scores the tracker begins with (0.25) and continues with (0.1)."""
    images = pictures(every)
    best = Detector(long_side=REFERENCE, threshold=SURE)
    reference = []
    for image in images:
        boxes = best.detect(image).boxes
        # People whom the picture's edge cuts have no full height.
        whole = (boxes[:, 0] > 0.01) & (boxes[:, 2] < 0.99) & (boxes[:, 1] > 0.01) & (boxes[:, 3] < 0.99)
        reference.append(boxes[whole])
    height, width = images[0].shape[:2]
    rows: list[tuple[float, bool, bool]] = []
    for size in SIZES:
        pixels = height * size / max(width, height)
        begin, follow = Detector(long_side=size, threshold=0.25), Detector(long_side=size, threshold=0.1)
        for image, boxes in zip(images, reference, strict=True):
            tall = (boxes[:, 3] - boxes[:, 1]) * pixels
            sure, unsure = found(boxes, begin.detect(image)), found(boxes, follow.detect(image))
            rows += zip(tall.tolist(), sure.tolist(), unsure.tolist(), strict=True)
    data = np.array(rows, float)
    click.echo(f"{len(images)} pictures, {sum(map(len, reference))} people, {len(data)} judgements")
    click.echo("height in network px   people   recall at 0.25   at 0.1")
    for low, high in pairwise(EDGES):
        inside = data[(data[:, 0] >= low) & (data[:, 0] < high)]
        if len(inside):
            click.echo(
                f"{low:8d} to {high:<8d} {len(inside):8d} {inside[:, 1].mean():14.2f} {inside[:, 2].mean():10.2f}"
            )


if __name__ == "__main__":
    main()
