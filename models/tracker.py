"""Following people from picture to picture by the overlap of their boxes and by how fast they walk.

All settings are in seconds and in shares of the person's own box, so that the same values serve 5 and 30 frames per
second, skipped frames, and near and far people alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from models.config import TrackerConfig
from models.detector import Detections, Floats

Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

Corners = tuple[float, float, float, float]

_NOT_ALLOWED = 1e6
_WIDTH_OF_HEIGHT = 0.4
_ALIKE = 0.3
"""Logarithm of two heights that may be the same person's: a third more or less."""
_FURTHEST = 1.0
"""Body heights between two pictures beyond which nobody is taken for the same."""
_MOSTLY = 0.5
"""Share of its pictures in which a part lies inside the person that it belongs to."""
_BORDER = 0.005
_BORDER_OF_SIZE = 0.03
"""A box whose edge is nearer to the picture's than this, or than this share of its size, is cut by it."""


@dataclass(frozen=True, slots=True)
class Person:
    """A track as it was seen in one picture.

    ``box`` is x1, y1, x2, y2 as shares of the picture (0–1), as found; ``since`` is the time of its first detection,
    ``detections`` how many there were, this one included; ``score`` the detector's, averaged over them.
    """

    track: int
    box: Corners
    score: float
    since: float
    detections: int
    body: Corners | None = None
    """The whole person, also where the picture's border cuts the box; None: the box itself."""
    whole: bool = True
    """Was seen at least once without being cut by the border: only then is the size known."""
    velocity: tuple[float, float] = (0.0, 0.0)
    """Of the whole person's centre, shares of the picture per second, smoothed."""
    part: bool = False
    """Was seen mostly inside a larger person's box: a bag, an arm, a reflection."""

    @property
    def frame(self) -> Corners:
        """The whole person, x1 y1 x2 y2; may reach beyond the picture."""
        return self.body or self.box


@dataclass(frozen=True, slots=True)
class Update:
    """What one picture changed: who was seen in it, and which tracks are given up for good."""

    people: Sequence[Person]
    ended: Sequence[int]


