"""Where people spend their time: person-seconds on a coarse grid over the picture."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.lines import Point

COLUMNS, ROWS = 16, 9
"""So coarse that a cell is about a person wide, and that no way of a single person can be read from it."""


class HeatMap:
    """Person-seconds for each cell of a grid over the picture; it lives in memory only."""

    def __init__(self, columns: int = COLUMNS, rows: int = ROWS) -> None:
        self._cells = np.zeros((rows, columns))

    def add(self, points: Sequence[Point], seconds: float) -> None:
        """Each of the people at ``points`` (shares of the picture) spent ``seconds`` there.

        What lies beyond the border, as feet sometimes do, goes to the cell at the border.
        """
        rows, columns = self._cells.shape
        for x, y in points:
            self._cells[min(rows - 1, max(0, int(y * rows))), min(columns - 1, max(0, int(x * columns)))] += seconds

    @property
    def cells(self) -> npt.NDArray[np.float64]:
        """A copy, ``(rows, columns)``, row 0 at the top of the picture."""
        return self._cells.copy()
