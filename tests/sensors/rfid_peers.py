"""LLRP readers to test our client against: two by others, started as processes, and our own emulated one."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from edge.demo.reader import EmulatedReader
from sensors.errors import SourceError
from sensors.rfid.client import LlrpSource
from tests.shared_data import shared

PACKAGES = Path(__file__).resolve().parents[2] / ".yingke" / "llrpjs" / "node_modules"
RATE = 200


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def llrpkit() -> Iterator[int]:
    pytest.importorskip("llrpkit")
    with _process(sys.executable, shared("peers/llrp_reader_llrpkit.py"), {}) as port:
        yield port


@contextmanager
def llrpjs() -> Iterator[int]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    if not (PACKAGES / "llrpjs").is_dir():
        pytest.skip("needs the llrpjs package: scripts/install-llrpjs")
    with _process(node, shared("peers/llrp_reader_llrpjs.js"), {"NODE_PATH": str(PACKAGES)}) as port:
        yield port


@contextmanager
def emulated() -> Iterator[int]:
    with EmulatedReader(
        start=time.time() - 600, speed=1.0, seed=1, elapsed=lambda: time.time() - _ENTERED + 600
    ) as one:
        yield one.port


_ENTERED = time.time()
READERS = {"llrpkit": llrpkit, "llrpjs": llrpjs, "emulated": emulated}


@contextmanager
def _process(program: str, script: Path, environment: dict[str, str]) -> Iterator[int]:
    port = free_port()
    command = [program, str(script), str(port), str(RATE), "60"]
    with subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert b"listening" in process.stdout.readline()
            yield port
        finally:
            process.terminate()


def entered(source: LlrpSource, seconds: float = 10.0) -> LlrpSource:
    """Enter ``source``, trying again while its reader, which said that it listens, does not yet."""
    deadline = time.monotonic() + seconds
    while True:
        with suppress(SourceError):
            return source.__enter__()
        assert time.monotonic() < deadline, "the reader never listened"
        time.sleep(0.05)
