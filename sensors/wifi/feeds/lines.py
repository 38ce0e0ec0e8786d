"""Lines of an access point's events, from a child process or a named pipe."""

import os
import select
import stat
import subprocess
import time as clocks
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from sensors.errors import FormatError, SourceError
from sensors.readings import Attention, ClientHeard, Silence
from sensors.wifi.feeds import openwrt
from sensors.wifi.feeds.config import OpenWrtConfig
from sensors.wifi.feeds.parsing import Hasher

_WAIT = 1.0
_CHUNK = 64 * 1024
_END_S = 3.0
"""Seconds that a child is given to end by itself."""


class OpenWrtSource:
    """One access point's lines; see ``sensors.readings.Source``.

    ``malformed`` counts lines that could not be read, ``dropped`` stays 0: a child that is not read from waits.
    Iterating raises ``SourceError`` when the child ended or the pipe's writer has gone.
    """

    def __init__(
        self, config: OpenWrtConfig, clock: Callable[[], float] = clocks.time, hasher: Hasher | None = None
    ) -> None:
        self._config = config
        self._clock = clock
        self._hasher = hasher or Hasher()
        self._child: subprocess.Popen[bytes] | None = None
        self._descriptor = -1
        self.malformed = 0
        self.dropped = 0

    @property
    def _name(self) -> str:
        return self._config.command[0] if self._config.command else str(self._config.path)

    def __enter__(self) -> Self:
        try:
            if self._config.command is not None:
                # Not through a shell; its errors go where ours go, so that "permission denied" is seen.
                self._child = subprocess.Popen(  # noqa: S603  # the operator's own configuration
                    self._config.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
                )
                assert self._child.stdout is not None
                self._descriptor = self._child.stdout.fileno()
                os.set_blocking(self._descriptor, False)
            else:
                self._descriptor = _open_pipe(self._config.path or Path("-"))
        except OSError as error:
            fix = "install it, or correct command" if self._config.command else f"make it with: mkfifo {self._name}"
            raise SourceError(f"{self._name}: {error.strerror}", fix) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child is None:
            os.close(self._descriptor)
            return
        self._child.terminate()
        try:
            self._child.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        assert self._child.stdout is not None
        self._child.stdout.close()
        self._child = None

    def __iter__(self) -> Iterator[ClientHeard | Attention | Silence]:
        pending = b""
        skipping = False
        told = self._clock()
        while True:
            chunk = self._read()
            now = self._clock()
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                # The rest of a line whose beginning was given up.
                if not skipping:
                    yield from self._readings(line, now)
                skipping = False
            if len(pending) > openwrt.LONGEST_LINE:
                self.malformed += not skipping
                pending, skipping = b"", True
            if not chunk or now - told >= _WAIT:
                told = now
                yield Silence(now)

    def _readings(self, line: bytes, now: float) -> list[ClientHeard | Attention]:
        try:
            heard = openwrt.heard(line, now)
        except FormatError:
            self.malformed += 1
            return []
        return [] if heard is None else [*self._hasher.readings([heard], now)]

    def _read(self) -> bytes:
        try:
            ready, _, _ = select.select([self._descriptor], [], [], _WAIT)
            if not ready:
                return b""
            chunk = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise SourceError(f"{self._name}: {error.strerror}", "look at the access point") from error
        if not chunk:
            raise SourceError(
                f"{self._name}: ended", "try the command by hand; the access point may be away, or refuse the login"
            )
        return chunk


def _open_pipe(path: Path) -> int:
    if str(path) == "-":
        return os.dup(0)
    # Without O_NONBLOCK, opening would hang until somebody writes, and nobody could stop us.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SourceError(f"{path}: not a named pipe", f"make one with: mkfifo {path}")
    return descriptor
