"""Start, kill and wait for the processes of ``tests.sync.processes``."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Child:
    """One process that can be killed and started again with the same arguments."""

    def __init__(self, log: Path, *arguments: object) -> None:
        self._log = log
        self._command = [sys.executable, "-W", "error", "-m", "tests.sync.processes", *map(str, arguments)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = os.environ | {"PYTHONPATH": str(ROOT), "YINGKE_PARENT": str(os.getpid())}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL; it must have been alive."""
        assert self._process is not None
        assert self._process.poll() is None, self.log()
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """SIGTERM; it must end in order."""
        assert self._process is not None
        self._process.terminate()
        assert self._process.wait(20) == 0, self.log()

    def log(self) -> str:
        return self._log.read_text(errors="replace")[-3000:]


@contextmanager
def child(log: Path, *arguments: object) -> Iterator[Child]:
    """A started ``Child`` that is gone at the end, however the test ended."""
    process = Child(log, *arguments)
    process.start()
    try:
        yield process
    finally:
        if process.running:
            process.kill()


def until(condition: Callable[[], bool], seconds: float, what: Callable[[], str] | str = "") -> None:
    """Wait for a condition; fails with ``what`` when it does not come true within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what() if callable(what) else what
        time.sleep(0.02)
