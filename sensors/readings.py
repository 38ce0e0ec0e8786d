"""The vocabulary of the sensors: what a source yields, and what a source is.

Times are seconds since the epoch, UTC, as ``float``. No reading leaves the process: events do (``sync.events``).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""``(height, width, 3)``, uint8, BGR."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture; it lives for one pipeline step and is never stored (PRIVACY rule 11).

    ``time`` is when it was seen (UTC epoch seconds), ``media_time`` its position in the stream in seconds,
    ``index`` its number in the stream from 0 (numbers are skipped where frames were dropped).
    """

    image: Image
    time: float
    media_time: float
    index: int


class ProbeRequest(NamedTuple):
    """One Wi-Fi probe request, already pseudonymous: there is no field for an address or an SSID.

    A tuple, because one is made for every frame in the air: a frozen dataclass costs five times as much to make.

    ``device`` is a keyed hash of the sender's address under a salt that lives in RAM and rotates;
    ``fingerprint`` a keyed hash of the masked information elements; ``sequence`` the 12-bit sequence number;
    ``randomised`` says that the sender's address was locally administered.
    """

    time: float
    device: bytes
    fingerprint: bytes
    sequence: int
    randomised: bool
    rssi_dbm: int | None
    channel: int | None


@dataclass(frozen=True, slots=True)
class ClientHeard:
    """One device that an access point or a sniffer says it heard, already pseudonymous: no field for an address.

    ``device`` is a keyed hash under the salt of the moment at which it arrived; ``randomised`` says that the address
    was locally administered, ``associated`` that the device had joined the network (which keeps its address).
    """

    time: float
    device: bytes
    randomised: bool
    associated: bool
    rssi_dbm: int | None


@dataclass(frozen=True, slots=True)
class TagRead:
    """One RFID tag report. ``epc`` is upper-case hex, ``antenna`` counts from 1, ``rssi_dbm`` is the peak."""

    time: float
    epc: str
    antenna: int
    rssi_dbm: float | None


@dataclass(frozen=True, slots=True)
class Sighting:
    """Where another system's tracker saw a person. ``time`` is when, ``since`` when it saw them first.

    ``track`` is that system's own name of the person's track; ``box`` x1, y1, x2, y2 as shares of the picture (0–1);
    ``score`` 0 to 1; ``ended`` says that the track is given up.
    """

    time: float
    track: str
    box: tuple[float, float, float, float]
    score: float
    since: float
    ended: bool


@dataclass(frozen=True, slots=True)
class Attention:
    """Another system says that it watches (``reason`` None), or why it does not, such as ``frigate_offline``."""

    time: float
    reason: str | None


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing came from the source up to ``time``: an observation, and the moment to see a stop request."""

    time: float


Reading_co = TypeVar("Reading_co", covariant=True)


class Source(Protocol[Reading_co]):
    """Where readings come from. Enter it, iterate it once, leave it.

    Entering opens the device and raises ``sensors.errors.SourceError`` when that fails.
    Iterating blocks for at most about a second, then yields ``Silence``; a recorded source ends, a live one does not.
    It raises ``SourceError`` when the source is lost; the edge's loop reopens it with jittered back-off.
    A slow consumer loses frames of a live camera (newest wins), counted in ``dropped``; never those of a recording.
    """

    @property
    def dropped(self) -> int: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def __iter__(self) -> Iterator[Reading_co | Silence]: ...
