"""Channel hopping: tells the radio through ``iw`` on which channel to listen, so much longer on the busier ones.

A radio hears one channel at a time, and a phone's burst goes over all of them: a short stay on each of a few channels
hears most bursts. ``iw dev IFACE set freq MHZ`` is used, since channel numbers repeat between 2.4, 5 and 6 GHz.
"""

import errno
import logging
import re
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sensors.errors import SensorError

log = logging.getLogger("yingke.hopping")

Band = Literal["2.4", "5", "6"]
_RETRY_S = 10.0
"""Seconds after a failure that is not one channel's."""
_COMMAND_S = 5.0


class HopError(SensorError):
    """The radio's channel cannot be set. ``reason`` is one of the codes of ``Hopper``."""


class ChannelConfig(BaseModel):
    """One channel, and how often it is listened on in proportion to the others."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    channel: Annotated[int, Field(ge=1, le=233)]
    band: Band = "2.4"
    weight: Annotated[int, Field(ge=1, le=100)] = 1

    @property
    def mhz(self) -> int:
        """The centre frequency (IEEE 802.11-2020 annex E; 802.11ax for 6 GHz)."""
        if self.band == "2.4":
            return 2484 if self.channel == 14 else 2407 + 5 * self.channel
        if self.band == "5":
            return 5000 + 5 * self.channel
        return 5935 if self.channel == 2 else 5950 + 5 * self.channel

    @model_validator(mode="after")
    def _exists(self) -> Self:
        last = {"2.4": 14, "5": 177, "6": 233}[self.band]
        if self.channel > last or (self.band == "5" and self.channel < 32):
            raise ValueError(f"there is no channel {self.channel} at {self.band} GHz")
        return self


class HoppingConfig(BaseModel):
    """Which channels a radio listens on in turn."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    interface: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,15}$")]
    channels: Annotated[tuple[ChannelConfig, ...], Field(min_length=1, max_length=100)] = (
        ChannelConfig(channel=1),
        ChannelConfig(channel=6),
        ChannelConfig(channel=11),
    )
    dwell_ms: Annotated[int, Field(ge=50, le=60_000, description="stay on a channel")] = 250

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        frequencies = [each.mhz for each in self.channels]
        if len(set(frequencies)) < len(frequencies):
            raise ValueError("a channel stands there twice: give it a weight instead")
        return self


def schedule(channels: Sequence[ChannelConfig]) -> list[int]:
    """One round, in MHz: each channel as often as its weight, and spread as evenly as can be."""
    total = sum(each.weight for each in channels)
    credit = [0] * len(channels)
    round_ = []
    for _ in range(total):
        credit = [have + each.weight for have, each in zip(credit, channels, strict=True)]
        chosen = max(range(len(channels)), key=credit.__getitem__)
        credit[chosen] -= total
        round_.append(channels[chosen].mhz)
    return round_


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended: its exit code and what it said on standard error."""

    code: int
    said: str


Run = Callable[[Sequence[str]], Ran]
"""Runs a command to its end. Raises ``OSError`` when it cannot be started, ``subprocess.TimeoutExpired``."""


def run_command(command: Sequence[str]) -> Ran:
    """The real one; no shell is involved."""
    done = subprocess.run(  # noqa: S603  # a fixed tool, a checked interface name
        command, capture_output=True, text=True, errors="replace", timeout=_COMMAND_S, check=False
    )
    return Ran(done.returncode, done.stderr)


class Hopper:
    """Sets the channels of one radio in turn, until it is stopped.

    ``hops`` and ``failures`` count; ``condition`` is None while it works, else a reason: ``hop_no_iw``,
    ``hop_no_permission``, ``hop_busy``, ``hop_no_interface``, ``hop_no_channel``, ``hop_failed``. A channel that the
    radio or the country does not allow is left out from then on, with a warning, while others remain.
    """

    def __init__(self, config: HoppingConfig, run: Run = run_command) -> None:
        self._config = config
        self._run = run
        self._round = schedule(config.channels)
        self._next = 0
        self.hops = 0
        self.failures = 0
        self.condition: str | None = None

    def step(self) -> float:
        """Go to the next channel; gives the seconds to stay. Raises ``HopError``."""
        mhz = self._round[self._next % len(self._round)]
        command = ["iw", "dev", self._config.interface, "set", "freq", str(mhz)]
        try:
            ran = self._run(command)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise self._failed("hop_no_iw", "iw cannot be run", "install it: apt install iw") from error
        if ran.code != 0:
            self._refused(mhz, ran)
            return 0.0
        self.hops += 1
        self._next = (self._next + 1) % len(self._round)
        self.condition = None
        return self._config.dwell_ms / 1000

    def _refused(self, mhz: int, ran: Ran) -> None:
        """Raises ``HopError``, unless it is this one channel that cannot be had and others remain."""
        name = self._config.interface
        code = _errno(ran)
        if code in (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ERANGE):
            rest = [each for each in self._round if each != mhz]
            if rest:
                self.failures += 1
                log.warning("%s cannot listen on %d MHz; left out (see: iw phy, iw reg get)", name, mhz)
                self._round, self._next = rest, self._next % len(rest)
                return
            raise self._failed(
                "hop_no_channel",
                f"{name} can listen on none of the channels",
                "choose others that iw phy lists, and check the country: iw reg get",
            )
        if code in (errno.EPERM, errno.EACCES):
            raise self._failed(
                "hop_no_permission",
                f"{name}: not permitted to set the channel",
                "give iw's capability to the service: AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW",
            )
        if code == errno.EBUSY:
            raise self._failed(
                "hop_busy",
                f"{name}: another program holds the channel",
                f"release it: nmcli device set {name} managed no; and stop wpa_supplicant or hostapd on this radio",
            )
        if code == errno.ENODEV:
            raise self._failed(
                "hop_no_interface",
                f"there is no interface {name}",
                "see which there are: iw dev; plug the radio in, or correct hopping.interface",
            )
        if code == errno.ENETDOWN:
            raise self._failed("hop_no_interface", f"{name} is down", f"bring it up: ip link set {name} up")
        said = ran.said.strip().splitlines()
        raise self._failed("hop_failed", f"iw: {said[-1][:120] if said else f'exit code {ran.code}'}", "try it by hand")

    def _failed(self, reason: str, said: str, fix: str) -> HopError:
        self.failures += 1
        self.condition = reason
        return HopError(said, fix, reason=reason)

    def run(self, stop: threading.Event) -> None:
        """The thread's body: failures are told once each, and tried again."""
        told: str | None = None
        while True:
            try:
                wait, told = self.step(), None
            except HopError as error:
                wait = _RETRY_S
                if error.reason != told:
                    log.warning("%s; %s; trying again every %.0f s", error, error.fix, _RETRY_S)
                told = error.reason
            if stop.wait(wait):
                return


def _errno(ran: Ran) -> int | None:
    """iw says ``command failed: Device or resource busy (-16)``, and exits with 240, which is -16 as a byte."""
    found = re.search(r"\((-\d+)\)", ran.said)
    if found:
        return -int(found[1])
    return 256 - ran.code if ran.code > 128 else None
