"""The demonstration's child processes: started with a log each, watched, and never left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from sync.errors import SyncError

GRACE_S = 10.0
"""From the request to stop until the kill; the edge needs about a second to write what is open."""


class ChildDied(SyncError):
    """A process of the demonstration ended by itself."""


class Children:
    """Starts ``yingke`` sub-commands and stops them all on exit, the last one first.

    They get a process group of their own: Ctrl-C reaches only the parent, which stops them in order. Each is told its
    parent's process id, and ends itself when that is gone (``sync.parent``), so that even ``kill -9`` leaves none.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def start(self, name: str, arguments: Sequence[str]) -> None:
        """Run ``yingke ARGUMENTS``; its output goes to ``NAME.log``."""
        with (self._logs / f"{name}.log").open("wb") as log:
            child = subprocess.Popen(  # noqa: S603  # our own command
                [sys.executable, "-m", "yingke", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | {"YINGKE_PARENT": str(os.getpid())},
            )
        self._running.append((name, child))

    def check(self) -> None:
        """Raises ``ChildDied`` with the last line of the log when one has ended."""
        for name, child in self._running:
            if child.poll() is not None:
                said = (self._logs / f"{name}.log").read_text(errors="replace").strip().splitlines()
                raise ChildDied(
                    f"{name} ended with code {child.returncode}: {said[-1] if said else 'it said nothing'}",
                    f"read {self._logs / (name + '.log')}",
                )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, child in reversed(self._running):
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
            try:
                child.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
