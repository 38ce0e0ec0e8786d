"""What a hostile sender can do: lie in every length, jump in time, and flood."""

import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.wifi_input import flooded
from edge.processors import bursts
from sensors.errors import FormatError
from sensors.readings import ProbeRequest, Silence
from sensors.wifi.capture import HEAD, open_parser
from sensors.wifi.dot11 import ProbeParser
from sensors.wifi.source import MAX_SPANS, CaptureSource
from tests.sensors.wifi_frames import block, enhanced, interface, pcap, probe, radiotap, section

FRAME = radiotap(probe(ssid=b"home"))
RADIO, BODY = 15, 15 + 24
CLASSIC = pcap([(1.5, FRAME), (2.5, FRAME)])
NEWER = (
    section()
    + interface(options=struct.pack("<HHB3x", 9, 1, 9))
    + enhanced(0, 1_500_000_000, FRAME)
    + block(3, struct.pack("<I", len(FRAME)) + FRAME)
    + enhanced(0, 2_500_000_000, FRAME)
)


def lengths_of_elements() -> list[int]:
    found, at = [], BODY
    while at < len(FRAME):
        found.append(at + 1)
        at += 2 + FRAME[at + 1]
    return found


@given(
    lies=st.dictionaries(st.sampled_from([2, 3, 4, 5, 6, 7, *lengths_of_elements()]), st.integers(0, 255), min_size=1),
    end=st.integers(0, len(FRAME)),
    cut=st.booleans(),
)
def test_a_frame_whose_lengths_lie_is_read_or_malformed(lies: dict[int, int], end: int, cut: bool) -> None:
    frame = bytearray(FRAME)
    for at, value in lies.items():
        frame[at] = value
    parser = ProbeParser()
    try:
        first = parser.parse(1000.0, 127, bytes(frame[:end]), cut)
    except FormatError:
        with pytest.raises(FormatError):  # and not read the second time, from what was remembered of the first
            parser.parse(1000.0, 127, bytes(frame[:end]), cut)
    else:
        assert parser.parse(1000.0, 127, bytes(frame[:end]), cut) == first


def test_each_length_of_an_element_that_lies_upwards_beyond_the_frame_is_malformed() -> None:
    for at in lengths_of_elements():
        lying = FRAME[:at] + b"\xff" + FRAME[at + 1 :]
        parser = ProbeParser()
        assert parser.parse(1000.0, 127, FRAME, False) is not None
        with pytest.raises(FormatError, match="element longer than the frame"):
            parser.parse(1000.0, 127, lying, False)


def test_a_frame_that_was_read_as_cut_does_not_make_a_whole_one_with_its_bytes_valid() -> None:
    parser = ProbeParser()
    assert parser.parse(1000.0, 127, FRAME[:-1], True) is not None
    with pytest.raises(FormatError):
        parser.parse(1000.0, 127, FRAME[:-1], False)


@given(
    newer=st.booleans(),
    at=st.integers(0, len(NEWER) // 4),
    value=st.sampled_from([0, 1, 11, 12, 2**16, 2**31 - 1, 2**31, 2**32 - 1]),
    step=st.integers(1, 400),
)
def test_a_capture_any_word_of_which_lies_gives_packets_or_a_format_error_and_keeps_little(
    newer: bool, at: int, value: int, step: int
) -> None:
    data = NEWER if newer else CLASSIC
    data = data[: 4 * at] + struct.pack("<I", value) + data[4 * at + 4 :]
    kept = 0
    with suppress(FormatError):
        parser = open_parser(data[:HEAD], "lies.pcap")
        for begin in range(0, len(data), step):
            kept += sum(len(packet[2]) for packet in parser.feed(data[begin : begin + step]))
    assert kept <= len(data)


def test_a_clock_that_jumps_inside_a_capture_loses_no_frame(tmp_path: Path) -> None:
    times = [1000.0, 1001.0, 90_000.0, 90_001.0, 2000.0, 2001.0, 0.0, 4_000_000_000.0, 3000.0]
    path = tmp_path / "jumps.pcap"
    path.write_bytes(pcap([(time, FRAME) for time in times]))
    with CaptureSource((path,)) as source:
        found = [reading.time for reading in source]
    assert found == times
    assert source.malformed == 0


def test_a_clock_that_jumps_for_ever_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "jumps.pcap"
    path.write_bytes(pcap([(5000.0 * (number % 2) + 1e5 * number, FRAME) for number in range(MAX_SPANS + 500)]))
    with CaptureSource((path,)) as source:
        found = sum(not isinstance(reading, Silence) for reading in source)
    assert (found, source.malformed, len(source.spans)) == (MAX_SPANS, 500, MAX_SPANS)


@pytest.mark.parametrize("same_kind", [False, True])
def test_a_flood_of_new_addresses_costs_under_64_megabytes(same_kind: bool) -> None:
    grown, frames, _ = flooded(same_kind, minutes=2, a_minute=75_000, seconds=600.0)
    assert frames == 150_000
    assert grown < 64


def test_a_window_over_many_salts_is_bounded_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bursts, "MAX_WINDOW_BURSTS", 250)
    windows, start = bursts.Windows(3600.0), 1_699_999_200.0
    for part in range(6):
        for number in range(100):
            device = bytes((part, number))
            windows.add(ProbeRequest(start + 600 * part + number, device, device, 0, False, None, None))
    (window,) = windows.end()
    assert (window.bursts, window.overflowed, window.frames) == (250, True, 600)
