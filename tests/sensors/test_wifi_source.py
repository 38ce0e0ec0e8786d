import os
import threading
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from sensors.errors import FormatError, SourceError
from sensors.readings import Attention, ProbeRequest, Silence
from sensors.wifi.config import FifoConfig, KismetConfig, LiveConfig, PcapConfig, WifiConfig
from sensors.wifi.kismet import KismetSource
from sensors.wifi.live import LiveSource
from sensors.wifi.source import CaptureSource, PipeSource, open_wifi
from tests.sensors.wifi_frames import ELEMENTS, pcap, probe, radiotap
from tests.shared_data import shared

FRAME = radiotap(probe())


def written(path: Path, times: list[float], frame: bytes = FRAME) -> Path:
    path.write_bytes(pcap([(time, frame) for time in times]))
    return path


def read_all(source: CaptureSource) -> list[ProbeRequest]:
    with source:
        return [reading for reading in source if isinstance(reading, ProbeRequest)]


def test_captures_of_several_channels_are_merged_by_time_and_a_phone_is_the_same_in_all(tmp_path: Path) -> None:
    one = written(tmp_path / "1.pcap", [10.0, 12.0, 30.0])
    eleven = written(tmp_path / "11.pcap", [11.0, 29.0])
    readings = read_all(CaptureSource((one, eleven)))
    assert [reading.time for reading in readings] == [10.0, 11.0, 12.0, 29.0, 30.0]
    assert len({reading.device for reading in readings}) == 1


def test_a_capture_that_was_stopped_inside_a_record_gives_all_before_it_and_says_so(tmp_path: Path) -> None:
    path = written(tmp_path / "day.pcap", [10.0, 11.0])
    path.write_bytes(path.read_bytes()[:-10])
    source = CaptureSource((path,))
    assert len(read_all(source)) == 1
    assert (source.frames, source.malformed) == (1, 1)
    assert source.notices == [f"{path}: the last record, at offset {24 + 16 + len(FRAME)}, is cut off and was left out"]


def test_damaged_frames_are_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "day.pcap"
    beacon = radiotap(b"\x80" + probe()[1:])
    path.write_bytes(pcap([(1.0, FRAME), (2.0, FRAME[:-3]), (3.0, beacon), (4.0, b"\x07"), (5.0, FRAME)]))
    source = CaptureSource((path,))
    assert [reading.time for reading in read_all(source)] == [1.0, 5.0]
    assert (source.frames, source.malformed, source.dropped) == (2, 2, 0)


def test_damage_in_the_middle_of_a_file_is_an_error_after_what_came_before_it(tmp_path: Path) -> None:
    path = written(tmp_path / "day.pcap", [1.0])
    path.write_bytes(path.read_bytes() + b"\xff" * 400)
    readings: list[ProbeRequest | Silence] = []
    with CaptureSource((path,)) as source, pytest.raises(FormatError, match="4294967295 bytes at offset"):
        readings.extend(iter(source))
    assert len(readings) == 1


def test_a_missing_file_or_a_folder_is_one_line_with_a_fix(tmp_path: Path) -> None:
    for path in (tmp_path / "no.pcap", tmp_path):
        with pytest.raises(SourceError, match=str(path)) as refused, CaptureSource((path,)):
            pass
        assert refused.value.fix


def test_a_recording_covers_what_lies_between_its_frames_but_no_long_pause(tmp_path: Path) -> None:
    source = CaptureSource((written(tmp_path / "day.pcap", [10.0, 20.0, 2000.0, 9000.0, 9100.0]),))
    read_all(source)
    assert source.spans == [(10.0, 2000.0), (9000.0, 9100.0)]


def test_a_replay_keeps_the_pace_it_was_given_and_tells_of_its_waits(tmp_path: Path) -> None:
    now = [100.0]

    def wait(seconds: float) -> None:
        assert 0 < seconds <= 1.0
        now[0] += seconds

    path = written(tmp_path / "day.pcap", [36_000.0, 36_030.0, 36_300.0])
    source = CaptureSource((path,), start=1_000_000.0, speed=60.0, clock=lambda: now[0], wait=wait)
    seen = []
    with source:
        for reading in source:
            seen.append((type(reading).__name__, round(reading.time - 1_036_000.0), round(now[0] - 100.0, 3)))
    assert [entry for entry in seen if entry[0] == "ProbeRequest"] == [
        ("ProbeRequest", 0, 0.0),
        ("ProbeRequest", 30, 0.5),
        ("ProbeRequest", 300, 5.0),
    ]
    assert seen.count(("Silence", 90, 1.5)) == 1
    assert [time for _, time, _ in seen] == sorted(time for _, time, _ in seen)


