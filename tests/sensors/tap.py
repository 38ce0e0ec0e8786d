"""A TAP device of link type 803: frames written to it come out of the kernel like those of a radio in monitor mode."""

import fcntl
import os
import socket
import struct
from types import TracebackType
from typing import Self

import pytest

_TUNSETIFF, _TUNSETLINK = 0x400454CA, 0x400454CD
_TAP_WITHOUT_HEADER = 0x1002
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _UP = 0x8913, 0x8914, 1
RADIOTAP, ETHERNET = 803, 1


class Tap:
    """Entering raises ``OSError`` where this may not be done."""

    def __init__(self, name: str, kind: int = RADIOTAP) -> None:
        self.name = name
        self._kind = kind

    def __enter__(self) -> Self:
        self._file = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.ioctl(self._file, _TUNSETIFF, struct.pack("16sH22x", self.name.encode(), _TAP_WITHOUT_HEADER))
            fcntl.ioctl(self._file, _TUNSETLINK, self._kind)
            self.up(True)
        except BaseException:
            os.close(self._file)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def up(self, wanted: bool) -> None:
        """Bring the interface up or down."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            asked = fcntl.ioctl(control, _SIOCGIFFLAGS, struct.pack("16sH22x", self.name.encode(), 0))
            (flags,) = struct.unpack_from("=H", asked, 16)
            flags = flags | _UP if wanted else flags & ~_UP
            fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", self.name.encode(), flags))

    def send(self, frame: bytes) -> None:
        """As if the radio had received it."""
        os.write(self._file, frame)


def tap(name: str, kind: int = RADIOTAP) -> Tap:
    """A device that is not entered yet; skips the test where the kernel does not allow one."""
    try:
        with Tap(name, kind):
            pass
    except OSError as error:
        pytest.skip(f"no TAP device can be made here ({error.strerror}): needs /dev/net/tun and CAP_NET_ADMIN")
    return Tap(name, kind)
