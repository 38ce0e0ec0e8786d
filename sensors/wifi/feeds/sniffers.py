"""ESP32 sniffers over MQTT, by a schema of our own. No address travels: the sniffer hashes before it publishes.

One message is a JSON object: ``v`` 1; ``salt`` a number that the sniffer counts up with each new salt; ``seen`` a list,
empty when nothing was heard, of objects with ``d`` (16 hex digits: the first 8 bytes of HMAC-SHA256 of the 6 address
bytes under the sniffer's salt), ``r`` (true for a locally administered address), ``s`` (strength in dBm, may be absent)
and ``a`` (seconds ago, 0 to 60). A sniffer publishes every 10 seconds or so, also when it heard nothing.

The salt is 32 random bytes of the sniffer's own, made anew at each start and every 10 minutes, and never sent. A salt
that the box handed out would travel beside the hashes, and whoever reads along could try all addresses with it. The
price: two sniffers' hashes do not compare, so each sniffer is a sensor of its own. The box hashes again on arrival.

Read against this text; never against a device: there is no firmware of ours yet.
"""

import re
import time as clocks
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from sensors.errors import FormatError
from sensors.readings import Attention, ClientHeard, Silence
from sensors.subscription import Connect, Subscription
from sensors.wifi.feeds.config import SnifferConfig
from sensors.wifi.feeds.parsing import dictionary, json_object, listed, number
from sensors.wifi.hashing import Pseudonyms

_WAIT = 1.0
_LARGEST = 64 * 1024
_MOST = 1000
"""Devices in one message."""
_HASH = re.compile(r"^[0-9a-f]{16}$")
_FIX = "see docs/wifi.md: the sniffer's messages"


class SnifferSource:
    """One sniffer; see ``sensors.readings.Source``. ``malformed`` counts messages that could not be read."""

    def __init__(
        self,
        config: SnifferConfig,
        connect: Connect,
        clock: Callable[[], float] = clocks.time,
        pseudonyms: Pseudonyms | None = None,
    ) -> None:
        """``connect`` comes from whoever may use MQTT."""
        self._config = config
        self._connect = connect
        self._clock = clock
        self._names = pseudonyms or Pseudonyms()
        self._stack = ExitStack()
        self._link: Subscription | None = None
        self.malformed = 0
        self.dropped = 0

    def __enter__(self) -> Self:
        self._link = self._stack.enter_context(self._connect([self._config.subscribed]))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._link = None
        self._stack.close()

    def __iter__(self) -> Iterator[ClientHeard | Attention | Silence]:
        while self._link is not None:
            message = self._link.receive(_WAIT)
            now = self._clock()
            if message is None:
                yield Silence(now)
                continue
            self._names.rotate_at(now)
            try:
                readings = heard(message.payload, now, self._names)
            except FormatError:
                # Counted, and told in the window's event; somebody else's message must not stop the counting.
                self.malformed += 1
                continue
            yield Attention(now, None)
            yield from readings


def heard(payload: bytes, now: float, names: Pseudonyms) -> list[ClientHeard]:
    """What one message says. Raises ``FormatError``; a hash that could be an address is refused with all the rest."""
    if len(payload) > _LARGEST:
        raise FormatError("a message that is too large", _FIX)
    message = json_object(payload)
    if message.get("v") != 1:
        raise FormatError("a message of a version that is not known", _FIX)
    salt = int(number(message.get("salt"), 0, 2**32)).to_bytes(8, "big")
    found = []
    for item in listed(message.get("seen"), _MOST):
        item = dictionary(item)
        hashed, randomised, strength = item.get("d"), item.get("r"), item.get("s")
        if not isinstance(hashed, str) or not _HASH.match(hashed) or not isinstance(randomised, bool):
            raise FormatError("a device that is not a hash of 16 hex digits with its kind", _FIX)
        rssi = None if strength is None else round(number(strength, -127, 0))
        name = names.device(salt + bytes.fromhex(hashed))
        found.append(ClientHeard(now - number(item.get("a", 0), 0, 60), name, randomised, False, rssi))
    return found