class Tracker:
    """Two association stages (sure detections first), optimal assignment, constant velocity.

    ``update`` is called once per picture in order of time; track numbers count from 1 and are never used again.
    """

    def __init__(self, config: TrackerConfig | None = None) -> None:
        self._config = config or TrackerConfig()
        self._next = 1
        self._ids = np.empty(0, np.int64)
        self._boxes = np.empty((0, 4))
        """Centre x, y, width, height when last seen."""
        self._velocity = np.empty((0, 2))
        """Of the centre, shares of the picture per second."""
        self._born = np.empty(0)
        self._seen = np.empty(0)
        self._hits = np.empty(0, np.int64)
        self._score = np.empty(0)
        self._bodies = np.empty((0, 4))
        """Centre and size of the whole person, also beyond the border."""
        self._pace = np.empty((0, 2))
        """Its velocity; that of a box that shrinks at the border says less."""
        self._whole = np.empty(0, bool)
        self._inside = np.empty(0, np.int64)
        """In how many pictures it lay inside a larger person's box."""

    def update(self, found: Detections, time: float) -> Update:
        """``time``: seconds of the picture, in the same clock for all pictures."""
        ended = self._drop(time)
        boxes = _centred(found.boxes.astype(np.float64))
        # A box without extent is no person, and has no size to measure by.
        scores = np.where((boxes[:, 2:] > 1e-4).all(axis=1), found.scores, np.float32(-1))
        elapsed = time - self._seen
        expected = self._expected(elapsed)
        margin = self._margin(elapsed)
        owner = np.full(len(found), -1, np.intp)
        sure = np.flatnonzero(scores >= self._config.sure)
        free = self._assign(owner, boxes, sure, expected, margin, np.arange(len(self._ids)))
        unsure = np.flatnonzero((scores >= self._config.unsure) & (scores < self._config.sure))
        recent = free[elapsed[free] <= self._config.unsure_within]
        self._assign(owner, boxes, unsure, expected, margin, recent)
        self._assign_fast(
            owner, boxes, sure[owner[sure] < 0], free[self._hits[free] < self._config.sure_after], elapsed
        )
        matched = np.flatnonzero(owner >= 0)
        self._see(owner[matched], boxes[matched], scores[matched], time)
        new = self._apart(owner, boxes, sure[owner[sure] < 0])
        owner[new] = len(self._ids) + np.arange(len(new))
        self._begin(boxes[new], scores[new], time)
        shown = np.flatnonzero(owner >= 0)
        self._note_parts(owner[shown])
        return Update([self._person(int(owner[i]), found, int(i)) for i in shown], ended)

    def finish(self) -> Sequence[int]:
        """Give up all tracks at the end of the stream, and return their numbers."""
        ended = [int(number) for number in self._ids]
        self._keep(np.zeros(len(self._ids), bool))
        return ended

    def _drop(self, time: float) -> Sequence[int]:
        # A track seen in few pictures is more often a flicker than a person: it is not kept as long.
        patience = np.where(self._hits < self._config.sure_after, self._config.lost_new, self._config.lost_after)
        alive = (time - self._seen <= patience) & (time >= self._seen)
        ended = [int(number) for number in self._ids[~alive]]
        if ended:
            self._keep(alive)
        return ended

    def _keep(self, alive: npt.NDArray[np.bool_]) -> None:
        self._ids, self._boxes, self._velocity = self._ids[alive], self._boxes[alive], self._velocity[alive]
        self._born, self._seen, self._hits = self._born[alive], self._seen[alive], self._hits[alive]
        self._score, self._bodies, self._pace = self._score[alive], self._bodies[alive], self._pace[alive]
        self._whole, self._inside = self._whole[alive], self._inside[alive]

    def _expected(self, elapsed: Doubles) -> Doubles:
        """Where the boxes should be now. Out of sight people slow down: nobody crosses the whole picture unseen."""
        fade = self._config.coast
        reach = fade * -np.expm1(-elapsed / fade)
        expected = self._boxes.copy()
        expected[:, :2] += self._velocity * reach[:, None]
        return expected

    def _margin(self, elapsed: Doubles) -> Doubles:
        """How far a box may be from where it was expected, ``(n, 2)``: a share of its size, and of a stride."""
        unknown = np.where(self._hits < self._config.sure_after, self._config.stride_new, self._config.stride)
        stride = (unknown * np.minimum(elapsed, 1.0) * self._boxes[:, 3])[:, None]
        return self._config.grow / 2 * self._boxes[:, 2:] + stride

    def _assign(
        self, owner: Indices, boxes: Doubles, which: Indices, expected: Doubles, margin: Doubles, tracks: Indices
    ) -> Indices:
        """Give detections ``which`` to ``tracks``; writes ``owner`` and returns the tracks that got none."""
        if not len(which) or not len(tracks):
            return tracks
        overlap, _ = _overlap(expected[tracks], boxes[which], margin[tracks])
        cost = np.where(overlap > self._config.least_overlap, 1 - overlap, _NOT_ALLOWED)
        rows, columns = linear_sum_assignment(cost)
        good = cost[rows, columns] < _NOT_ALLOWED
        owner[which[columns[good]]] = tracks[rows[good]]
        return np.delete(tracks, rows[good])

    def _assign_fast(self, owner: Indices, boxes: Doubles, which: Indices, tracks: Indices, elapsed: Doubles) -> None:
        """What is left: new tracks, whose speed is not known yet, and people who ran further than their boxes reach."""
        if not len(which) or not len(tracks):
            return
        height = self._boxes[tracks, 3][:, None]
        wide = self._boxes[tracks, 2][:, None]
        away = np.abs(self._boxes[tracks][:, None, :2] - boxes[which][None, :, :2])
        # Shares of the picture's width and height differ in length; a box is taken as 0.4 times as wide as high.
        distance = np.hypot(away[..., 0] / np.maximum(wide, 1e-9) * _WIDTH_OF_HEIGHT, away[..., 1] / height)
        alike = np.abs(np.log(boxes[which, 3][None, :] / height)) <= _ALIKE
        reach = self._config.run * elapsed[tracks][:, None]
        cost = np.where(alike & (distance <= np.minimum(reach, _FURTHEST)), distance, _NOT_ALLOWED)
        rows, columns = linear_sum_assignment(cost)
        good = cost[rows, columns] < _NOT_ALLOWED
        owner[which[columns[good]]] = tracks[rows[good]]

    def _apart(self, owner: Indices, boxes: Doubles, new: Indices) -> Indices:
        """Those of ``new`` (best first) that may begin a track: a second box on a followed person is that person.

        Such a box overlaps the whole person, or is a part that lies inside (a torso, a head with shoulders).
        """
        if not len(new):
            return new
        others = np.concatenate([np.flatnonzero(owner >= 0), new])
        overlap, within = _overlap(boxes[new], boxes[others], np.zeros((len(new), 2)))
        clash = (overlap > self._config.apart) | (within > self._config.within)
        chosen: list[int] = []
        known = len(others) - len(new)
        for row in range(len(new)):
            if not clash[row, [*range(known), *(known + index for index in chosen)]].any():
                chosen.append(row)
        return new[chosen]

    def _see(self, tracks: Indices, boxes: Doubles, scores: Floats, time: float) -> None:
        elapsed = np.maximum(time - self._seen[tracks], 1e-3)[:, None]
        measured = (boxes[:, :2] - self._boxes[tracks, :2]) / elapsed
        # Smoothing per second, not per picture: 0.35 at 10 frames per second. A second sighting sets the velocity.
        weight = -np.expm1(-elapsed / self._config.smooth)
        weight = np.maximum(weight, 1 / np.maximum(self._hits[tracks], 1)[:, None])
        self._velocity[tracks] += weight * (measured - self._velocity[tracks])
        self._boxes[tracks] = boxes
        before = self._bodies[tracks, :2]
        self._complete(tracks, boxes)
        self._pace[tracks] += weight * ((self._bodies[tracks, :2] - before) / elapsed - self._pace[tracks])
        self._seen[tracks] = time
        self._hits[tracks] += 1
        self._score[tracks] += (scores - self._score[tracks]) / self._hits[tracks]

    def _complete(self, tracks: Indices, boxes: Doubles) -> None:
        """Where the whole person is. A cut box says only that the person covers it.

        The size is then the last one seen whole (or the largest so far), and the centre the nearest to where it was
        that covers the box: what shrinks or grows at the border has not moved for that.
        """
        low, high = boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2
        before, after = _cut(low, high)
        cut = before | after
        # Legs alone are cut off by a side and leave little of the height; a lower edge leaves all of the width.
        cut[:, 1] |= cut[:, 0]
        self._whole[tracks] |= ~cut[:, 1]
        if not cut.any():
            self._bodies[tracks] = boxes
            return
        kept = self._bodies[tracks]
        size = np.where(cut, np.maximum(boxes[:, 2:], kept[:, 2:]), boxes[:, 2:])
        # A cut edge bounds nothing: there the person ends at the other one.
        least = np.where(after & ~before, low + size / 2, high - size / 2)
        most = np.where(before & ~after, high - size / 2, low + size / 2)
        self._bodies[tracks] = np.concatenate([np.clip(kept[:, :2], least, np.maximum(least, most)), size], axis=1)

    def _note_parts(self, tracks: Indices) -> None:
        """Count who lies inside a box of at least ``part`` times the size."""
        if len(tracks) < 2:
            return
        boxes = self._boxes[tracks]
        _, within = _overlap(boxes, boxes, np.zeros((len(boxes), 2)))
        # Of whole bodies: somebody whom the border cuts is no smaller for that.
        area = self._bodies[tracks, 2] * self._bodies[tracks, 3]
        larger = area[None, :] >= self._config.part * area[:, None]
        self._inside[tracks] += (larger & (within > self._config.within)).any(axis=1)

    def _begin(self, boxes: Doubles, scores: Floats, time: float) -> None:
        count = len(boxes)
        if not count:
            return
        self._ids = np.concatenate([self._ids, np.arange(self._next, self._next + count)])
        self._boxes = np.concatenate([self._boxes, boxes])
        self._velocity = np.concatenate([self._velocity, np.zeros((count, 2))])
        self._born = np.concatenate([self._born, np.full(count, time)])
        self._seen = np.concatenate([self._seen, np.full(count, time)])
        self._hits = np.concatenate([self._hits, np.ones(count, np.int64)])
        self._score = np.concatenate([self._score, scores])
        self._bodies = np.concatenate([self._bodies, boxes])
        self._pace = np.concatenate([self._pace, np.zeros((count, 2))])
        low, high = boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2
        self._whole = np.concatenate([self._whole, ~np.any(_cut(low, high), axis=(0, 2))])
        self._inside = np.concatenate([self._inside, np.zeros(count, np.int64)])
        self._next += count

    def _person(self, index: int, found: Detections, detection: int) -> Person:
        x1, y1, x2, y2 = found.boxes[detection].tolist()
        x, y, width, height = self._bodies[index].tolist()
        across, down = self._pace[index].tolist()
        hits = int(self._hits[index])
        return Person(
            int(self._ids[index]),
            (x1, y1, x2, y2),
            float(self._score[index]),
            float(self._born[index]),
            hits,
            (x - width / 2, y - height / 2, x + width / 2, y + height / 2),
            bool(self._whole[index]),
            (across, down),
            bool(self._inside[index] > _MOSTLY * hits),
        )


