import struct
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.errors import FormatError
from sensors.readings import ProbeRequest
from sensors.wifi.capture import BARE_80211, BARE_80211_FCS, open_parser
from sensors.wifi.dot11 import ProbeParser
from sensors.wifi.hashing import ROTATION_SECONDS, Pseudonyms
from tests.sensors.wifi_frames import ELEMENTS, FIXED, PHONE, as_packet, element, pcap, probe, radiotap
from tests.shared_data import shared

SSID = b"Zhang San's home"


def parse(data: bytes, *, time: float = 1000.0, link: int = 127, cut: bool = False) -> ProbeRequest | None:
    return ProbeParser(Pseudonyms(lambda: bytes(32))).parse(time, link, data, cut)


def parsed(data: bytes, *, link: int = 127) -> ProbeRequest:
    result = parse(data, link=link)
    assert result is not None
    return result


def test_a_probe_request_gives_its_signal_channel_sequence_and_kind_of_address() -> None:
    reading = parsed(radiotap(probe(sequence=4095), rssi=-63, mhz=2462))
    assert (reading.rssi_dbm, reading.channel, reading.sequence, reading.randomised) == (-63, 11, 4095, True)
    assert not parsed(radiotap(probe(FIXED))).randomised


@pytest.mark.parametrize(("mhz", "channel"), [(2412, 1), (2484, 14), (5180, 36), (5825, 165), (5955, 1), (999, None)])
def test_a_frequency_is_a_channel(mhz: int, channel: int | None) -> None:
    assert parsed(radiotap(probe(), mhz=mhz)).channel == channel


def test_several_bitmaps_with_a_signal_per_antenna_give_the_first_one() -> None:
    words = struct.pack(
        "<III", 1 << 5 | 1 << 3 | 1 << 0 | 1 << 29 | 1 << 31, 1 << 5 | 1 << 11 | 1 << 29 | 1 << 31, 1 << 5
    )
    body = bytes(8) + struct.pack("<HHb", 5180, 0, -40) + b"\xc8\x01\xc9"
    head = struct.pack("<BBH", 0, 0, 16 + len(body)) + words + body
    for _ in range(2):
        assert (parsed(head + probe()).rssi_dbm, parsed(head + probe()).channel) == (-40, 36)


def test_a_signal_that_only_the_second_bitmap_has_is_found_there() -> None:
    head = struct.pack("<BBHIIbx", 0, 0, 14, 1 << 29 | 1 << 31, 1 << 5, -71)
    assert parsed(head + probe()).rssi_dbm == -71


def test_a_header_with_a_vendors_fields_is_stepped_over() -> None:
    head = struct.pack("<BBHIIb", 0, 0, 20, 1 << 5 | 1 << 30 | 1 << 31, 0xFFFF, -33) + bytes(7)
    assert parsed(head + probe()).rssi_dbm == -33


def test_what_comes_behind_a_vendors_fields_is_found_however_long_they_are() -> None:
    words = struct.pack("<III", 1 << 2 | 1 << 30 | 1 << 31, 0xFFFF | 1 << 29 | 1 << 31, 1 << 3 | 1 << 5)
    parser = ProbeParser()
    for skipped in (0, 1, 7, 40):  # the bitmaps are the same each time
        body = b"\x02" + bytes(1) + b"\x00\x11\x22\x01" + struct.pack("<H", skipped) + b"\xee" * skipped
        body += bytes(len(body) % 2) + struct.pack("<HHb", 2462, 0, -61)
        head = struct.pack("<BBH", 0, 0, 16 + len(body)) + words + body
        reading = parser.parse(1000.0, 127, head + probe(), False)
        assert reading is not None
        assert (reading.rssi_dbm, reading.channel) == (-61, 11)


def test_a_vendors_length_that_lies_is_damage() -> None:
    words = struct.pack("<III", 1 << 30 | 1 << 31, 1 << 29 | 1 << 31, 1 << 5)
    head = struct.pack("<BBH", 0, 0, 23) + words + b"\x00\x11\x22\x01\xff\xff" + bytes(1)
    with pytest.raises(FormatError, match="longer than their header"):
        parse(head + probe())


