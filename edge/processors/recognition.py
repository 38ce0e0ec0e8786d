"""Members who asked for it, recognised in a camera's pictures: tracks to ``arrival`` events.

A face is looked for on the upper part of a followed person. When a good one is found, the next half second is a burst:
each good picture becomes a vector, their mean is compared with the gallery, and the burst ends with an arrival or with
nothing. Crops and vectors of a burst are overwritten when it ends, and half a second after it began in any case, by a
clock of its own that needs no further picture (PRIVACY rule 4). What matched nobody is in no file, log or event.
"""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from edge.processors.gallery import OpenGallery
from edge.processors.recognition_config import RecognitionConfig
from models.alignment import Floats
from models.encoders import FaceEncoder
from models.face_quality import MATCHED, face_quality, main_face
from models.faces import Faces
from models.rule import Decision, MatchRule, Outcome
from models.tracker import Person, Update
from models.visit import FRAMES, VisitFace
from models.zones import Polygon
from sensors.readings import Frame, Image
from sync.events import Arrival, Event, utc
from sync.members.register import Register

BURST_S = 0.4
"""A burst is decided on once, after so long or after ``models.visit.FRAMES`` faces: every further decision would be one
more chance for a stranger."""
APART_S = 0.08
"""Between two faces of a burst: what follows sooner shows the same thing again."""
FORGET_S = 0.5
"""PRIVACY rule 4: what matches nobody is overwritten within so long."""
LEAST_FRAMES = 2
"""Good pictures of one face before anything is said: with one, 3 to 13 points of TPIR are lost (docs/figures.md)."""
LOOK_EVERY_S = 0.3
"""How often a face is looked for on a person without a burst."""
REST_S = 0.4
"""After a burst that ended with nothing."""
MOST_BURSTS = 5
"""Per track: at most so much is spent on a stranger, and so many chances has one."""
LOOKS_A_PICTURE = 2
HEAD_SHARE = 0.45
"""Upper part of a person's box in which the face is looked for."""
LEAST_HEIGHT_PX = 200
"""Height of a person below which no face has 40 pixels: 2.4 times the distance of the eyes is a fifth of a body."""
SURE = 3
"""Sightings from which a track is a person, as for lines and zones."""


class FaceFinder(Protocol):
    """What finds faces: ``models.faces.FaceDetector``, or a test's own."""

    def detect(self, image: Image, /) -> Faces: ...


class _Burst:
    """Half a second of one face. Used by the camera's thread, and by its own timer, which only ends it."""

    def __init__(self, rule: MatchRule, began: float, forget_after: float) -> None:
        self.began = began
        self._face = VisitFace(rule.jump)
        self._lock = threading.Lock()
        self._over = False
        self._timer = threading.Timer(forget_after, self.forget)
        self._timer.daemon = True
        self._timer.start()

    def add(self, vector: Floats) -> None:
        with self._lock:
            if not self._over:
                self._face.add(vector)

    def __len__(self) -> int:
        return len(self._face)

    def decide(self, decide: Callable[[Floats], Decision]) -> Decision | None:
        """The decision over the faces so far; None with too few, or when its time was up."""
        with self._lock:
            if self._over or len(self._face) < LEAST_FRAMES:
                return None
            probe = self._face.probe
            try:
                return decide(probe)
            finally:
                probe[:] = 0

    def forget(self) -> None:
        """Overwrite everything."""
        with self._lock:
            self._over = True
            self._face.forget()
        self._timer.cancel()


@dataclass(slots=True)
class _Track:
    looked: float = float("-inf")
    bursts: int = 0
    done: bool = False
    burst: _Burst | None = None
    inside: float | None = None
    """Media time since which the person stands in the spot."""


