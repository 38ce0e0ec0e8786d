"""Arrivals without a face: a code that a member holds before a camera, a card that a reader reads.

The same event and the same card on the tablet as a face brings; nobody needs to be recognised to be greeted.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import date
from typing import Annotated, Any, Literal

import cv2
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from edge.processing import Losing, Processor
from edge.processors.recognition_config import Corners, checked_corners
from models.tracker import Update
from sensors.readings import Frame, Image, TagRead
from sync.events import Arrival, Event, utc
from sync.members import codes
from sync.members.errors import MemberError
from sync.members.register import Register

LOOK_EVERY_S = 0.5
"""Twice a second: nobody holds a code before a camera for less."""
_FRESH_S = 2.0
"""So soon a card that was bound just now is known; a shop's tags are not looked up each time."""
_MOST = 5_000
"""Tags remembered as nobody's card; a shop has fewer within reach."""
Method = Literal["qr", "rfid_card"]


class CodesConfig(BaseModel):
    """Where members hold their code before one camera, in shares of the picture; all of it when absent."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    polygon: Annotated[Corners, AfterValidator(checked_corners), Field(max_length=64)] = (
        (0, 0),
        (1, 0),
        (1, 1),
        (0, 1),
    )


class MemberCardsConfig(BaseModel):
    """Members' RFID cards at one reader: a card that is read there is an arrival."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    antennas: Annotated[
        tuple[Annotated[int, Field(ge=1, le=65535)], ...], Field(description="at the door; none given: all")
    ] = ()


class Greeter:
    """Tells an arrival once per member, method and visit; safe from any thread. ``seconds``: how long a visit lasts."""

    def __init__(self, register: Register, seconds: float) -> None:
        self._register = register
        self._seconds = seconds
        self._lock = threading.Lock()
        self._told: dict[tuple[str, Method], float] = {}

    def arrived(self, sensor: str, member: str, method: Method, time: float) -> list[Event]:
        """The event, or none: told already, erased, or a card of somebody without a profile.

        Who shows a code asks for it. A card in a pocket does not, so that it needs the agreement to a profile.
        """
        with self._lock:
            if 0 <= time - self._told.get((member, method), float("-inf")) < self._seconds:
                return []
            if self._register.tombstone(member) is not None:
                return []
            if method == "rfid_card" and not self._register.allows(member, "profile", time):
                return []
            self._told[member, method] = time
        self._register.look(member, "box", "matched", time)
        self._register.seen(member, time)
        arrival = Arrival(candidates=(member,), method=method, confidence=1.0, expires=utc(time + self._seconds))
        return [Event.new(sensor, time, arrival)]


class CodeReader:
    """Members' codes in one camera's pictures. ``keys`` are the public keys that codes may be signed with.

    ``today`` gives the store's date at an epoch second.
    """

    def __init__(
        self, sensor: str, config: CodesConfig, keys: Sequence[str], greeter: Greeter, today: Callable[[float], date]
    ) -> None:
        self._sensor = sensor
        self._corners = config.polygon
        self._keys = keys
        self._greeter = greeter
        self._today = today
        self._detector = cv2.QRCodeDetector()
        self._looked = float("-inf")

    def picture(self, frame: Frame, update: Update) -> list[Event]:
        """The arrivals whose code is seen in this picture; its image is not kept."""
        if 0 <= frame.media_time - self._looked < LOOK_EVERY_S:
            return []
        self._looked = frame.media_time
        try:
            text = self._detector.detectAndDecode(_crop(frame.image, self._corners))[0]
        except cv2.error:
            # OpenCV's decoder fails so on patterns that look like a code and are none.
            return []
        if not text:
            return []
        try:
            member = codes.read(text, self._keys, self._today(frame.time))
        except MemberError:
            # A poster's code, or one that is out of date: the clerk's scanner says why, a camera bothers nobody.
            return []
        return self._greeter.arrived(self._sensor, member, "qr", frame.time)

    def close(self) -> None:
        """Nothing is held."""


class MemberCardProcessor:
    """Takes members' cards out of a reader's tags and hands the others on: no card becomes a try-on or an item.

    Without ``config`` a card that is read here is no arrival, and is kept from the others all the same.
    """

    def __init__(
        self,
        reader: str,
        config: MemberCardsConfig | None,
        register: Register,
        greeter: Greeter,
        others: Processor[Any] | None = None,
    ) -> None:
        self._reader = reader
        self._config = config
        self._register = register
        self._greeter = greeter
        self._others = others
        self._losing: Losing | None = others if isinstance(others, Losing) else None
        self._nobodys: dict[str, float] = {}

    def process(self, reading: TagRead, /) -> Sequence[Event]:
        member = self._member(reading)
        if member is None:
            return self._others.process(reading) if self._others else ()
        if self._config is None or (self._config.antennas and reading.antenna not in self._config.antennas):
            return ()
        return self._greeter.arrived(self._reader, member, "rfid_card", reading.time)

    def _member(self, reading: TagRead) -> str | None:
        known = self._nobodys.get(reading.epc)
        if known is not None and 0 <= reading.time - known < _FRESH_S:
            return None
        member = self._register.member_of_card(reading.epc)
        if member is None:
            if len(self._nobodys) >= _MOST:
                self._nobodys.clear()
            self._nobodys[reading.epc] = reading.time
        return member

    def flush(self, now: float, /) -> Sequence[Event]:
        return self._others.flush(now) if self._others else ()

    def close(self, now: float, /) -> Sequence[Event]:
        return self._others.close(now) if self._others else ()

    def lost(self, now: float, /) -> None:
        if self._losing is not None:
            self._losing.lost(now)


def _crop(image: Image, corners: Corners) -> Image:
    """The rectangle around a spot; a view of the picture."""
    height, width = image.shape[:2]
    across, down = [x for x, _ in corners], [y for _, y in corners]
    left, right = int(min(across) * width), max(int(max(across) * width), int(min(across) * width) + 1)
    top, bottom = int(min(down) * height), max(int(max(down) * height), int(min(down) * height) + 1)
    return image[top:bottom, left:right]
