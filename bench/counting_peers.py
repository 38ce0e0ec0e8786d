"""The libraries that counting is compared with, each on the same detections and with its own line.

They are no dependencies and belong into a virtual environment of their own, beside the project's requirements:

    pip install 'supervision<0.31' trackers norfair
    pip install --no-deps --ignore-requires-python mesopic==0.1.2   # asks for 3.12; tracker and geometry run on 3.11
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from models.detector import Detections
from models.lines import Line

Counted = list[tuple[float, str]]
"""Time in seconds, and ``L2R`` for a change to the line's positive side, ``R2L`` for one to its negative side.

For a line that is drawn downwards these are left to right and right to left.
"""
Found = Sequence[tuple[float, Detections]]
"""Media time in seconds and what the detector found."""
Followed = list[tuple[int, npt.NDArray[np.float64]]]
"""Of one picture: a track's number and its x1 y1 x2 y2 in pixels."""
Rig = Callable[[Found, Line, float, tuple[int, int]], Counted]
"""Detections, line, pictures per second, and the picture's width and height in pixels."""


def line_zone(update: Callable[[Any], Any], found: Found, line: Line, size: tuple[int, int]) -> Counted:
    """Supervision's LineZone (centre anchor) behind a tracker that takes and gives supervision's Detections."""
    import supervision as sv  # type: ignore[import-not-found,unused-ignore]

    wide, high = size
    points = [sv.Point(x * wide, y * high) for x, y in (line.start, line.end)]
    zone = sv.LineZone(*points, triggering_anchors=[sv.Position.CENTER])
    result: Counted = []
    for moment, detections in found:
        boxes = detections.boxes * np.array([wide, high] * 2, np.float32)
        people = update(sv.Detections(xyxy=boxes, confidence=detections.scores, class_id=np.zeros(len(boxes), int)))
        if people.tracker_id is not None:
            people = people[people.tracker_id >= 0]
        entered, left = zone.trigger(people)
        # "In" of a zone is towards the left of the way from its start to its end: to the right for a line drawn down.
        result += [(moment, "L2R")] * int(np.sum(entered)) + [(moment, "R2L")] * int(np.sum(left))
    return result


def supervision_peer(found: Found, line: Line, fps: float, size: tuple[int, int]) -> Counted:
    """Supervision's ByteTrack and LineZone, default settings but the frame rate; lower thresholds gain nothing."""
    from supervision.tracker import ByteTrack  # type: ignore[import-not-found,unused-ignore]

    return line_zone(ByteTrack(frame_rate=max(1, round(fps))).update_with_detections, found, line, size)


def trackers_peer(found: Found, line: Line, fps: float, size: tuple[int, int]) -> Counted:
    """Roboflow's trackers ByteTrack with LineZone; thresholds as low as ours: its defaults drop half of the boxes."""
    from trackers import ByteTrackTracker  # type: ignore[import-not-found,unused-ignore]

    tracker = ByteTrackTracker(frame_rate=fps, track_activation_threshold=0.25, high_conf_det_threshold=0.25)
    return line_zone(tracker.update, found, line, size)


def norfair_peer(found: Found, line: Line, fps: float, size: tuple[int, int]) -> Counted:
    """Norfair's tracker, IoU, at its best setting on this clip (0.5–0.95 tried), with a plain change of sides."""
    import norfair  # type: ignore[import-not-found,unused-ignore]

    scale = np.array(size, np.float32)
    patience = max(1, round(2 * fps))
    tracker = norfair.Tracker("iou", distance_threshold=0.9, hit_counter_max=patience, initialization_delay=1)
    last: dict[int, npt.NDArray[np.float64]] = {}
    result: Counted = []
    for moment, detections in found:
        sure = detections.scores >= 0.25
        people = [norfair.Detection(box.reshape(2, 2) * scale) for box in detections.boxes[sure]]
        for person in tracker.update(detections=people):
            centre = person.estimate.mean(axis=0) / scale
            before = last.get(person.id)
            if before is not None and line.side(tuple(before)) * line.side(tuple(centre)) < 0:
                within = int(0 <= line.along(tuple((before + centre) / 2)) <= 1)
                result += [(moment, "L2R" if line.side(tuple(centre)) > 0 else "R2L")] * within
            last[person.id] = centre
    return result