def test_a_header_without_signal_or_channel_says_nothing_of_them() -> None:
    reading = parsed(struct.pack("<BBHI", 0, 0, 8, 0) + probe())
    assert (reading.rssi_dbm, reading.channel) == (None, None)


def test_a_checksum_changes_nothing_whether_the_capture_tells_of_it_or_not() -> None:
    frame = probe()
    checked = frame + crc32(frame).to_bytes(4, "little")
    plain = parsed(radiotap(frame))
    untold = struct.pack("<BBHIb", 0, 0, 9, 1 << 5, -50)
    assert parsed(radiotap(checked, flags=0x10)).fingerprint == plain.fingerprint
    assert parsed(untold + checked).fingerprint == plain.fingerprint
    assert parsed(untold + frame).fingerprint == plain.fingerprint
    assert parsed(checked, link=BARE_80211_FCS).fingerprint == plain.fingerprint
    assert parsed(checked, link=BARE_80211).fingerprint == plain.fingerprint
    assert parsed(frame, link=BARE_80211).fingerprint == plain.fingerprint


@pytest.mark.parametrize("first", [0x80, 0x50, 0x00, 0x08, 0xC4, 0x41])
def test_frames_of_other_kinds_are_not_probe_requests_and_not_damage(first: int) -> None:
    assert parse(radiotap(bytes((first,)) + probe()[1:])) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        radiotap(b""),
        radiotap(probe()[:20]),
        radiotap(probe()[:-1]),
        radiotap(probe() + b"\x30"),
        radiotap(probe(), flags=0x40),
        b"\x01" + radiotap(probe())[1:],
        struct.pack("<BBHI", 0, 0, 200, 0) + probe(),
        struct.pack("<BBHI", 0, 0, 7, 0) + probe(),
        struct.pack("<BBHI", 0, 0, 8, 1 << 5) + probe(),
        struct.pack("<BBHI", 0, 0, 8, 1 << 31),
    ],
)
def test_a_damaged_frame_is_told_from_others(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse(data)


def test_a_frame_of_which_only_the_beginning_was_captured_is_used_as_far_as_it_goes() -> None:
    whole = radiotap(probe())
    assert parse(whole[:-1], cut=True) is not None
    with pytest.raises(FormatError):
        parse(whole[:-1], cut=False)


def test_what_differs_from_scan_to_scan_does_not_change_the_kind_of_phone() -> None:
    plain = parsed(radiotap(probe())).fingerprint
    other_channel = ELEMENTS.replace(b"\x03\x01\x06", b"\x03\x01\x0b")
    wide = ELEMENTS.replace(b"\x2d\x1a\x6e\x41", b"\x2d\x1a\x2c\x01")
    capabilities = ELEMENTS.replace(b"\x7f\x04\x00\x00\x0a\x02", b"\x7f\x04\x01\x00\x08\x80")
    extra = ELEMENTS + element(255, b"\x02abc") + element(221, b"\x00\x50\xf2\x08\x00\x17\x01") + element(107, b"\x0f")
    for elements in (other_channel, wide, capabilities, extra):
        assert elements != ELEMENTS
        assert parsed(radiotap(probe(elements=elements))).fingerprint == plain
    wps = [ELEMENTS + element(221, b"\x00\x50\xf2\x04" + name) for name in (b"Zhang's phone", b"Li's phone")]
    assert len({parsed(radiotap(probe(elements=elements))).fingerprint for elements in wps}) == 1
    assert parsed(radiotap(probe(elements=ELEMENTS + element(70, b"\x70")))).fingerprint != plain


@given(ssid=st.binary(max_size=32), address=st.binary(min_size=6, max_size=6))
def test_the_network_asked_for_leaves_no_trace(ssid: bytes, address: bytes) -> None:
    without = parsed(radiotap(probe(address)))
    assert parsed(radiotap(probe(address, ssid=ssid))) == without
    again = parsed(radiotap(probe(address, elements=ELEMENTS + element(0, ssid))))
    assert again == without


def test_nothing_of_an_address_or_a_network_name_is_in_a_reading_or_in_the_parsers_memory() -> None:
    names = Pseudonyms()
    parser = ProbeParser(names)
    elements = ELEMENTS + element(221, b"\x00\x50\xf2\x04" + SSID) + element(114, SSID) + element(0, SSID)
    reading = parser.parse(1000.0, 127, radiotap(probe(PHONE, ssid=SSID, elements=elements)), False)
    assert reading is not None
    # A field that could hold an address or a name would have to be added here, and seen.
    expected = ["time", "device", "fingerprint", "sequence", "randomised", "rssi_dbm", "channel"]
    assert list(ProbeRequest._fields) == expected
    held = repr([reading, vars(parser), vars(names)]).encode()
    for secret in (PHONE, PHONE[3:], PHONE[:3], SSID, SSID[:6]):
        assert repr(secret)[2:-1].encode() not in held
        assert secret.hex().encode() not in held.lower()
        assert secret not in reading.device + reading.fingerprint


def test_a_pseudonym_ends_with_its_salt() -> None:
    parser = ProbeParser()
    frame = radiotap(probe())

    def at(time: float) -> ProbeRequest:
        reading = parser.parse(time, 127, frame, False)
        assert reading is not None
        return reading

    start = 100 * ROTATION_SECONDS
    first, same, later = at(start), at(start + ROTATION_SECONDS - 1), at(start + ROTATION_SECONDS)
    assert first.device == same.device
    assert {first.device, first.fingerprint}.isdisjoint({later.device, later.fingerprint})
    # A frame of another channel that is a little late does not bring the old salt back, nor end the new one.
    assert at(start + ROTATION_SECONDS - 1).device == later.device
    assert at(start + ROTATION_SECONDS + 5).device == later.device
    # Neither does a clock that is set back.
    assert at(start - 5 * ROTATION_SECONDS).device not in {first.device, later.device}


def test_no_salt_lives_longer_than_fifteen_minutes() -> None:
    assert ROTATION_SECONDS <= 900


def test_two_boxes_give_one_phone_different_pseudonyms() -> None:
    frame = radiotap(probe())
    readings = [ProbeParser().parse(1000.0, 127, frame, False) for _ in range(2)]
    assert len({reading.device for reading in readings if reading}) == 2


@given(
    data=st.binary(max_size=200),
    at=st.integers(0, 150),
    link=st.sampled_from([127, 105, BARE_80211_FCS, 1]),
    cut=st.booleans(),
)
def test_arbitrary_and_mutated_frames_raise_nothing_but_a_format_error(
    data: bytes, at: int, link: int, cut: bool
) -> None:
    good = radiotap(probe())
    parser = ProbeParser()
    for bad in (data, good[:at] + data + good[at + len(data) :], good[:at], b"\x00\x00" + data):
        try:
            parser.parse(1000.0, link, bad, cut)
        except FormatError:
            continue


def test_scapys_dissection_agrees_on_every_field_of_real_frames() -> None:
    from scapy.layers.dot11 import Dot11, RadioTap

    salt = bytes(range(32))
    names = Pseudonyms(lambda: salt)
    parser = ProbeParser(names)
    files = sorted(shared("data/wifi/labelled_devices").glob("*/*.pcap"))[::9]
    files += sorted(shared("data/wifi/room_occupancy").glob("*.pcap"))[:2]
    compared = 0
    for path in files:
        data = path.read_bytes()
        for time, link, frame, cut in list(open_parser(data, path.name).feed(data))[::97]:
            reading = parser.parse(time, link, frame, cut)
            radio = RadioTap(frame)
            header = radio[Dot11]
            address = bytes.fromhex(header.addr2.replace(":", ""))
            assert reading is not None
            assert reading.device == names.device(address)
            assert reading.randomised == bool(address[0] & 2)
            assert reading.sequence == header.SC >> 4
            assert reading.rssi_dbm == radio.dBm_AntSignal
            assert reading.channel is not None
            assert radio.ChannelFrequency == 2407 + 5 * reading.channel
            compared += 1
    assert compared > 300


def test_frames_built_by_scapy_are_read() -> None:
    from tools.make_wifi_capture import frame

    built = bytes(frame(3, PHONE, 1234, -57))
    reading = parsed(built)
    assert (reading.sequence, reading.rssi_dbm, reading.channel, reading.randomised) == (1234, -57, 6, True)
    assert as_packet(built)[2] in pcap([(1.0, built)])
