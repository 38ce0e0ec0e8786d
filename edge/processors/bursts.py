"""Bursts of probe requests, and the windows they are counted in.

A phone that looks for networks sends a burst: several probe requests in a few seconds, over all channels, some phones
with another address for each. A burst is what is counted; addresses and kinds are only used to hold one together.
Nothing is compared across a change of the salt (``sensors.wifi.hashing``): windows are cut there into slices, and
rates add up over slices without counting anything twice.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from sensors.readings import ProbeRequest
from sensors.wifi.hashing import ROTATION_SECONDS

GAP_SECONDS = 5.0
"""One address: a longer pause begins a new burst. Labelled phones' scans last up to 3 s and come 15 s apart or more."""
MERGE_SECONDS = 0.5
"""One kind of phone: a new random address so soon may continue a burst whose sequence numbers jump. Phones that change
both per frame do so within 0.1 to 0.4 s (median of two labelled phones)."""
CHAIN_SECONDS = 5.0
CHAIN_STEPS = 100
"""One kind of phone: a new random address continues the burst when the sequence number does, by less steps than this.
Of the labelled phones' changes within a burst all go on by less than 64 (B, E, J, N, R) or none does (M, W)."""
MAX_OPEN = 16
"""Bursts of one kind that may be going on at once; more only in a flood."""
MAX_BURSTS, MAX_WINDOW_BURSTS = 10_000, 75_000
"""Per slice of ten minutes, and per window. Real rooms have hundreds, a hall with a thousand phones has 6,000; more is
an attack or a broken radio, and must not cost memory: an hour's window takes 25 MB at most."""
MAX_ADDRESSES = 50_000
"""Per slice, remembered to hold bursts together."""


@dataclass(slots=True)
class Burst:
    """``start`` and ``end`` in epoch seconds, ``rssi_dbm`` the strongest frame's.

    ``device`` and ``kind`` are the pseudonyms of its first frame's address and fingerprint; ``first`` and ``last`` the
    sequence numbers at its ends. ``jumps``: the numbers did not go on when the address changed.
    """

    start: float
    end: float
    device: bytes
    kind: bytes
    randomised: bool
    rssi_dbm: int | None
    first: int
    last: int
    frames: int = 1
    jumps: bool = False


@dataclass(slots=True)
class Slice:
    """The part of a window, ``[start, end)``, in which one salt is valid. ``shed`` frames came when it was full."""

    start: float
    end: float
    bursts: list[Burst] = field(default_factory=list)
    shed: int = 0
    most: int = MAX_BURSTS
    _of_device: dict[bytes, Burst] = field(default_factory=dict)
    _of_kind: dict[bytes, list[Burst]] = field(default_factory=dict)

    def add(self, probe: ProbeRequest) -> None:
        """Put a frame into its burst, or begin one. Every frame in the air comes through here."""
        time, device, kind, sequence, randomised, rssi_dbm, _ = probe
        burst = self._of_device.get(device)
        if burst is None or time - burst.end > GAP_SECONDS:
            if len(self._of_device) >= MAX_ADDRESSES or len(self.bursts) >= self.most:
                self.shed += 1
                return
            going_on = self._of_kind.get(kind) if randomised else None
            burst = _continued(going_on, time, sequence) if going_on else None
            if burst is None:
                burst = Burst(time, time, device, kind, randomised, rssi_dbm, sequence, sequence)
                self._of_device[device] = burst
                self.bursts.append(burst)
                if going_on is not None:
                    going_on.append(burst)
                    if len(going_on) > MAX_OPEN:
                        del going_on[0]
                elif randomised:
                    self._of_kind[kind] = [burst]
                return
            self._of_device[device] = burst
        if time > burst.end:
            burst.end = time
        burst.last = sequence
        burst.frames += 1
        if rssi_dbm is not None and (burst.rssi_dbm is None or rssi_dbm > burst.rssi_dbm):
            burst.rssi_dbm = rssi_dbm

    def close(self) -> None:
        """Forget what only held bursts together."""
        self._of_device.clear()
        self._of_kind.clear()


