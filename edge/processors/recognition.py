"""Members who asked for it, recognised in a camera's pictures: tracks to ``arrival`` events.

A face is looked for on the upper part of a followed person (``models/face_search.py``), as often as ``turns.py`` says.
When a good one is found, the next half second is a burst: the two best of its crops become vectors, their mean is
compared with the gallery, and the burst ends with an arrival or with nothing. The crops of a burst are overwritten when
it ends, and half a second after it began in any case, by a clock of its own that needs no further picture (PRIVACY rule
4). What matched nobody is in no file, log or event.
"""

from collections import Counter

from edge.processors.burst import LOOKS, Burst
from edge.processors.gallery import OpenGallery
from edge.processors.recognition_config import RecognitionConfig
from edge.processors.turns import Turns
from models.encoders import FaceEncoder
from models.face_search import FaceFinder, FaceSearch
from models.gallery import Gallery
from models.rule import Decision, MatchRule, Outcome
from models.tracker import Person, Update
from models.zones import Polygon
from sensors.readings import Frame
from sync.events import Arrival, Event, utc
from sync.members.register import Register

BURST_S = 0.4
"""A burst is decided on once, after so long or after ``burst.LOOKS`` good faces: every further decision would be one
more chance for a stranger."""
FORGET_S = 0.5
"""PRIVACY rule 4: what matches nobody is overwritten within so long."""
LOOKS_A_PICTURE = 2
LEAST_HEIGHT_PX = 200
"""Height of a person below which no face has 40 pixels: 2.4 times the distance of the eyes is a fifth of a body."""
SURE = 3
"""Sightings from which a track is a person, as for lines and zones."""


class _Track:
    def __init__(self, finder: FaceFinder) -> None:
        self.search = FaceSearch(finder)
        self.turns = Turns()
        self.burst: Burst | None = None
        self.outcome: Outcome | None = None
        """Of the last burst that could be decided on."""
        self.inside: float | None = None
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
        self.visits: Counter[Outcome] = Counter()
        """The same with each track once: what its last burst said. A visitor has several bursts, and is one chance."""
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
            track = self._tracks.get(person.track)
            if track is None:
                track = self._tracks[person.track] = _Track(self._finder)
            if track.turns.done or person.detections < SURE or not self._may_look(person, track, frame):
                continue
            if track.burst is None and looks >= LOOKS_A_PICTURE:
                continue
            looks += 1
            self._look(frame, person, track)
        for track in self._tracks.values():
            events += self._decided(frame, track, gallery)
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
        height = (person.box[3] - person.box[1]) * frame.image.shape[0]
        if height < LEAST_HEIGHT_PX:
            return False
        if self._spot is not None and not self._stands(person, track, frame.media_time):
            return False
        return track.turns.due(frame.media_time, height, in_burst=track.burst is not None)

    def _stands(self, person: Person, track: _Track, time: float) -> bool:
        """Whether the person has stood in the spot for long enough: who walks past is not looked at."""
        assert self._spot is not None
        if not self._spot.contains(self._spot.place(person)):
            track.inside = None
            return False
        track.inside = time if track.inside is None else track.inside
        return time - track.inside >= self._stand

    def _look(self, frame: Frame, person: Person, track: _Track) -> None:
        height = (person.box[3] - person.box[1]) * frame.image.shape[0]
        face = track.search.find(frame.image, person.box, frame.media_time)
        track.turns.looked(frame.media_time, height, good=face is not None and face.quality.good)
        if face is None:
            return
        if not face.quality.good:
            face.crop[:] = 0
            return
        if track.burst is None:
            track.burst = Burst(frame.media_time, self._forget_after)
        track.burst.add(face)

    def _decided(self, frame: Frame, track: _Track, gallery: Gallery) -> list[Event]:
        burst = track.burst
        if burst is None:
            return []
        if 0 <= frame.media_time - burst.began < BURST_S and burst.seen < LOOKS:
            return []
        decision = burst.decide(self._finder, self._encoder, gallery, again=track.turns.tried)
        burst.forget()
        track.burst = None
        if decision is not None:
            self.outcomes[decision.outcome] += 1
            if track.outcome is not None:
                self.visits[track.outcome] -= 1
            track.outcome = decision.outcome
            self.visits[decision.outcome] += 1
        if decision is None or decision.outcome == "nothing":
            track.turns.in_vain(frame.media_time, decided=decision is not None)
            return []
        track.turns.done = True
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
