"""Members' templates and the rule that tells them from strangers and from each other.

The rule compares with everybody: a face is a member's when it is clearly nearer to that member than to the next
identity, among the other members and about 100 decoys that are nobody. The ratio of two distances transfers between
populations where a distance does not: the customary 0.6 of dlib's encodings accepts 99 % of strangers in a gallery of
19 Asian members, a ratio of 0.75 accepts 0.07 % (docs/decisions.md, Faces).

A probe is compared and forgotten: nothing here keeps a reference to it, writes a file or logs.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from models.alignment import Floats, unit
from models.errors import ModelError
from models.rule import Decision, MatchRule

LEAST_PICTURES = 3
"""Pictures of a template: with a mean of 3 an error of one picture no longer decides."""
TAP_FACTOR = 0.96
LEAST_FACTOR = 0.7
"""Each "wrong person" tap lowers the ratio that the member needs by 4 %, down to 70 %. The stranger's vector, which
would teach more, must not be kept (a face that matches nobody leaves nothing)."""
_BOUND_FROM, _HEAD, _SPREADS = 2000, 64, 2.4
"""Rows from which bounds pay, numbers in the bound, and how far above the mean bound, in standard deviations, the rows
lie that are compared in full first: a few dozens of 10,000 (``python -m bench.faces lookup``)."""
_RINSED = 1024
"""Rows of a product that OpenBLAS makes in the same memory as one of all rows: with few it uses the stack."""
_DUPLICATE = 0.85
"""Two identities are taken for one person when their distance is below this share of the rule's cap."""


def template(vectors: Floats) -> Floats:
    """A member's template, ``(size,)``: the mean of three or more unit vectors of one person, ``(n, size)``.

    Of unit length itself. Raises ``ModelError`` for fewer and for vectors that are none.
    """
    rows = np.asarray(vectors, np.float32)
    if rows.ndim != 2 or len(rows) < LEAST_PICTURES:
        raise ModelError(f"{len(rows)} pictures are too few for a template", f"take at least {LEAST_PICTURES}")
    if not np.isfinite(rows).all() or np.abs(np.linalg.norm(rows, axis=1) - 1).max() > 1e-3:
        raise ModelError("these are not vectors of unit length", "take them from FaceEncoder.encode")
    return unit(rows.mean(axis=0))


