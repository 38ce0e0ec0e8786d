"""Collects the face of one visit: the mean over its best frames, started again when another face appears."""

import numpy as np

from models.alignment import Floats, unit
from models.errors import ModelError

FRAMES = 5
"""More frames of one visit are no new evidence; the last five count."""


class VisitFace:
    """The face of one track while it lasts: in memory only, overwritten by ``forget``.

    LFW, 200 members: one frame in place of two costs 3 to 13 points of TPIR at the shipped ratio (docs/figures.md).
    """

    def __init__(self, jump: float, frames: int = FRAMES) -> None:
        """``jump``: distance from the mean so far, 0–2, from which a frame shows somebody else."""
        if frames < 1 or not 0 < jump <= 2:
            raise ModelError(f"a visit of {frames} frames and a jump of {jump} is none", "1 or more, and 0 to 2")
        self._jump, self._frames = jump, frames
        self._rows: list[Floats] = []

    def add(self, vector: Floats) -> bool:
        """Take one frame's vector, ``(size,)`` of unit length. True when the visit began anew: a shot cut, or the
        tracker took another person for this one.
        """
        jumped = bool(self._rows) and self._distance(vector) > self._jump
        if jumped:
            self.forget()
        elif len(self._rows) == self._frames:
            self._rows.pop(0)[:] = 0
        self._rows.append(np.array(vector, np.float32))
        return jumped

    @property
    def probe(self) -> Floats:
        """``(size,)``, unit length: what ``Gallery.decide`` compares. Raises ``ModelError`` before the first frame."""
        if not self._rows:
            raise ModelError("this visit has no face yet", "add a frame first")
        total = np.zeros_like(self._rows[0])
        for row in self._rows:
            total += row
        probe = unit(total)
        total[:] = 0
        return probe

    def _distance(self, vector: Floats) -> float:
        apart = self.probe
        apart -= vector
        distance = float(np.linalg.norm(apart))
        apart[:] = 0
        return distance

    def __len__(self) -> int:
        """Frames that the mean is made of."""
        return len(self._rows)

    def forget(self) -> None:
        """Overwrite the vectors and let them go."""
        for row in self._rows:
            row[:] = 0
            # The processor's registers hold what was copied last; the linker or a signal may lay them on the stack.
            row.copy()
        self._rows.clear()