def _cut(low: Doubles, high: Doubles) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which boxes the border cuts, ``(n, 2)`` for x and y: before their lower edge, and behind their higher one."""
    near = np.maximum(_BORDER, _BORDER_OF_SIZE * (high - low))
    return low <= near, high >= 1 - near


def cut_by_border(box: Corners) -> tuple[bool, bool, bool, bool]:
    """Whether the picture's left, upper, right and lower border cut a box."""
    near_x = max(_BORDER, _BORDER_OF_SIZE * (box[2] - box[0]))
    near_y = max(_BORDER, _BORDER_OF_SIZE * (box[3] - box[1]))
    return box[0] <= near_x, box[1] <= near_y, box[2] >= 1 - near_x, box[3] >= 1 - near_y


def _centred(boxes: Doubles) -> Doubles:
    """Corners to centre and size."""
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)


def _overlap(first: Doubles, second: Doubles, margin: Doubles) -> tuple[Doubles, Doubles]:
    """Of ``(n, 4)`` and ``(m, 4)`` boxes, both grown by ``margin`` ``(n, 2)`` on each side.

    Intersection over union, and the share of the first that lies in the second.
    """
    half_a = (first[:, 2:] / 2 + margin)[:, None, :]
    half_b = (second[:, 2:] / 2)[None, :, :] + margin[:, None, :]
    distance = np.abs(first[:, None, :2] - second[None, :, :2])
    common = np.clip(np.minimum(half_a + half_b - distance, 2 * np.minimum(half_a, half_b)), 0, None)
    shared = common[..., 0] * common[..., 1]
    area = 4 * half_a[..., 0] * half_a[..., 1]
    union = area + 4 * half_b[..., 0] * half_b[..., 1] - shared
    return shared / np.maximum(union, 1e-12), shared / np.maximum(area, 1e-12)
