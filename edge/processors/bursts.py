"""Bursts of probe requests, and the windows they are counted in.

A phone that looks for networks sends a burst: several probe requests in a few seconds, over all channels, some phones
with another address for each. A burst is what is counted; addresses and kinds are only used to hold one together.
Nothing is compared across a change of the salt (``sensors.wifi.hashing``): windows are cut there into slices, and
rates add up over slices without counting anything twice.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from sensors.readings import ProbeRequest
from sensors.wifi.hashing import ROTATION_SECONDS

GAP_SECONDS = 5.0
"""One address: a longer pause begins a new burst. Labelled phones' scans last up to 3 s and come 15 s apart or more."""
MERGE_SECONDS = 0.5
"""One kind of phone: a new random address so soon continues the burst. Phones that change it per frame do so within
0.1 to 0.4 s (median of three labelled phones)."""
CHAIN_SECONDS = 5.0
CHAIN_STEPS = 100
"""One kind of phone: a new random address continues the burst when the sequence number does, by less steps than this.
Between 0.3 and 1 s, 93 % of the labelled phones' changes go on by less than 64; chance alone gives 2 %."""
MAX_BURSTS, MAX_WINDOW_BURSTS = 50_000, 75_000
"""Per slice, and per window. Real rooms have hundreds; more is an attack or a broken radio and must not cost memory."""


@dataclass(slots=True)
class Burst:
    """``start`` and ``end`` in epoch seconds, ``rssi_dbm`` the strongest frame's.

    ``device`` and ``kind`` are the pseudonyms of its first frame's address and fingerprint.
    """

    start: float
    end: float
    device: bytes
    kind: bytes
    randomised: bool
    rssi_dbm: int | None
    sequence: int
    frames: int = 1


@dataclass(slots=True)
class Slice:
    """The part of a window, ``[start, end)``, in which one salt is valid."""

    start: float
    end: float
    bursts: list[Burst] = field(default_factory=list)
    overflowed: bool = False
    most: int = MAX_BURSTS
    _of_device: dict[bytes, Burst] = field(default_factory=dict)
    _of_kind: dict[bytes, Burst] = field(default_factory=dict)

    def add(self, probe: ProbeRequest) -> None:
        """Put a frame into its burst, or begin one."""
        time, device, kind, sequence, randomised, rssi_dbm, _ = probe
        burst = self._of_device.get(device)
        if burst is None or time - burst.end > GAP_SECONDS:
            burst = self._of_kind.get(kind) if randomised else None
            if burst is None or not _continues(burst, probe):
                if len(self.bursts) >= self.most:
                    self.overflowed = True
                    return
                burst = Burst(time, time, device, kind, randomised, rssi_dbm, sequence, frames=0)
                self.bursts.append(burst)
            if len(self._of_device) >= MAX_BURSTS and device not in self._of_device:
                # A kind that changes its address with every frame needs no new burst, and would grow this for ever.
                self.overflowed = True
                return
            self._of_device[device] = burst
        if time > burst.end:
            burst.end = time
        burst.sequence = sequence
        burst.frames += 1
        if rssi_dbm is not None and (burst.rssi_dbm is None or rssi_dbm > burst.rssi_dbm):
            burst.rssi_dbm = rssi_dbm
        if randomised:
            if len(self._of_kind) >= MAX_BURSTS and kind not in self._of_kind:
                self.overflowed = True
                return
            self._of_kind[kind] = burst

    def close(self) -> None:
        """Forget what only held bursts together."""
        self._of_device.clear()
        self._of_kind.clear()


def _continues(burst: Burst, probe: ProbeRequest) -> bool:
    pause = probe.time - burst.end
    if pause <= MERGE_SECONDS:
        return True
    return pause <= CHAIN_SECONDS and (probe.sequence - burst.sequence) % 4096 < CHAIN_STEPS


@dataclass(slots=True)
class Window:
    """``[start, start + seconds)``, aligned to multiples of ``seconds`` since the epoch."""

    start: float
    seconds: float
    slices: list[Slice]
    frames: int = 0

    @property
    def bursts(self) -> int:
        """How many bursts began in it."""
        return sum(len(part.bursts) for part in self.slices)

    @property
    def overflowed(self) -> bool:
        """Whether more came than can be real."""
        return any(part.overflowed for part in self.slices)


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

    def add(self, probe: ProbeRequest) -> Sequence[Window]:
        """Count a frame; returns the windows that ended before it. Every frame in the air comes through here."""
        ended: Sequence[Window] = ()
        time, window, seconds = probe.time, self._window, self._seconds
        if window is None or not window.start - seconds <= time < window.start + seconds:
            ended = list(self.until(time))
            window = self._window
            assert window is not None
        window.frames += 1
        part = window.slices[self._slice]
        while time >= part.end and self._slice + 1 < len(window.slices):
            part.close()
            self._slice += 1
            part = window.slices[self._slice]
            part.most = min(MAX_BURSTS, MAX_WINDOW_BURSTS - window.bursts)
        part.add(probe)
        return ended

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
        window, self._window = self._window, None
        if window is not None:
            window.slices[self._slice].close()
            yield window
