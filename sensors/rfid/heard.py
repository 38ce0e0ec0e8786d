"""What other systems' tag messages have in common: each value checked, each time on the box's clock.

Whatever sends these messages is a stranger: every value has a type and a bound, and what has not is counted, not read.
"""

import base64
import binascii
import json
import logging
import math
import re
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from sensors.errors import FormatError
from sensors.readings import TagRead

log = logging.getLogger("yingke.sensors")

LARGEST: Final = 256 * 1024
"""Bytes of a message that is read: a thousand reads take some 200 KB."""
SKEW: Final = 5.0
"""Seconds by which a reader's clock may differ, as for LLRP."""
_EPC: Final = re.compile(r"([0-9A-F]{4}){1,31}")
"""16 to 496 bits in whole words, as tags hold them."""
_FIRST_YEAR: Final = 946_684_800.0
"""2000: an older time is of a clock that was never set."""


class Heard(NamedTuple):
    """One tag in a message; ``time`` (epoch seconds) is by the reader's clock, None where it gives none."""

    time: float | None
    epc: str
    antenna: int
    rssi_dbm: float | None


class Parsed(NamedTuple):
    """What was in one message, and how many of its reads could not be read."""

    reads: list[Heard]
    unreadable: int


Parse = Callable[[bytes], Parsed]
"""Takes one message apart. Raises ``FormatError`` where it is none of its kind at all."""


def refused(what: str) -> FormatError:
    """The error of a value that is not what the format says."""
    return FormatError(f"a tag message has {what}", "check the format of this reader in the configuration")


def document(payload: bytes) -> Any:
    """The JSON in ``payload``. Raises ``FormatError``."""
    if len(payload) > LARGEST:
        raise refused(f"over {LARGEST // 1024} KB")
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        raise refused("no JSON") from None


def each(items: Iterable[Any], one: Callable[[Any], Heard | None]) -> Parsed:
    """``one`` of every item; those that raise ``FormatError`` are counted, those that are None hold no read."""
    reads, unreadable = [], 0
    for item in items:
        try:
            heard = one(item)
        except FormatError:
            unreadable += 1
        else:
            if heard is not None:
                reads.append(heard)
    return Parsed(reads, unreadable)


def dictionary(value: object) -> dict[str, Any]:
    """``value``, which must be an object."""
    if not isinstance(value, dict):
        raise refused("no object")
    return value


def epc_of(value: object) -> str:
    """Upper-case hex in whole words from hex text."""
    if not isinstance(value, str) or len(value) > 200:
        raise refused("no EPC")
    text = value.strip().upper()
    if _EPC.fullmatch(text) is None:
        raise refused("an EPC that is no hex in whole words")
    return text


def epc_of_base64(value: object) -> str:
    """The same from base64, the usual or the one for URLs."""
    if not isinstance(value, str) or len(value) > 200:
        raise refused("no EPC")
    try:
        raw = base64.b64decode(value.translate({45: "+", 95: "/"}), validate=True)
    except (binascii.Error, ValueError):
        raise refused("an EPC that is no base64") from None
    return epc_of(raw.hex())


def antenna_of(value: object, otherwise: int) -> int:
    """1 to 65535, as a number or digits; ``otherwise`` where there is none."""
    if value is None or value == "":
        return otherwise
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 6:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535:
        raise refused("an antenna that is no number from 1 on")
    return value


def rssi_of(value: object, scale: float = 1.0) -> float | None:
    """dBm: ``value`` times ``scale``; None where there is none."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and len(value) < 20:
        try:
            value = float(value)
        except ValueError:
            raise refused("an RSSI that is no number") from None
    # The comparison comes first: an integer may be too large to be a float.
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e6 <= value <= 1e6:
        raise refused("an RSSI that is no number")
    level = float(value) * scale
    if not -150 <= level <= 50:
        raise refused("an RSSI that is none in dBm")
    return round(level, 2)


def moment_of(value: object) -> float | None:
    """Epoch seconds: of ISO 8601 with its zone, or of a number of seconds, milli-, micro- or nanoseconds.

    None for no time, and for one that cannot be the time of now: without a zone, or before 2000.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str) and len(value) < 64:
        try:
            parsed = datetime.fromisoformat(value.strip())
        except ValueError:
            value = _number(value)
        else:
            return _this_century(parsed.timestamp()) if parsed.tzinfo is not None else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e20:
        raise refused("a time that is none")
    seconds = float(value)
    while seconds >= 1e11:  # a time in seconds has that many in the year 5138, one in milliseconds had in 1973
        seconds /= 1000
    return _this_century(seconds)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise refused("a time that is none") from None
    if not math.isfinite(number):
        raise refused("a time that is none")
    return number


def _this_century(seconds: float) -> float | None:
    return seconds if seconds >= _FIRST_YEAR else None


Mode = Literal["auto", "reader", "host"]


class Timing:
    """Puts what was heard on the box's clock.

    ``host`` takes the moment of arrival, ``reader`` the reader's time, ``auto`` the reader's unless it is over 5 s from
    that of arrival: then that of arrival, and the log says so. (What a reader kept while it was cut off and sends again
    has such times, too: ``reader`` is right for one that does so and whose clock is set by NTP.)
    """

    def __init__(self, name: str, mode: Mode, clock: Callable[[], float]) -> None:
        self._name = name
        self._mode = mode
        self._clock = clock
        self._last: tuple[float, float] | None = None
        self.clock_skew = 0.0
        """Seconds by which the reader's clock was ahead when it was last not believed; 0 while it is."""

    def timed(self, heard: Heard) -> TagRead:
        """The read, at its moment."""
        arrival = self._clock()
        moment = arrival if heard.time is None or self._mode == "host" else heard.time
        if self._mode == "auto" and heard.time is not None:
            skew = moment - arrival
            if abs(skew) > SKEW:
                if not self.clock_skew:
                    log.warning("%s: its clock is %+.1f s off: the time of arrival is taken", self._name, skew)
                self.clock_skew, moment = skew, arrival
            else:
                self.clock_skew = 0.0
        if self._mode == "reader":
            self._last = (moment, time.monotonic())
        return TagRead(moment, heard.epc, heard.antenna, heard.rssi_dbm)

    def now(self) -> float:
        """The time on the clock of the reads: with ``reader`` it goes on from the last of them."""
        if self._last is not None:
            return self._last[0] + time.monotonic() - self._last[1]
        return self._clock()
