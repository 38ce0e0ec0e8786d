"""OpenWrt's access points: lines of ``ubus subscribe hostapd.…`` or of ``hostapd_cli``, to what was heard.

Read against the source of OpenWrt's hostapd (src/ap/ubus.c: ``probe``, ``auth``, ``assoc`` with address, target, signal
and freq) and of ubus (cli.c), and against a log of hostapd_cli by others; never against a device. hostapd tells of
probes over ubus only while somebody subscribes, and of probes that it hears on its own channel.
"""

import re
from typing import Any

from sensors.errors import FormatError
from sensors.wifi.feeds.parsing import Heard, address_of, dictionary, json_object, number

LONGEST_LINE = 16 * 1024
"""Bytes; a probe with all its capabilities is under two thousand."""
_ASSOCIATED = {"probe": False, "auth": False, "assoc": True}
_CLI = re.compile(r"^(?:<\d>)?RX-PROBE-REQUEST sa=(\S+) signal=(-?\d{1,3})")
_CONNECTED = re.compile(r"^(?:<\d>)?AP-STA-CONNECTED (\S+)")


def heard(line: bytes, now: float) -> Heard | None:
    """What a line says, dated ``now``; None for lines that are about something else. Raises ``FormatError``."""
    if len(line) > LONGEST_LINE:
        raise FormatError("a line that is too long", "what cannot be read is counted and left out")
    text = line.decode("utf-8", "replace").strip()
    if not text.startswith("{"):
        return _from_cli(text, now)
    for kind, told in json_object(text).items():
        if kind in _ASSOCIATED:
            event = dictionary(told)
            return Heard(now, address_of(event.get("address")), _ASSOCIATED[kind], _signal(event))
    return None


def _signal(event: dict[str, Any]) -> int | None:
    signal = event.get("signal")
    if signal is None:
        return None
    value = number(signal, -127, 2**32 - 1)
    # ubus has no signed type: some tools print -61 as 4294967235.
    value = value - 2**32 if value >= 2**31 else value
    return round(value) if -127 <= value < 0 else None


def _from_cli(text: str, now: float) -> Heard | None:
    found = _CLI.match(text)
    if found:
        signal = int(found[2])
        return Heard(now, address_of(found[1]), False, signal if -127 <= signal < 0 else None)
    joined = _CONNECTED.match(text)
    return Heard(now, address_of(joined[1]), True, None) if joined else None
