import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.edge.test_devices import SITE
from tests.sensors.wifi_frames import ELEMENTS, FIXED, PHONE, element, pcap, probe, radiotap
from tests.shared_data import shared

DEMO = Path(__file__).resolve().parents[2] / "edge" / "demo"
START = 1_700_000_400


def yingke(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "yingke", "wifi", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def counted(*arguments: object) -> dict[str, Any]:
    done = yingke("count", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def capture(path: Path, times: list[float], address: bytes = PHONE) -> Path:
    path.write_bytes(pcap([(START + time, radiotap(probe(address, ssid=b"Secret-Net"))) for time in times]))
    return path


def test_every_window_that_the_capture_covers_is_listed_and_edges_are_withdrawn(tmp_path: Path) -> None:
    path = capture(tmp_path / "a.pcap", [500, 620, 1000, 2400, 2500])
    result = counted(path, "--window", 600)
    assert (result["frames"], result["malformed"]) == (5, 0)
    windows = result["windows"]
    assert all({"start", "seconds", "devices", "low", "high", "inside", "passing", "bursts"} <= set(w) for w in windows)
    assert [window["start"] - START for window in windows] == [0, 600, 1200, 1800, 2400]
    assert [window["bursts"] for window in windows] == [1, 2, 0, 0, 2]
    assert [window["devices"] is None for window in windows] == [True, False, False, False, True]
    assert windows[2]["devices"] == 0
    for window in windows[1:4]:
        assert window["low"] <= window["devices"] <= window["high"]


def test_the_capture_rate_is_the_share_of_bursts_from_inside(tmp_path: Path) -> None:
    near, far = (
        [(START + 50.0 * step + shift, radiotap(probe(address), rssi=level)) for step in range(12)]
        for shift, address, level in ((0, PHONE, -50), (20, FIXED, -80))
    )
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(sorted(near + far[:4])))
    (window,) = counted(path)["windows"]
    assert (window["bursts"], window["capture_rate"]) == (16, 0.75)


def test_a_pause_of_hours_is_not_listed_as_nobody(tmp_path: Path) -> None:
    one, two = capture(tmp_path / "1.pcap", [0, 600]), capture(tmp_path / "2.pcap", [86_400, 87_000])
    starts = [window["start"] - START for window in counted(one, two)["windows"]]
    assert starts == [0, 600, 86_400, 87_000]


def test_one_burst_heard_on_several_channels_is_one_burst(tmp_path: Path) -> None:
    files = [capture(tmp_path / f"{n}.pcap", [offset, 300 + offset, 599]) for n, offset in enumerate((0.0, 0.05, 0.1))]
    (window,) = counted(*files)["windows"]
    assert window["bursts"] == 3


def test_a_capture_that_was_stopped_is_counted_with_a_warning(tmp_path: Path) -> None:
    path = capture(tmp_path / "a.pcap", [0, 300, 500])
    path.write_bytes(path.read_bytes()[:-7])
    done = yingke("count", path, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["malformed"] == 1
    assert done.stderr.startswith(f"warning: {path}: the last record, at offset")
    assert done.stderr.count("\n") == 1


def test_nothing_of_an_address_or_a_network_is_printed(tmp_path: Path) -> None:
    path = capture(tmp_path / "a.pcap", [float(second) for second in range(0, 600, 20)], FIXED)
    for arguments in ((path,), (path, "--json")):
        done = yingke("count", *arguments)
        text = (done.stdout + done.stderr).lower()
        assert "secret-net" not in text
        assert not any(form in text for form in (FIXED.hex(), FIXED.hex(":"), FIXED.hex()[:6], FIXED.hex(":")[:8]))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (pcap([], link=1), "Ethernet"),
        (b"", "empty"),
        (b"hello, this is no capture at all", "neither pcap nor pcapng"),
        (pcap([(1.0, b"x")]) + b"\xff" * 100, "at offset"),
    ],
)
def test_what_cannot_be_counted_is_one_line_and_a_fix_with_exit_code_1(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(content)
    done = yingke("count", path, "--json")
    assert done.returncode == 1
    assert done.stdout == ""
    error, fix = done.stderr.splitlines()
    assert error.startswith(f"error: {path}: ")
    assert words in error
    assert fix.startswith("fix: ")


def test_a_missing_capture_or_calibration_is_named(tmp_path: Path) -> None:
    path = capture(tmp_path / "a.pcap", [0])
    for arguments in ((tmp_path / "none.pcap",), (path, "--calibration", tmp_path / "none.json")):
        done = yingke("count", *arguments)
        assert done.returncode == 1
        assert "No such file" in done.stderr


def test_a_calibration_changes_the_count(tmp_path: Path) -> None:
    path = capture(tmp_path / "a.pcap", [float(second) for second in range(0, 600, 50)])
    site = tmp_path / "site.json"
    values = []
    for scale in (0.5, 1.5):
        site.write_text(SITE.model_copy(update={"scale": scale}).model_dump_json())
        values.append(counted(path, "--calibration", site)["windows"][0])
    assert values[0]["devices"] < values[1]["devices"]


def test_calibrating_on_a_counted_day_gives_a_file_that_counts_it_well(tmp_path: Path) -> None:
    site = tmp_path / "site.json"
    capture_, truth = DEMO / "probes.pcap", DEMO / "probes.truth.csv"
    done = yingke("calibrate", "--day", f"{capture_}:{truth}", "--window", 600, "--out", site)
    assert done.returncode == 0, done.stderr
    people = {line.split(",")[0]: int(line.split(",")[1]) for line in truth.read_text().splitlines()[1:]}
    by_minute = list(people.values())
    error = total = 0.0
    for window in counted(capture_, "--calibration", site)["windows"]:
        minute = (window["start"] - 36_000) // 60
        mean = sum(by_minute[minute : minute + 10]) / 10
        if window["devices"] is not None:
            error, total = error + abs(window["devices"] - mean), total + mean
    assert error / total < 0.25


@pytest.mark.parametrize("window", ["0", "-600", "nan", "inf", "1e9", "soon"])
def test_a_window_that_is_none_is_a_usage_error(tmp_path: Path, window: str) -> None:
    done = yingke("count", capture(tmp_path / "a.pcap", [0]), "--window", window)
    assert done.returncode == 2
    assert "Invalid value for '--window'" in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("when,who\n", "no columns"),
        ("datetime,people\nsoon,3\n", "line 2"),
        ("datetime,people\n2026-01-01,-1\n", "line 2"),
    ],
)
def test_a_truth_that_is_none_is_refused_by_line(tmp_path: Path, text: str, words: str) -> None:
    truth = tmp_path / "truth.csv"
    truth.write_text(text)
    done = yingke("calibrate", "--day", f"{capture(tmp_path / 'a.pcap', [0])}:{truth}", "--out", tmp_path / "site.json")
    assert done.returncode == 1
    assert words in done.stderr
    assert not (tmp_path / "site.json").exists()


