"""When a followed person is looked at: often in a burst, seldom while no good face shows, less after a try in vain."""

APART_S = 0.08
"""Between two faces of a burst: what follows sooner shows the same thing again."""
LOOK_EVERY_S = 0.3
"""How soon a face is looked for again on a person who has just come."""
LONGEST_S = 0.6
"""The wait grows by half after each look without a good face, up to this: a back stays one for a while. With a burst
and the way to the tablet it stays within a second from the first good face to the card."""
CLOSER = 1.15
"""So much taller than at the last look: the person has come closer, or the box now shows more of them. Looked at
again as at the beginning."""
REST_S = (0.8, 2.5, 8.0)
"""After the first, second, third burst that named nobody: the next one should see something else."""
MOST_BURSTS = len(REST_S) + 1
"""Per track: at most so much is spent on a stranger, and so many chances has one."""

MOST_UNDECIDED = 10
"""Bursts that could not be decided, per track: too few good faces, or two people's."""


class Turns:
    """One track. Times are seconds of the media, heights pixels."""

    def __init__(self) -> None:
        self.done = False
        """Named, or not worth another try."""
        self._next = float("-inf")
        self._looked = float("-inf")
        self._wait = LOOK_EVERY_S
        self._height = 0.0
        self._resting = False
        self._bursts = self._undecided = 0

    @property
    def tried(self) -> bool:
        """Whether a burst has ended in vain before."""
        return self._bursts > 0

    def due(self, time: float, height: float, *, in_burst: bool) -> bool:
        """Whether to look now."""
        if time < self._looked:  # the media began anew
            return True
        if in_burst:
            return time >= self._looked + APART_S - 1e-3
        if not self._resting and height > CLOSER * self._height and time >= self._looked + LOOK_EVERY_S - 1e-3:
            return True
        return time >= self._next - 1e-3

    def looked(self, time: float, height: float, *, good: bool) -> None:
        """Note a look, and whether there was a good face."""
        if good or height > CLOSER * self._height:
            self._wait = LOOK_EVERY_S
        self._looked, self._height, self._resting = time, height, False
        self._next = time + self._wait
        if not good:
            self._wait = min(LONGEST_S, 1.5 * self._wait)

    def in_vain(self, time: float, *, decided: bool) -> None:
        """A burst named nobody; ``decided`` is False where its faces could not say so."""
        if not decided:
            self._undecided += 1
            self._next, self.done = time + LOOK_EVERY_S, self._undecided >= MOST_UNDECIDED
            return
        self._bursts += 1
        self.done = self._bursts >= MOST_BURSTS
        if not self.done:
            self._next, self._resting = time + REST_S[self._bursts - 1], True
