import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.errors import FormatError
from sensors.wifi.capture import HEAD, MAX_PACKET, Packet, open_parser
from tests.sensors.wifi_frames import block, enhanced, interface, pcap, probe, radiotap, section

FRAME = radiotap(probe())
TIMES = [(1_700_000_000.25, FRAME), (1_700_000_001.5, FRAME[:40])]


def read(data: bytes, step: int = 1 << 20) -> list[Packet]:
    parser = open_parser(data[:HEAD], "day.pcap")
    return [packet for at in range(0, len(data), step) for packet in parser.feed(data[at : at + step])]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
def test_a_classic_capture_is_read_in_both_byte_orders_and_both_resolutions(order: str, nano: bool) -> None:
    packets = read(pcap(TIMES, order=order, nano=nano))
    assert [(data, link) for _, link, data, _ in packets] == [(FRAME, 127), (FRAME[:40], 127)]
    assert [time for time, *_ in packets] == pytest.approx([time for time, _ in TIMES], abs=1e-6)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_pcapng_with_interfaces_of_different_clocks_gives_the_same_times(order: str) -> None:
    nano = struct.pack(order + "HHB3x", 9, 1, 9) + struct.pack(order + "HHq", 14, 8, 1_000_000_000)
    binary = struct.pack(order + "HHB3x", 9, 1, 0x8A)
    data = (
        section(order)
        + interface(127, order)
        + interface(105, order, options=nano)
        + interface(127, order, options=binary)
        + enhanced(0, 1_700_000_000_250_000, b"micro", order)
        + enhanced(1, 700_000_000_500_000_000, b"nano, and an offset", order)
        + enhanced(2, 1_700_000_000 * 1024 + 512, b"1/1024", order)
        + block(3, struct.pack(order + "I", 6) + b"simple", order)
        + block(5, b"statistics are skipped", order)
    )
    packets = read(data)
    assert [data for _, _, data, _ in packets] == [b"micro", b"nano, and an offset", b"1/1024", b"simple"]
    assert [link for _, link, _, _ in packets] == [127, 105, 127, 127]
    assert [time - 1_700_000_000 for time, *_ in packets] == pytest.approx([0.25, 0.5, 0.5, 0.5], abs=1e-6)


def test_a_second_section_starts_its_own_interfaces_and_byte_order() -> None:
    first = section() + interface() + enhanced(0, 1_000_000, b"first")
    second = section(">") + interface(105, ">") + enhanced(0, 2_000_000, b"second", ">")
    assert read(first + second) == [(1.0, 127, b"first", False), (2.0, 105, b"second", False)]


def test_a_frame_that_the_capture_shortened_is_marked_as_cut() -> None:
    data = pcap([]) + struct.pack("<IIII", 1, 0, 3, 300) + b"abc"
    assert read(data) == [(1.0, 127, b"abc", True)]


@given(step=st.integers(1, 60))
def test_however_the_bytes_arrive_the_packets_are_the_same(step: int) -> None:
    classic = pcap(TIMES)
    newer = section() + interface() + enhanced(0, 5, FRAME) + block(4, b"names") + enhanced(0, 9, FRAME[:31])
    assert read(classic, step) == read(classic)
    assert read(newer, step) == read(newer)


def test_what_is_cut_off_at_the_end_is_told_by_its_offset_and_the_rest_is_read() -> None:
    data = pcap(TIMES)
    parser = open_parser(data, "day.pcap")
    assert len(list(parser.feed(data[:-1]))) == 1
    assert parser.leftover == 24 + 16 + len(FRAME)
    assert len(list(parser.feed(data[-1:]))) == 1
    assert parser.leftover is None


@pytest.mark.parametrize(
    ("link", "words"), [(1, "Ethernet"), (113, "Linux cooked"), (119, "Prism"), (192, "PPI"), (187, "Bluetooth")]
)
def test_another_link_type_is_refused_by_name_even_without_a_packet(link: int, words: str) -> None:
    with pytest.raises(FormatError, match=rf"day\.pcap: link type is .*{words}.*\({link}\)") as refused:
        open_parser(pcap([], link=link), "day.pcap")
    assert "radiotap" in refused.value.fix
    with pytest.raises(FormatError, match=words):
        read(section() + interface(link))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (pcap([])[:20], "ends inside its file header"),
        (b"GIF89a" + bytes(40), "neither pcap nor pcapng"),
        (b"\x1f\x8b\x08" + bytes(40), "gzip"),
        (pcap([]) + struct.pack("<IIII", 1, 0, MAX_PACKET + 1, 1), f"a record of {MAX_PACKET + 1} bytes at offset 24"),
        (pcap([])[:4] + b"\x07\x00" + pcap([])[6:], "pcap version 7"),
        (section() + struct.pack("<III", 6, 1 << 30, 0), "a block of 1073741824 bytes at offset 28"),
        (section() + enhanced(0, 1, b""), "interface 0, which is not described"),
        (section() + interface()[:-4] + b"\x08\x00\x00\x00", "two lengths differ"),
        (section()[:8] + b"????" + section()[12:], "without byte-order mark"),
    ],
)
def test_what_is_no_capture_or_damaged_is_refused_in_one_line(data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words) as refused:
        read(data)
    assert "\n" not in str(refused.value)
    assert refused.value.fix


@given(data=st.binary(max_size=300), at=st.integers(0, 400), newer=st.booleans(), step=st.integers(1, 500))
def test_arbitrary_and_mutated_captures_raise_nothing_but_a_format_error(
    data: bytes, at: int, newer: bool, step: int
) -> None:
    good = section() + interface() + enhanced(0, 5, FRAME) * 3 if newer else pcap(TIMES * 2)
    for bad in (data, good[:at] + data + good[at + len(data) :], good[:24] + data):
        try:
            read(bad, step)
        except FormatError:
            continue