def test_the_demos_capture_holds_no_real_address_and_is_small() -> None:
    data = (DEMO / "probes.pcap").read_bytes()
    assert len(data) < 2_000_000
    at, addresses = 24, set()
    while at < len(data):
        length = int.from_bytes(data[at + 8 : at + 12], "little")
        frame = data[at + 16 : at + 16 + length]
        addresses.add(frame[frame[2] + 10 : frame[2] + 16])
        at += 16 + length
    assert all(address[0] & 2 or address[:5] == FIXED[:5] for address in addresses)


def room_day(name: str) -> str:
    folder = shared("data/wifi/room_occupancy")
    return f"{folder / name}.pcap:{folder / name}.occupancy.csv"


@pytest.mark.slow
@pytest.mark.parametrize("window", [600, 3600])
def test_a_real_room_is_followed_by_days_that_it_was_not_calibrated_on(tmp_path: Path, window: int) -> None:
    folder = shared("data/wifi/room_occupancy")
    fitted = ("2022-10-25", "2022-11-08", "2023-02-21", "2023-03-21")
    judged = ("2022-11-01", "2022-11-15", "2023-03-07", "2023-04-11")
    site = tmp_path / "site.json"
    days = [word for day in fitted for word in ("--day", room_day(day))]
    done = yingke("calibrate", *days, "--window", 600, "--out", site)
    assert done.returncode == 0, done.stderr
    assert "UTC+1 h" in done.stdout
    assert "UTC+2 h" in done.stdout  # 25 October is summer time
    from edge.processors.recorded import mean_people, read_people

    error = total = held = 0.0
    number = 0
    for day in judged:
        people, _ = read_people(folder / f"{day}.occupancy.csv", "Europe/Prague", [])
        for each in counted(folder / f"{day}.pcap", "--calibration", site, "--window", window)["windows"]:
            mean = mean_people(people, each["start"], window)
            if mean is not None and each["devices"] is not None:
                error, total = error + abs(each["devices"] - mean), total + mean
                held, number = held + (each["low"] <= mean <= each["high"]), number + 1
    assert error / total < 0.22
    assert held / number > 0.75


