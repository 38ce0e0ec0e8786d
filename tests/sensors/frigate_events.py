"""Messages as Frigate 0.16 publishes them, for tests. The fields that nobody reads are there, too."""

import json
from collections.abc import Sequence
from typing import Any

DETECT = (1280, 720)
Path = Sequence[tuple[float, float, float]]
"""Of a person's feet: x and y in shares of the picture, and seconds."""


def event(kind: str, track: str, path: Path, **changes: Any) -> bytes:
    """``kind``: new, update or end. The person is 0.1 wide and 0.4 high, and stands at the end of ``path``."""
    x, y, now = path[-1]
    box = [round((x - 0.05) * DETECT[0]), round((y - 0.4) * DETECT[1])]
    box += [round((x + 0.05) * DETECT[0]), round(y * DETECT[1])]
    after: dict[str, Any] = {
        "id": track,
        "camera": "front_door",
        "frame_time": now,
        "snapshot": {"frame_time": now, "box": box, "area": 12728, "region": [260, 446, 660, 846], "score": 0.77546},
        "label": "person",
        "sub_label": None,
        "top_score": 0.958984375,
        "false_positive": False,
        "start_time": path[0][2] - 0.6,
        "end_time": now if kind == "end" else None,
        "score": 0.7890625,
        "box": box,
        "area": 23744,
        "ratio": 2.113207,
        "region": [264, 450, 667, 853],
        "active": True,
        "stationary": False,
        "motionless_count": 0,
        "position_changes": 2,
        "current_zones": ["driveway"],
        "entered_zones": ["yard", "driveway"],
        "has_clip": False,
        "has_snapshot": False,
        "attributes": {},
        "current_attributes": [],
        "pending_loitering": False,
        "max_severity": "alert",
        "current_estimated_speed": 0,
        "average_estimated_speed": 0,
        "velocity_angle": 0,
        "path_data": [[[round(x, 4), round(y, 4)], when] for x, y, when in path[:-1]],
    }
    return json.dumps({"type": kind, "before": after, "after": after | changes}).encode()


def stats(fps: float = 5.0, camera: str = "front_door") -> bytes:
    """One camera's rates among what else Frigate tells of itself."""
    rates = {"camera_fps": fps, "process_fps": fps, "skipped_fps": 0.0, "detection_fps": 1.2, "detection_enabled": True}
    return json.dumps({"cameras": {camera: rates | {"pid": 1}}, "service": {"version": "0.16.1"}}).encode()