def _continued(going_on: list[Burst], time: float, sequence: int) -> Burst | None:
    """The burst of the same kind that a new address goes on with, if any; those that are over are forgotten."""
    going_on[:] = [burst for burst in going_on if time - burst.end <= CHAIN_SECONDS]
    best, least = None, CHAIN_STEPS
    for burst in going_on:
        steps = (sequence - burst.last) % 4096
        if steps < least:
            best, least = burst, steps
    if best is None and going_on and time - going_on[-1].end <= MERGE_SECONDS:
        latest = going_on[-1]
        if latest.jumps or latest.frames == 1:
            latest.jumps = True
            return latest
    return best


@dataclass(slots=True)
class Window:
    """``[start, start + seconds)``, aligned to multiples of ``seconds`` since the epoch."""

    start: float
    seconds: float
    slices: list[Slice]

    @property
    def frames(self) -> int:
        """How many came, those that were shed included: each of the others is in one burst."""
        return self.shed + sum(burst.frames for part in self.slices for burst in part.bursts)

    @property
    def bursts(self) -> int:
        """How many bursts began in it."""
        return sum(len(part.bursts) for part in self.slices)

    @property
    def overflowed(self) -> bool:
        """Whether more came than can be real."""
        return self.shed > 0

    @property
    def shed(self) -> int:
        """Frames that were counted but put into no burst, because there were more than can be real."""
        return sum(part.shed for part in self.slices)


def cut(start: float, seconds: float) -> list[Slice]:
    """The slices of a window: cut at every change of the salt."""
    cuts = [start]
    step = math.floor(start / ROTATION_SECONDS) + 1
    while step * ROTATION_SECONDS < start + seconds:
        cuts.append(step * float(ROTATION_SECONDS))
        step += 1
    cuts.append(start + seconds)
    return [Slice(first, last) for first, last in pairwise(cuts)]


class Windows:
    """Puts probe requests into windows; yields each window once it is over.

    Frames may come a little late: they count in the running window. A clock that is set back by more than a window
    begins anew there. Windows without any frame come out only while time is told in steps shorter than a window.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._window: Window | None = None
        self._slice = 0
        self._from = self._until = math.inf
        """What goes into the running slice: from one window before the running one, to the slice's end."""
        self._put: Callable[[ProbeRequest], None] | None = None

    def add(self, probe: ProbeRequest) -> Sequence[Window]:
        """Count a frame; returns the windows that ended before it."""
        if self._put is not None and self._from <= probe[0] < self._until:
            self._put(probe)
            return ()
        ended = list(self.until(probe.time))
        self._move(probe.time).add(probe)
        return ended

    def _move(self, time: float) -> Slice:
        """The slice of the running window that ``time`` belongs to, or the running slice for what is late."""
        window = self._window
        assert window is not None
        part = window.slices[self._slice]
        while time >= part.end and self._slice + 1 < len(window.slices):
            part.close()
            self._slice += 1
            part = window.slices[self._slice]
            part.most = min(MAX_BURSTS, MAX_WINDOW_BURSTS - window.bursts)
        self._from, self._until, self._put = window.start - self._seconds, part.end, part.add
        return part

    def until(self, now: float) -> Iterator[Window]:
        """Move on to ``now``; yields the window that ended by then."""
        window, seconds = self._window, self._seconds
        if window is not None and window.start - seconds <= now < window.start + seconds:
            return
        yield from self.end()
        start = math.floor(now / seconds) * seconds
        self._window = Window(start, seconds, cut(start, seconds))
        self._slice = 0

    def end(self) -> Iterator[Window]:
        """The running window, if any."""
        window, self._window, self._put = self._window, None, None
        if window is not None:
            window.slices[self._slice].close()
            yield window