@pytest.mark.slow
def test_a_receiver_that_hears_everything_louder_moves_its_gate_and_says_so(tmp_path: Path) -> None:
    folder = shared("data/wifi/room_occupancy")
    site = tmp_path / "site.json"
    days = [word for day in ("2022-11-01", "2022-11-08") for word in ("--day", room_day(day))]
    assert yingke("calibrate", *days, "--out", site).returncode == 0
    usual = counted(folder / "2022-11-15.pcap", "--calibration", site)
    learnt = json.loads(site.read_text())
    # The same day as a receiver would have recorded it that hears everything 8 dB louder than when calibrated.
    learnt["strong_dbm"] -= 8
    learnt["rssi_gate_dbm"] -= 8
    site.write_text(json.dumps(learnt))
    done = yingke("count", folder / "2022-11-15.pcap", "--calibration", site, "--json")
    assert "the gate was moved" in done.stderr
    moved = json.loads(done.stdout)
    assert abs(moved["gate_dbm"] - usual["gate_dbm"]) <= 3


def people(path: Path, lines: list[tuple[str, int]]) -> Path:
    path.write_text("datetime,people\n" + "".join(f"{when},{number}\n" for when, number in lines))
    return path


def test_local_times_are_found_from_the_capture_they_were_counted_beside(tmp_path: Path) -> None:
    from edge.processors.recorded import read_people

    spans = [(float(START), START + 7200.0)]  # 2023-11-14 22:20 to 00:20 UTC
    day = people(tmp_path / "a.csv", [("2023-11-15 06:20:10", 3), ("2023-11-15 08:00:00", 0)])
    found, hours = read_people(day, "auto", spans)
    assert (hours, found[0].time - START) == (8, 10)
    nepal = people(tmp_path / "b.csv", [("2023-11-15 04:05:00", 3), ("2023-11-15 06:04:00", 0)])
    assert read_people(nepal, "auto", spans)[1] == 5.75
    with_offset = people(tmp_path / "c.csv", [("2023-11-14T22:20:00+00:00", 3), ("2023-11-14T23:00:00+00:00", 0)])
    assert read_people(with_offset, "auto", spans)[1] is None


def test_counts_that_fit_several_time_zones_or_none_are_refused_with_the_fix(tmp_path: Path) -> None:
    from edge.processors.recorded import read_people
    from sensors.errors import FormatError

    whole_day = [(float(START), START + 86_400.0)]
    short = people(tmp_path / "a.csv", [("2023-11-15 12:00:00", 3), ("2023-11-15 13:00:00", 0)])
    with pytest.raises(FormatError, match="more than one time zone") as refused:
        read_people(short, "auto", whole_day)
    assert "--zone" in refused.value.fix
    assert read_people(short, "Asia/Shanghai", whole_day)[1] == 8
    other_day = people(tmp_path / "b.csv", [("2024-11-15 12:00:00", 3), ("2024-11-15 13:00:00", 0)])
    with pytest.raises(FormatError, match="do not overlap"):
        read_people(other_day, "auto", whole_day)


@pytest.mark.parametrize("word", ["a.pcap", ":b.csv", "a.pcap:"])
def test_a_day_that_is_no_pair_is_a_usage_error(tmp_path: Path, word: str) -> None:
    done = yingke("calibrate", "--day", word, "--out", tmp_path / "site.json")
    assert done.returncode == 2
    assert "--day" in done.stderr