def mesopic_peer(found: Found, line: Line, fps: float, size: tuple[int, int]) -> Counted:
    """Mesopic's ByteTrack and geometry (foot points) at its default settings: it sees scores from 0.35.

    Lower thresholds make it worse (32/26/1 on vtest with 0.15 instead of 0.5).
    """
    from mesopic.analytics.geometry import GeometryAnalytics  # type: ignore[import-not-found,unused-ignore]
    from mesopic.analytics.site_geometry import (  # type: ignore[import-not-found,unused-ignore]
        PreparedLine,
        SiteGeometry,
    )
    from mesopic.tracker.bytetrack import ByteTrackTracker  # type: ignore[import-not-found,unused-ignore]
    from mesopic.types import (  # type: ignore[import-not-found,unused-ignore]
        DecodedFrame,
        Detection,
        Direction,
        EventKind,
    )

    drawn = PreparedLine("line", "camera", line.start, line.end, Direction.IN, ())
    analytics = GeometryAnalytics(SiteGeometry({"camera": ()}, {"camera": (drawn,)}))
    tracker, picture = ByteTrackTracker(), np.zeros((1, 1, 3), np.uint8)
    result: Counted = []
    for moment, detections in found:
        clock = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=moment)
        boxes = np.rint(detections.boxes * np.array([*size, *size])).astype(int).tolist()
        rows = [
            Detection(tuple(box), float(score))
            for box, score in zip(boxes, detections.scores, strict=True)
            if score >= 0.35 and box[2] > box[0] and box[3] > box[1]
        ]
        tracks = tracker.update(DecodedFrame("camera", clock, picture, *size), rows)
        for event in analytics.on_tracks("camera", tracks, ts=clock):
            if event.kind is EventKind.LINE_CROSS:
                # Its +1 is the side on which ours is negative.
                result.append((moment, "R2L" if event.direction > 0 else "L2R"))
    return result


PEERS: tuple[tuple[str, Rig], ...] = (
    ("supervision", supervision_peer),
    ("trackers", trackers_peer),
    ("norfair", norfair_peer),
    ("mesopic", mesopic_peer),
)


def _tracker_of(update: Callable[[Any], Any]) -> Callable[[Detections, float], Followed]:
    import supervision as sv

    def follow(found: Detections, moment: float) -> Followed:
        boxes = found.boxes.astype(np.float64) * np.array([640, 480, 640, 480])
        people = update(sv.Detections(xyxy=boxes, confidence=found.scores, class_id=np.zeros(len(boxes), int)))
        numbers = [] if people.tracker_id is None else people.tracker_id.tolist()
        return [(number, box) for number, box in zip(numbers, people.xyxy, strict=True) if number >= 0]

    return follow


def supervision_tracks(fps: float) -> Callable[[Detections, float], Followed]:
    """Supervision's ByteTrack, default settings but the frame rate."""
    from supervision.tracker import ByteTrack

    return _tracker_of(ByteTrack(frame_rate=round(fps)).update_with_detections)


def trackers_tracks(fps: float) -> Callable[[Detections, float], Followed]:
    """Roboflow's trackers ByteTrack, thresholds as for counting."""
    from trackers import ByteTrackTracker

    return _tracker_of(
        ByteTrackTracker(frame_rate=fps, track_activation_threshold=0.25, high_conf_det_threshold=0.25).update
    )


def norfair_tracks(fps: float) -> Callable[[Detections, float], Followed]:
    """Norfair's tracker as for counting; only people seen in the picture, as the others report them."""
    import norfair

    tracker = norfair.Tracker("iou", distance_threshold=0.9, hit_counter_max=round(2 * fps), initialization_delay=1)

    def follow(found: Detections, moment: float) -> Followed:
        boxes = found.boxes[found.scores >= 0.25].reshape(-1, 2, 2) * np.array([640, 480])
        rows = [norfair.Detection(box) for box in boxes]
        people = tracker.update(detections=rows)
        return [(p.id, p.last_detection.points.reshape(4)) for p in people if any(p.last_detection is r for r in rows)]

    return follow


def mesopic_tracks(fps: float) -> Callable[[Detections, float], Followed]:
    """Mesopic's ByteTrack at its default settings; its boxes are private, its tracks publish foot points only."""
    from mesopic.tracker.bytetrack import ByteTrackTracker
    from mesopic.types import DecodedFrame, Detection

    tracker, picture = ByteTrackTracker(), np.zeros((1, 1, 3), np.uint8)

    def follow(found: Detections, moment: float) -> Followed:
        clock = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=moment)
        boxes = np.rint(found.boxes * np.array([640, 480, 640, 480])).astype(int).tolist()
        rows = [Detection(tuple(b), float(s)) for b, s in zip(boxes, found.scores, strict=True) if s >= 0.35]
        seen = tracker.update(DecodedFrame("camera", clock, picture, 640, 480), rows)
        shown = {track.track_id for track in seen if track.time_since_update == 0}
        return [(int(t.track_id), np.array(t.box, float)) for t in tracker._tracks if t.track_id in shown]

    return follow


FOLLOWERS: tuple[tuple[str, Callable[[float], Callable[[Detections, float], Followed]]], ...] = (
    ("supervision", supervision_tracks),
    ("trackers", trackers_tracks),
    ("norfair", norfair_tracks),
    ("mesopic", mesopic_tracks),
)
"""Trackers alone, for pictures of 640×480."""
