"""What every source of captured frames does: turn packets into probe requests, count, and notice a silent radio."""

from sensors.errors import FormatError
from sensors.readings import Attention, ProbeRequest
from sensors.wifi.capture import Packet
from sensors.wifi.dot11 import ProbeParser
from sensors.wifi.hashing import Pseudonyms

WAIT = 1.0
"""Seconds that iterating a live source blocks for at most (``sensors.readings.Source``)."""
SILENT_AFTER_S = 60.0
"""Seconds without a frame of any kind after which a radio is not believed. Access points send ten beacons a second, and
a radio that hops over thirteen channels hears each of them every few seconds: a minute of nothing is no empty shop."""


class Probes:
    """Counts probe requests in ``frames``, damaged frames in ``malformed`` and lost ones in ``dropped``."""

    def __init__(self, pseudonyms: Pseudonyms | None) -> None:
        self._names = pseudonyms or Pseudonyms()
        self._parser = ProbeParser(self._names)
        self.frames = 0
        self.malformed = 0
        self.dropped = 0

    def _probe(self, packet: Packet) -> ProbeRequest | None:
        try:
            probe = self._parser.parse(*packet)
        except FormatError:
            self.malformed += 1
            return None
        if probe is not None:
            self.frames += 1
        return probe


class Hearing:
    """Says when a live radio has fallen silent, and when it is back: a source yields what ``sign`` returns."""

    def __init__(self, now: float) -> None:
        self._heard = now
        self._silent = False

    def sign(self, heard: bool, now: float) -> Attention | None:
        """``heard``: a frame of any kind, probe request or not, since the last call. ``now`` in epoch seconds."""
        if heard or now < self._heard:  # a clock that was set back begins anew
            self._heard = now
        if heard and self._silent:
            self._silent = False
            return Attention(now, None)
        if not self._silent and now - self._heard >= SILENT_AFTER_S:
            self._silent = True
            return Attention(now, "radio_silent")
        return None
