"""``python -m bench.frigate``: what is lost when a camera is counted from Frigate's messages instead of its pictures.

There is no Frigate here. Our detector and tracker stand in for its own, at its 5 pictures a second; what they follow is
written as Frigate 0.16 would: nobody before three sightings, a point of the path for each move of 5 % of the diagonal
(its rule, in pixels over the longer side), one message when a track begins and one when it ends. These go through
``sensors.frigate`` and ``edge.processors.followed``. Prints correct/false/missed crossings within a second, and the
same for the pictures themselves.
"""

import argparse
import json
import math
import sys
from dataclasses import dataclass, field
from pathlib import Path

from bench.counting_peers import Counted
from bench.vision import SHARED, compare, decoded, detected, ours
from edge.processors.followed import FollowedProcessor
from edge.processors.footfall import FootfallConfig, LineConfig
from models.lines import Line
from models.tracker import Person, Tracker
from sensors.frigate import sightings
from sensors.frigate_config import FrigateConfig
from sensors.readings import Attention
from sync.events import Event, Visit

T0 = 1_700_000_000.0
DETECT = (768, 576)
CONFIRMED = 3


@dataclass
class Followed:
    """One person as the stand-in remembers them."""

    path: list[tuple[float, float, float]] = field(default_factory=list)
    last: tuple[Person, float] | None = None

    def see(self, person: Person, moment: float) -> None:
        """One more sighting; a point only for a move, by Frigate's rule."""
        x1, _, x2, y2 = person.box
        point = ((x1 + x2) / 2, y2)
        threshold = 0.05 * math.hypot(*DETECT) / max(DETECT)
        if len(self.path) < 2 or math.dist(self.path[-1][:2], point) >= threshold:
            self.path.append((*point, moment))
        self.last = person, moment

    def message(self, track: int, kind: str) -> bytes:
        """As Frigate publishes it."""
        assert self.last is not None
        person, moment = self.last
        box = [round(side * DETECT[index % 2]) for index, side in enumerate(person.box)]
        after = {"id": f"{track}-bench", "camera": "vtest", "label": "person", "false_positive": False, "box": box}
        after |= {"frame_time": moment, "start_time": self.path[0][2], "end_time": moment if kind == "end" else None}
        after |= {"score": round(person.score, 4), "path_data": [[[x, y], at] for x, y, at in self.path]}
        return json.dumps({"type": kind, "before": None, "after": after}).encode()


def as_frigate(found: list[tuple[float, bytes]], line: Line) -> Counted:
    """The crossings that the messages, each with the moment it came, add up to."""
    config = LineConfig(name=line.name, start=line.start, end=line.end, entering="positive", anchor=line.anchor)
    camera = FrigateConfig(name="vtest", camera="vtest", detect=DETECT)
    processor = FollowedProcessor("vtest", FootfallConfig(lines=(config,)), "frigate")
    events: list[Event] = [*processor.process(Attention(T0, None))]
    for moment, payload in found:
        for sighting in sightings(payload, camera, moment):
            events += processor.process(sighting)
    visits = [(event.time.timestamp() - T0, event.data) for event in events if isinstance(event.data, Visit)]
    return [(moment, "L2R" if visit.direction == "in" else "R2L") for moment, visit in visits]


def main() -> int:
    """Returns 2 where the recording is not there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", type=Path, default=SHARED / "vtest.avi")
    parser.add_argument("--truth", type=Path, default=SHARED / "vtest.truth.json")
    parser.add_argument("--every", type=int, default=2)
    arguments = parser.parse_args()
    if not arguments.video.exists():
        print(f"{arguments.video} is not there")
        return 2
    truth = json.loads(arguments.truth.read_text())["lines"][0]
    line = Line("a", tuple(truth["p1"]), tuple(truth["p2"]), "centre")
    frames, _, fps = decoded(arguments.video, arguments.every)
    found, _ = detected(frames, 416)
    tracker, people, sent = Tracker(), dict[int, Followed](), list[tuple[float, bytes]]()
    for moment, detections in found:
        update = tracker.update(detections, moment)
        for person in update.people:
            if person.detections >= CONFIRMED:
                people.setdefault(person.track, Followed()).see(person, T0 + moment)
        for track in update.ended:
            if track in people:
                sent.append((T0 + moment, people.pop(track).message(track, "end")))
    sent += [(T0 + found[-1][0], followed.message(track, "end")) for track, followed in people.items()]
    for name, counted in (("pictures", ours(found, line)), ("Frigate's messages", as_frigate(sent, line))):
        print(f"{name} at {fps:g} fps: %d/%d/%d correct/false/missed" % compare(counted, truth))
    print(f"{len(sent)} messages, {sum(len(payload) for _, payload in sent) / max(1, len(sent)):.0f} bytes each")
    return 0


if __name__ == "__main__":
    sys.exit(main())