class Gallery:
    """The templates of one store, ready to be searched. It is not changed: a new member makes a new gallery."""

    def __init__(
        self,
        members: Mapping[str, Floats],
        rule: MatchRule,
        decoys: Floats,
        wrong_taps: Mapping[str, int] | None = None,
    ) -> None:
        """``members``: each one's templates, ``(k, size)`` or ``(size,)``, unit length; ``decoys``: ``(m, size)``.

        ``wrong_taps``: how often the clerks of this store said "wrong person" to each member's card since the last
        confirmation. Raises ``ModelError`` for vectors that do not fit together and for a gallery without decoys.
        """
        if len(decoys) < rule.decoys:
            raise ModelError(
                f"{len(decoys)} decoys are fewer than the rule's {rule.decoys}", "take them from models.decoys"
            )
        self.rule = rule
        self.names: tuple[str, ...] = tuple(members)
        stacks = [np.atleast_2d(np.asarray(rows, np.float32)) for rows in members.values()]
        everybody = np.concatenate([*stacks, np.atleast_2d(np.asarray(decoys, np.float32))])
        if not np.isfinite(everybody).all() or np.abs(np.linalg.norm(everybody, axis=1) - 1).max(initial=0) > 1e-3:
            raise ModelError("these are not templates of unit length", "make them with models.gallery.template")
        self._rows = everybody
        if len(everybody) >= _BOUND_FROM:
            self._basis = np.ascontiguousarray(np.linalg.eigh(everybody.T @ everybody)[1][:, ::-1])
            turned = everybody @ self._basis
            self._heads = np.asfortranarray(turned[:, :_HEAD])
            self._tails = np.linalg.norm(turned[:, _HEAD:], axis=1)
        counts = [len(rows) for rows in stacks] + [1] * len(decoys)
        self._ends = np.cumsum(counts)
        self._starts = self._ends - counts
        self._owner = np.repeat(np.arange(len(counts)), counts)
        taps = wrong_taps or {}
        self._ratios = [rule.ratio * max(LEAST_FACTOR, TAP_FACTOR ** max(0, taps.get(name, 0))) for name in self.names]
        if len(everybody):
            # What is called for the first time leaves registers on the stack, see ``models.encoders``: none of a face.
            self.far(everybody[0], 1.0)
            self.decide(everybody[0])

    def __len__(self) -> int:
        """How many members."""
        return len(self.names)

    def decide(self, probe: Floats) -> Decision:
        """Whose face it is. ``probe``: ``(size,)``, unit length (``Visit.probe``, or a row of ``encode``)."""
        vector = self._checked(probe)
        nearest = self._nearest(vector)
        return self._judge(nearest) if nearest else Decision("nothing", None, None, 2.0, 2.0)

    def far(self, probe: Floats, caps: float) -> bool:
        """Whether every member is farther than so many caps of the rule, see ``MatchRule.far``."""
        nearest = self._nearest(self._checked(probe))
        # Where the three nearest are decoys, every member is farther than the third.
        members = [distance for identity, distance in nearest if identity < len(self.names)]
        distance = members[0] if members else nearest[-1][1] if nearest else 2.0
        return distance > caps * self.rule.cap

    def _nearest(self, vector: Floats) -> list[tuple[int, float]]:
        """The three nearest identities and their distances, nearest first; fewer when there are fewer.

        In a large gallery the first numbers in the basis of its own spread bound the whole cosine (Cauchy and Schwarz):
        rows whose bound is below the third-best exact value need no full product. Exact, and half the time.
        """
        if len(self._rows) < _BOUND_FROM:
            return _three(self._owner, _cosines(self._rows, vector))
        try:
            return self._bounded(vector)
        finally:
            # BLAS copies the vector aside, and its memory keeps that copy until the next product (PRIVACY rule 4).
            nothing = np.zeros_like(vector)
            nothing @ self._basis
            self._heads[:_RINSED] @ nothing[:_HEAD]

    def _bounded(self, vector: Floats) -> list[tuple[int, float]]:
        turned = vector @ self._basis
        bounds = self._heads @ turned[:_HEAD]
        bounds += self._tails * (np.linalg.norm(turned[_HEAD:]) + np.float32(1e-5))
        middle = float(bounds.sum()) / len(bounds)
        spread = max(1e-6, float(np.sqrt(max(0.0, float(bounds @ bounds) / len(bounds) - middle**2))))
        floor = middle + _SPREADS * spread
        while True:
            candidates = np.flatnonzero(bounds >= floor)
            nearest = _three(self._owner[candidates], _cosines(self._rows[candidates], vector))
            if len(nearest) == 3:
                # Whatever else could be among the three has a bound above the third of those seen.
                candidates = np.flatnonzero(bounds >= 1 - nearest[2][1] ** 2 / 2)
                nearest = _three(self._owner[candidates], _cosines(self._rows[candidates], vector))
                turned[:] = 0
                return nearest
            if len(candidates) == len(bounds):
                return nearest
            floor -= 0.3 * spread

    def near(self, row: Floats) -> list[str]:
        """Members who may be the same person as this template: to be asked about before it is enrolled.

        Somebody who is enrolled twice is nearest to both entries, and the rule then never names either alone.
        """
        vector = self._checked(row)
        limit = _DUPLICATE * self.rule.cap
        return [
            name
            for name, start, end in zip(self.names, self._starts, self._ends, strict=False)
            if float(np.linalg.norm(self._rows[start:end] - vector, axis=1).min()) < limit
        ]

    def _checked(self, vector: Floats) -> Floats:
        row = np.asarray(vector, np.float32)
        if row.shape != self._rows.shape[1:] or not abs(float(row @ row) - 1) < 2e-3:  # also when it is no number
            raise ModelError(
                f"a vector of shape {row.shape} does not belong to this gallery of {self._rows.shape[1]} numbers each",
                "take it from the encoder that made the templates",
            )
        return row

    def _judge(self, nearest: Sequence[tuple[int, float]]) -> Decision:
        (best, distance), (next_best, second), (_, third) = (*nearest, *[(len(self._ends), 2.0)] * 2)[:3]
        members = len(self.names)
        if best >= members or distance > self.rule.cap:
            return Decision("nothing", None, None, distance, second)
        runner_up = self.names[next_best] if next_best < members else None
        if distance <= self._ratios[best] * second:
            return Decision("match", self.names[best], runner_up, distance, second)
        if runner_up is not None and self._apart(best, next_best, distance, second, third):
            return Decision("ambiguous", self.names[best], runner_up, distance, second)
        return Decision("nothing", None, None, distance, second)

    def _apart(self, best: int, next_best: int, distance: float, second: float, third: float) -> bool:
        """Whether both would be a match if the other were not there."""
        return (
            second <= self.rule.cap
            and distance <= self._ratios[best] * third
            and second <= self._ratios[next_best] * third
        )


def _cosines(rows: Floats, vector: Floats) -> Floats:
    """``rows @ vector`` without BLAS, which would leave a copy of the vector behind."""
    cosines: Floats = np.einsum("ij,j->i", rows, vector)
    return cosines


def _three(owners: npt.NDArray[np.intp], cosines: Floats) -> list[tuple[int, float]]:
    """The three identities with the largest cosines, as distances; ``cosines`` is used up."""
    nearest: list[tuple[int, float]] = []
    while len(nearest) < 3 and len(cosines):
        row = int(cosines.argmax())
        cosine = float(cosines[row])
        if cosine == -np.inf:
            break
        identity = int(owners[row])
        nearest.append((identity, float(np.sqrt(max(0.0, 2 - 2 * cosine)))))
        cosines[owners == identity] = -np.inf
    return nearest
