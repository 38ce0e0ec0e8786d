import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from edge.config import EdgeFile
from edge.doctor.box import check_clock, check_disk, check_models
from edge.doctor.examination import examine, radios
from edge.doctor.findings import ClockState, Finding
from edge.doctor.machine import ThisMachine
from sensors.errors import SourceError
from sync.errors import SyncError
from sync.settings import load
from tests.edge.doctor.making import PretendMachine

GOOD = """store: {id: s}
sensors:
  cameras:
    - {name: door, url: "rtsp://192.0.2.10/s"}
  rfid:
    - {name: fitting, type: llrp, host: 192.0.2.20}
  wifi:
    - {name: probes, type: fifo, path: /run/yingke/probes, hopping: {interface: mon0}}
edge:
  counting:
    door:
      lines:
        - {name: entrance, start: [0.2, 0.6], end: [0.8, 0.6], entering: positive}
  tryons: {fitting: {rooms: {1: room-1}}}
  devices: {probes: {}}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(GOOD)
    return file


def found(path: Path, machine: PretendMachine) -> dict[str, Finding]:
    return {finding.check: finding for finding in examine(path, machine, 8.0)}


def test_a_box_on_which_everything_works_has_no_line_that_is_not_ok(path: Path) -> None:
    findings = found(path, PretendMachine())
    assert {finding.level for finding in findings.values()} == {"ok"}
    looked_at = ("config", "disk", "clock", "broker", "camera door", "reader fitting", "wifi mon0 air", "recognition")
    assert set(looked_at) <= findings.keys()
    assert "model yolox_nano" in findings


def test_every_fault_fails_its_own_line_only_and_has_a_next_step(path: Path) -> None:
    machines = {
        "broker": PretendMachine(refused=SyncError("cannot connect", "start the broker")),
        "camera door": PretendMachine(dark=SourceError("no picture", "look at the camera")),
        "reader fitting": PretendMachine(unreachable=OSError(113, "No route to host")),
        "disk": PretendMachine(unwritable=OSError(30, "Read-only file system")),
        "clock": PretendMachine(kept=ClockState(False, 16.0)),
    }
    for check, machine in machines.items():
        bad = {name: each for name, each in found(path, machine).items() if each.level != "ok"}
        assert list(bad) == [check]
        assert bad[check].level == "fail"
        assert bad[check].fix


def test_a_configuration_that_is_wrong_is_the_only_line(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(GOOD.replace("192.0.2.20", "''"))
    (finding,) = examine(file, PretendMachine(), 8.0)
    assert (finding.check, finding.level) == ("config", "fail")
    assert "sensors.rfid.0" in finding.said


@pytest.mark.parametrize(("free", "level"), [(50_000_000_000, "ok"), (1_500_000_000, "warn"), (100_000_000, "fail")])
def test_the_disk_warns_before_it_is_full(free: int, level: str) -> None:
    assert [each.level for each in check_disk(PretendMachine(free=free), Path("/data"))] == [level]


@pytest.mark.parametrize(
    ("state", "level"),
    [
        (ClockState(True, 0.1), "ok"),
        (ClockState(True, 3.0), "warn"),
        (ClockState(True, 8.0), "fail"),
        (ClockState(False, 0.0), "fail"),
        (None, "warn"),
    ],
)
def test_the_clock_is_judged_by_its_keeper_and_its_error(state: ClockState | None, level: str) -> None:
    assert [each.level for each in check_clock(PretendMachine(kept=state))] == [level]


def test_a_model_file_that_was_altered_fails(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "yolox_nano.onnx").write_bytes(b"not it")
    monkeypatch.setenv("YINGKE_MODELS_DIR", str(tmp_path))
    levels = {each.check: each.level for each in check_models(load(path, EdgeFile))}
    assert levels["model yolox_nano"] == "fail"


def test_the_radio_of_the_configuration_is_the_one_that_is_hopped(path: Path) -> None:
    assert [name for name, _ in radios(load(path, EdgeFile))] == ["mon0"]


def test_this_machine_answers_for_disk_clock_and_ports(tmp_path: Path) -> None:
    machine = ThisMachine()
    assert 0 < machine.disk(tmp_path / "not" / "there").free <= machine.disk(tmp_path).total
    machine.write(tmp_path / "not" / "there")
    assert list(tmp_path.iterdir()) == []
    state = machine.clock()
    assert state is None or 0 <= state.error_s < 100
    with socket.create_server(("127.0.0.1", 0)) as listener:
        machine.reach("127.0.0.1", listener.getsockname()[1], 5)
        port = listener.getsockname()[1]
    with pytest.raises(OSError, match="refused"):
        machine.reach("127.0.0.1", port, 5)
    assert machine.command([sys.executable, "-c", "print(7)"]).text == "7\n"
    with pytest.raises(FileNotFoundError):
        machine.command(["no-such-tool"])


@pytest.mark.skipif(os.geteuid() != 0, reason="raw sockets need root")
def test_this_machine_counts_frames_of_an_interface() -> None:
    try:
        counted = ThisMachine().frames("lo", 0.2)
    except PermissionError:
        pytest.skip("raw sockets are not permitted here")
    assert counted.link == 772  # ARPHRD_LOOPBACK


def test_the_command_exits_with_1_when_something_failed_and_tells_it_as_json(path: Path) -> None:
    path.write_text("store: {id: s}\nsync: {mqtt: {port: 1}}\n")
    command = [sys.executable, "-m", "yingke", "doctor", "--config", str(path)]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60, check=False)
    told = json.loads(done.stdout)
    assert (done.returncode, told["worst"]) == (1, "fail")
    broker = next(each for each in told["findings"] if each["check"] == "broker")
    assert broker["level"] == "fail"
    assert broker["fix"]
    words = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert words.returncode == 1
    assert "fail  broker: " in words.stdout
    assert "Traceback" not in words.stderr