def test_a_pipe_is_read_while_it_is_written_and_its_end_is_an_error(tmp_path: Path) -> None:
    pipe = tmp_path / "probes"
    os.mkfifo(pipe)
    data = pcap([(float(time), FRAME) for time in range(500)])

    def write() -> None:
        with pipe.open("wb", buffering=0) as file:
            for at in range(0, len(data), 997):
                file.write(data[at : at + 997])

    readings: list[ProbeRequest | Attention | Silence] = []
    with PipeSource(pipe) as source:
        writer = threading.Thread(target=write)
        writer.start()
        with pytest.raises(SourceError, match="the capture ended"):
            readings.extend(iter(source))
        writer.join()
    assert [reading.time for reading in readings if isinstance(reading, ProbeRequest)] == list(range(500))


def test_a_pipe_that_nobody_writes_to_tells_of_silence(tmp_path: Path) -> None:
    pipe = tmp_path / "probes"
    os.mkfifo(pipe)
    with PipeSource(pipe, clock=lambda: 77.0) as source:
        assert next(iter(source)) == Silence(77.0)


def test_a_pipe_full_of_other_frames_still_tells_of_silence(tmp_path: Path) -> None:
    pipe = tmp_path / "probes"
    os.mkfifo(pipe)
    ticks = iter(range(1000))
    with PipeSource(pipe, clock=lambda: float(next(ticks))) as source:
        end = os.open(pipe, os.O_WRONLY)
        os.write(end, pcap([(1.0, radiotap(b"\x80" + probe()[1:]))]))
        assert isinstance(next(iter(source)), Silence)
        os.close(end)


def test_a_file_is_no_pipe(tmp_path: Path) -> None:
    path = written(tmp_path / "day.pcap", [1.0])
    with pytest.raises(SourceError, match="not a named pipe") as refused, PipeSource(path):
        pass
    assert "mkfifo" in refused.value.fix


def test_the_configuration_picks_the_source_and_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    adapter: TypeAdapter[PcapConfig | FifoConfig | LiveConfig | KismetConfig] = TypeAdapter(WifiConfig)
    recorded = adapter.validate_python({"type": "pcap", "name": "wifi", "paths": [str(tmp_path / "a.pcap")]})
    live = adapter.validate_python({"type": "fifo", "name": "wifi", "path": "-"})
    radio = adapter.validate_python({"type": "live", "name": "wifi", "interface": "wlan0mon"})
    kismet = adapter.validate_python({"type": "kismet", "name": "wifi", "token_file": str(tmp_path / "token")})
    assert isinstance(open_wifi(radio), LiveSource)
    assert isinstance(open_wifi(kismet), KismetSource)
    assert isinstance(open_wifi(recorded), CaptureSource)
    assert isinstance(open_wifi(live), PipeSource)
    for bad in (
        {"type": "pcap", "name": "wifi", "paths": []},
        {"type": "fifo", "name": "wifi", "path": "x", "salt": 1},
        {"type": "live", "name": "wifi", "interface": "far/too-long-for-linux"},
        {"type": "kismet", "name": "wifi", "token_file": "t", "source": "../../x"},
    ):
        with pytest.raises(ValidationError):
            adapter.validate_python(bad)


def test_every_probe_request_of_the_labelled_phones_is_read_and_the_ethernet_captures_are_refused() -> None:
    frames = malformed = 0
    refused = []
    for path in sorted(shared("data/wifi/labelled_devices").glob("*/*.pcap")):
        source = CaptureSource((path,))
        try:
            frames += len(read_all(source))
        except FormatError as error:
            refused.append(str(error))
        malformed += source.malformed
    assert (frames, malformed) == (69_701, 0)
    assert len(refused) == 2
    assert all("Ethernet" in line for line in refused)


def test_a_flood_of_kinds_and_addresses_does_not_grow_memory_without_bound(tmp_path: Path) -> None:
    source = CaptureSource((tmp_path,))
    parser, names = source._parser, source._names
    for number in range(25_000):
        elements = ELEMENTS + bytes((221, 4)) + number.to_bytes(4, "big")
        frame = radiotap(probe(b"\x02\x00" + number.to_bytes(4, "big"), elements=elements))
        parser.parse(1000.0, 127, frame, False)
    assert max(len(names.devices), len(names.fingerprints)) <= 20_000