def simulated_day(path: Path, phones: int = 8, hours: float = 2) -> Path:
    """Phones that probe every 50 s or so, each burst from a new address; nothing else."""
    packets = []
    for number in range(phones):
        kind = ELEMENTS + element(221, b"\x00\x10\x18" + bytes([number]))
        for step in range(int(hours * 72)):
            address = b"\x02" + (number * 1000 + step).to_bytes(5, "big")
            frame = probe(address, elements=kind, sequence=(step * 900 + number) % 4096)
            packets.append((START + 6.1 * number + 50.0 * step, radiotap(frame)))
    path.write_bytes(pcap(sorted(packets)))
    return path


def day_of(tmp_path: Path) -> str:
    counts = people(tmp_path / "people.csv", [("2023-11-14T22:20:00+00:00", 8)])
    return f"{simulated_day(tmp_path / 'day.pcap')}:{counts}"


def refused(*arguments: object) -> tuple[str, str]:
    done = yingke(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    error, fix = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert fix.startswith("fix: ")
    return error, fix


def test_counts_of_another_day_are_refused_also_when_the_zone_is_said(tmp_path: Path) -> None:
    other = people(tmp_path / "b.csv", [("2024-11-15 12:00:00", 3), ("2024-11-15 13:00:00", 0)])
    day = ("calibrate", "--day", f"{simulated_day(tmp_path / 'day.pcap')}:{other}", "--out", tmp_path / "site.json")
    assert "do not overlap" in refused(*day)[0]
    error, fix = refused(*day, "--zone", "Asia/Shanghai")
    assert error.startswith("error: 0 windows with people")
    assert "the counts of its own day" in fix
    assert "--zone" in fix


def test_a_capture_without_a_probe_request_says_so_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "empty.pcap"
    path.write_bytes(pcap([]))
    counts = people(tmp_path / "b.csv", [("2023-11-14 12:00:00", 3)])
    error, fix = refused("calibrate", "--day", f"{path}:{counts}", "--out", tmp_path / "site.json")
    assert error == f"error: {path}: no probe request in it"
    assert "monitor mode" in fix
    done = yingke("count", path)
    assert done.returncode == 0
    assert done.stderr.startswith(f"warning: {path}: no probe request in it; capture in monitor mode")


def test_too_long_windows_for_what_was_counted_are_refused(tmp_path: Path) -> None:
    error, fix = refused("calibrate", "--day", day_of(tmp_path), "--window", 3600, "--out", tmp_path / "site.json")
    assert "6 are needed" in error
    assert "shorter --window" in fix


def test_one_day_alone_is_taken_with_a_warning_and_short_windows_are_told_apart(tmp_path: Path) -> None:
    site = tmp_path / "site.json"
    done = yingke("calibrate", "--day", day_of(tmp_path), "--out", site)
    assert done.returncode == 0, done.stderr
    assert "left-out quarters of the day: off by" in done.stdout
    assert done.stderr == "warning: one day tells little about others: count a second one and give both\n"
    for window, warned in ((60, True), (600, False), (3600, False)):
        counted_ = yingke("count", tmp_path / "day.pcap", "--calibration", site, "--window", window)
        assert counted_.returncode == 0
        assert ("calibrated with windows of 600 s" in counted_.stderr) == warned
    assert json.loads(site.read_text())["strong_dbm"] == -50


def test_a_calibration_that_cannot_be_written_or_read_is_named(tmp_path: Path) -> None:
    error, fix = refused("calibrate", "--day", day_of(tmp_path), "--out", tmp_path / "none" / "site.json")
    assert str(tmp_path / "none" / "site.json") in error
    assert "--out" in fix
    for text, words in (
        ('{"t": 60}', "of this version: burst_interval_s"),
        (SITE.model_dump_json()[:-1] + ',"v":2}', "of this version: v"),
        ("[]", "of this version"),
    ):
        (tmp_path / "old.json").write_text(text)
        error, fix = refused("count", tmp_path / "day.pcap", "--calibration", tmp_path / "old.json")
        assert words in error
        assert "yingke wifi calibrate" in fix