class Recogniser:
    """One camera, in mode check_in (its spot) or entrance.

    ``forget_after``: seconds of real time; longer only for a recording that is analysed more slowly than it was filmed.
    ``only_counting``: nobody is told of anybody, only ``outcomes`` grow: for measuring a site.
    """

    def __init__(
        self,
        sensor: str,
        config: RecognitionConfig,
        finder: FaceFinder,
        encoder: FaceEncoder,
        gallery: OpenGallery,
        register: Register,
        *,
        forget_after: float = FORGET_S,
        only_counting: bool = False,
    ) -> None:
        self._forget_after = forget_after
        self._only_counting = only_counting
        self.outcomes: Counter[Outcome] = Counter()
        """How the bursts ended that could be decided on; numbers, and nobody's face."""
        self._sensor = sensor
        self._config = config
        self._finder = finder
        self._encoder = encoder
        self._gallery = gallery
        self._register = register
        spot = next((each for each in config.spots if each.camera == sensor), None)
        self._spot = Polygon("spot", spot.polygon) if config.mode == "check_in" and spot is not None else None
        self._stand = 0.0 if spot is None else spot.seconds
        self._tracks: dict[int, _Track] = {}
        self._arrived: dict[str, float] = {}
        """Members whose arrival was told, and when: one arrival per visit."""

    def picture(self, frame: Frame, update: Update) -> list[Event]:
        """The arrivals that this picture completes; its image is not kept."""
        for ended in update.ended:
            self._drop(ended)
        gallery = self._gallery.now(frame.time)
        if gallery is None:
            self.close()
            return []
        events: list[Event] = []
        looks = 0
        # The largest first: whoever is nearest to the camera is about to be greeted.
        for person in sorted(update.people, key=lambda each: each.box[1] - each.box[3]):
            track = self._tracks.setdefault(person.track, _Track())
            if track.done or person.detections < SURE or not self._may_look(person, track, frame):
                continue
            if track.burst is None and looks >= LOOKS_A_PICTURE:
                continue
            looks += 1
            self._look(frame, person, track)
        for track in self._tracks.values():
            events += self._decided(frame, track, gallery.decide)
        return events

    def close(self) -> None:
        """Forget everything that was not decided."""
        for number in list(self._tracks):
            self._drop(number)

    def _drop(self, number: int) -> None:
        track = self._tracks.pop(number, None)
        if track is not None and track.burst is not None:
            track.burst.forget()

    def _may_look(self, person: Person, track: _Track, frame: Frame) -> bool:
        if (person.box[3] - person.box[1]) * frame.image.shape[0] < LEAST_HEIGHT_PX:
            return False
        if self._spot is not None and not self._stands(person, track, frame.media_time):
            return False
        wait = APART_S if track.burst is not None else REST_S if track.bursts else LOOK_EVERY_S
        return not 0 <= frame.media_time - track.looked < wait - 1e-3

    def _stands(self, person: Person, track: _Track, time: float) -> bool:
        """Whether the person has stood in the spot for long enough: who walks past is not looked at."""
        assert self._spot is not None
        if not self._spot.contains(self._spot.place(person)):
            track.inside = None
            return False
        track.inside = time if track.inside is None else track.inside
        return time - track.inside >= self._stand

    def _look(self, frame: Frame, person: Person, track: _Track) -> None:
        track.looked = frame.media_time
        crop = _head(frame.image, person)
        try:
            faces = self._finder.detect(crop)
            chosen = main_face(faces, *crop.shape[:2])
            if chosen is None or not face_quality(crop, faces.landmarks[chosen], MATCHED).good:
                return
            if track.burst is None:
                track.burst = _Burst(self._encoder.rule, frame.media_time, self._forget_after)
                track.bursts += 1
            vectors = self._encoder.encode(crop, faces.landmarks[chosen : chosen + 1])
            track.burst.add(vectors[0])
            vectors[:] = 0
        finally:
            crop[:] = 0

    def _decided(
        self,
        frame: Frame,
        track: _Track,
        decide: Callable[[Floats], Decision],
    ) -> list[Event]:
        burst = track.burst
        if burst is None:
            return []
        if 0 <= frame.media_time - burst.began < BURST_S and len(burst) < FRAMES:
            return []
        decision = burst.decide(decide)
        burst.forget()
        track.burst = None
        if decision is not None:
            self.outcomes[decision.outcome] += 1
        if decision is None or decision.outcome == "nothing":
            track.done = track.bursts >= MOST_BURSTS
            return []
        track.done = True
        if self._only_counting:
            return []
        return self._arrivals(decision, frame.time)

    def _arrivals(self, decision: Decision, time: float) -> list[Event]:
        names = [decision.member]
        if decision.outcome == "ambiguous":
            names.append(decision.runner_up)
        members = tuple(name for name in names if name is not None)
        if any(0 <= time - self._arrived.get(name, float("-inf")) < self._config.card_seconds for name in members):
            return []
        for name in members:
            self._arrived[name] = time
            self._register.look(name, "box", "matched", time)
        if len(members) == 1:
            self._register.seen(members[0], time)
        arrival = Arrival(
            candidates=members,
            method="face",
            confidence=confidence(decision, self._encoder.rule),
            expires=utc(time + self._config.card_seconds),
        )
        return [Event.new(self._sensor, time, arrival)]


def confidence(decision: Decision, rule: MatchRule) -> float:
    """0.5 at the edge of the rule, 1 where nobody else is near: for ordering, and no probability."""
    return round(min(1.0, max(0.5, 1 - 0.5 * decision.ratio / rule.ratio)), 3)


def _head(image: Image, person: Person) -> Image:
    """A copy of the upper part of a person, a little wider than the box."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = person.box
    aside, above = 0.1 * (x2 - x1), 0.05 * (y2 - y1)
    left, right = max(0, round((x1 - aside) * width)), min(width, round((x2 + aside) * width))
    top, bottom = max(0, round((y1 - above) * height)), min(height, round((y1 + HEAD_SHARE * (y2 - y1)) * height))
    return image[top : max(bottom, top + 1), left : max(right, left + 1)].copy()
