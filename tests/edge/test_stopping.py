"""How edge and centre end: in order at a signal, and at a second Ctrl-C without leaving a thread behind."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.sync.children import ROOT
from yingke import main

SLOW_EDGE = """
import sys, threading, time
from pathlib import Path
import edge.app
from edge.config import EdgeFile
from edge.runtime import SensorStatus
from sync.stopping import stop_on_signals

class Slow:
    status = SensorStatus("door")
    def run(self, stop):
        print("up", flush=True)
        stop.wait()
        time.sleep(2)

edge.app.build_loops = lambda *arguments: [Slow()]
config = EdgeFile.model_validate({"store": {"id": "s1"}, "sensors": {}, "edge": {"data": sys.argv[1]},
                                  "sync": {"mqtt": {"port": 1}}})
stop = threading.Event()
with stop_on_signals(stop):
    edge.app.run(config, stop)
"""


def config(folder: Path, extra: str = "") -> str:
    path = folder / "config.yaml"
    path.write_text(
        "store: {id: s1}\ndashboard: {port: 0}\n"
        f"sync: {{mqtt: {{port: 1}}, database: {{url: 'sqlite:///{folder}/central.db'}}}}\n{extra}"
    )
    return str(path)


def started(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_a_second_ctrl_c_does_not_leave_the_edge_waiting_for_ever(tmp_path: Path) -> None:
    with started("-c", SLOW_EDGE, str(tmp_path / "edge")) as edge:
        assert edge.stdout is not None
        while edge.stdout.readline() != "up\n":
            assert edge.poll() is None
        edge.send_signal(signal.SIGINT)
        time.sleep(0.5)
        edge.send_signal(signal.SIGINT)
        try:
            edge.wait(15)
        finally:
            edge.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_centre_ends_in_order_at_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    with started("-m", "yingke", "centre", "--config", config(tmp_path)) as centre:
        assert centre.stdout is not None
        while "pages on" not in centre.stdout.readline():
            assert centre.poll() is None
        centre.send_signal(number)
        try:
            # Not minus the signal's number: the database was closed and the broker was told.
            assert centre.wait(15) == 0
        finally:
            centre.kill()
    assert not (tmp_path / "central.db-wal").exists()


def test_a_data_folder_that_cannot_be_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    path = config(tmp_path, f"sensors: {{}}\nedge: {{data: {tmp_path}/file}}\n")
    assert main(["edge", "--config", path]) == 1
    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()][-2:] == ["error", "fix"]


STUBBORN = """
import os, subprocess, sys
child = "from sync.parent import follow_parent; import sys, threading; follow_parent(lambda: None, 0.5)\\n" \
    "print('up', flush=True); threading.Event().wait()"
subprocess.Popen([sys.executable, "-c", child], env=os.environ | {"YINGKE_PARENT": str(os.getpid())})
sys.stdin.read()
"""


def test_a_child_that_does_not_stop_is_gone_all_the_same_once_its_parent_is() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STUBBORN], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "up\n"
        parent.kill()
        # The child holds the other end of the pipe: it closes when the child is gone.
        gone = threading.Thread(target=parent.stdout.read, daemon=True)
        gone.start()
        gone.join(10)
        assert not gone.is_alive()
