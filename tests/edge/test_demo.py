"""The demonstration as a newcomer starts it: real processes, real bytes, and nothing left behind."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

DEADLINE_S = 120.0


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "yingke", "demo", "--port", "0", "--folder", str(tmp_path / "demo")]
    environment = os.environ | {"YINGKE_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment) as run:
        yield run
        if run.poll() is None:
            run.kill()


def address(run: subprocess.Popen[str]) -> str:
    assert run.stdout is not None
    said = []
    for line in run.stdout:
        said.append(line)
        found = re.search(r"http://127\.0\.0\.1:\d+/", line)
        if found:
            return found[0]
    raise AssertionError("no address: " + "".join(said))


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.2)
    raise AssertionError("never came true")


def mentioning(folder: Path) -> list[int]:
    """Processes whose command line names the folder of this demonstration."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in command and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for left-over processes in /proc")
def test_the_demonstration_counts_real_people_and_ctrl_c_leaves_no_process(
    demo: subprocess.Popen[str], tmp_path: Path
) -> None:
    page = address(demo)

    def shown() -> Any:
        with urllib.request.urlopen(f"{page}api/v1/stores/demo/day") as answer:
            day = json.load(answer)
        states = {sensor["sensor"]: sensor["state"] for sensor in day["sensors"]}
        working = [states.get(name) == "ok" for name in ("door", "wifi", "fitting")]
        return day if day["visits"] and day["tryons"] and day["devices"] and all(working) else None

    day = until(shown)
    assert day["coverage"] > 0
    with sqlite3.connect(f"file:{tmp_path / 'demo/tablet/desk.db'}?mode=ro", uri=True) as desk:
        (card,) = until(lambda: desk.execute("SELECT body FROM card LIMIT 1").fetchone())
    assert "M-0417" in card
    demo.send_signal(signal.SIGINT)
    assert demo.wait(30) == 0
    assert mentioning(tmp_path) == []
    assert "Traceback" not in "".join(log.read_text() for log in (tmp_path / "demo/logs").iterdir())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the broker's child ends with its parent by a Linux call")
def test_even_kill_9_leaves_no_process(demo: subprocess.Popen[str], tmp_path: Path) -> None:
    address(demo)
    assert mentioning(tmp_path)
    demo.kill()
    demo.wait()
    until(lambda: not mentioning(tmp_path))


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "yingke", "demo", "--port", str(port), "--folder", str(tmp_path)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr.splitlines() == [
        f"error: port {port} is in use",
        "fix: stop what uses it, or: yingke demo --port 0 (any free one)",
    ]


def test_a_second_demonstration_does_not_take_the_folder_of_the_first(tmp_path: Path) -> None:
    import fcntl

    (tmp_path / ".yingke-demo").touch()
    (tmp_path / "centre.db").touch()
    command = [sys.executable, "-m", "yingke", "demo", "--port", "0", "--folder", str(tmp_path)]
    with (tmp_path / ".yingke-demo").open("a") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "a demonstration is running in" in ran.stderr
    assert (tmp_path / "centre.db").exists()


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    command = [sys.executable, "-m", "yingke", "demo", "--port", "0", "--folder", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "holds something else" in ran.stderr
    assert (tmp_path / "photos").exists()


def test_a_page_that_does_not_answer_for_a_moment_is_no_reason_to_end() -> None:
    import socket

    from edge.commands.demo import _read

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert _read(f"http://127.0.0.1:{port}/healthz") is None


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "demo"):
        command = [sys.executable, "-m", "yingke", "demo", "--port", "0", "--folder", str(folder)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == 1
        assert [line.split(":")[0] for line in ran.stderr.splitlines()] == ["error", "fix"]
