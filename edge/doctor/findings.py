"""What a check finds, and the means by which checks look at the machine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from sensors.camera_config import CameraConfig
from sensors.wifi.hopping import Ran
from sync.config import MqttConfig

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, and (unless it is well) the next step."""

    check: str
    level: Level
    said: str
    fix: str = ""


def ok(check: str, said: str) -> Finding:
    """All is well."""
    return Finding(check, "ok", said)


def warn(check: str, said: str, fix: str) -> Finding:
    """The box works, less well than it could, or it cannot be told."""
    return Finding(check, "warn", said, fix)


def fail(check: str, said: str, fix: str) -> Finding:
    """Something of the configuration cannot work so."""
    return Finding(check, "fail", said, fix)


@dataclass(frozen=True, slots=True)
class Output:
    """What a command printed, and how it ended."""

    text: str
    ran: Ran


@dataclass(frozen=True, slots=True)
class Frames:
    """Counted on an interface; nothing of any frame is kept. ``link`` is its ARPHRD_ number (803 is radiotap)."""

    link: int
    frames: int
    probes: int


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes free and in all, where a folder lies."""

    free: int
    total: int


@dataclass(frozen=True, slots=True)
class ClockState:
    """The kernel's view of its clock: whether something disciplines it, and the largest error in seconds."""

    synchronised: bool
    error_s: float


class Machine(Protocol):
    """The outside world, so that checks are functions of what it answers. Methods raise ``OSError`` where it refuses.

    ``frames`` counts for so many seconds; ``broker`` raises ``SyncError``, ``picture`` ``SensorError``.
    """

    def command(self, command: Sequence[str]) -> Output: ...

    def frames(self, interface: str, seconds: float) -> Frames: ...

    def disk(self, path: Path) -> Disk: ...

    def write(self, path: Path) -> None: ...

    def clock(self) -> ClockState | None: ...

    def reach(self, host: str, port: int, seconds: float) -> None: ...

    def broker(self, config: MqttConfig) -> None: ...

    def picture(self, config: CameraConfig) -> tuple[int, int]: ...


Check = Callable[[], Sequence[Finding]]
