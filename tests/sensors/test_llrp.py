import base64
import importlib
import json
import struct
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensors.errors import FormatError
from sensors.readings import TagRead
from sensors.rfid import messages as m
from sensors.rfid.llrp import HEADER, MAX_MESSAGE, READER_EVENT_NOTIFICATION, RO_ACCESS_REPORT, Decoder, Message
from sensors.rfid.report import TagReport, damaged, spans
from tests.shared_data import shared

EPC = bytes.fromhex("3074257BF7194E4000001A85")
UTC = 1_700_000_000_123_456


def message(*reports: bytes, kind: int = RO_ACCESS_REPORT) -> bytes:
    return m.encode(kind, 7, *reports)


def report(*parts: bytes) -> bytes:
    return m.tlv(240, b"\x8d" + EPC, *parts)


def reads(data: bytes) -> list[TagRead]:
    decoder = Decoder()
    decoder.feed(data)
    found = [read for one in decoder.messages() for read in decoder.reads(one)]
    decoder.close()
    return found


def reports(data: bytes) -> list[TagReport]:
    decoder = Decoder()
    decoder.feed(data)
    return [one for received in decoder.messages() for one in decoder.reports(received)]


@pytest.mark.parametrize(("name", "count"), [("cap_llrpjs2", 1540), ("cap_llrpkit3", 3170)])
@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
def test_every_report_of_a_recorded_session_is_read_however_the_bytes_are_cut(name: str, count: int, size: int) -> None:
    data = shared(f"data/rfid/llrp_streams/{name}.s2c").read_bytes()
    decoder, found = Decoder(), []
    for start in range(0, len(data), size):
        decoder.feed(data[start : start + size])
        found += [read for one in decoder.messages() for read in decoder.reads(one)]
    decoder.close()
    assert len(found) == count
    assert found == reads(data)


@pytest.mark.parametrize("name", ["cap_llrpjs2", "cap_llrpkit3"])
def test_llrpkit_reads_the_same_from_the_recorded_sessions(name: str) -> None:
    pytest.importorskip("llrpkit")
    decode_message: Callable[[bytes], object] = importlib.import_module("llrpkit.protocol").decode_message
    data = shared(f"data/rfid/llrp_streams/{name}.s2c").read_bytes()
    theirs, position = [], 0
    while position < len(data):
        length = int.from_bytes(data[position + 2 : position + 6], "big")
        for one in getattr(decode_message(data[position : position + length]), "tag_report_datas", ()):
            epc = one.epc_parameter.epc
            raw = epc if isinstance(epc, bytes) else epc.data
            time = one.first_seen_timestamp_utc.microseconds / 1e6
            theirs.append(TagRead(time, raw.hex().upper(), one.antenna_id.antenna_id, one.peak_rssi.peak_rssi))
        position += length
    assert reads(data) == theirs


def test_reports_of_a_real_reader_equal_their_json_field_by_field() -> None:
    fields = {
        "AntennaID": "antenna_id",
        "PeakRSSI": "peak_rssi",
        "FirstSeenUTC": "first_seen_utc",
        "FirstSeenUptime": "first_seen_uptime",
        "LastSeenUTC": "last_seen_utc",
        "LastSeenUptime": "last_seen_uptime",
        "ROSpecID": "ro_spec_id",
        "SpecIndex": "spec_index",
        "InventoryParameterSpecID": "inventory_parameter_spec_id",
        "ChannelIndex": "channel_index",
        "TagSeenCount": "tag_seen_count",
        "AccessSpecID": "access_spec_id",
        "C1G2PC": "c1g2_pc",
        "C1G2CRC": "c1g2_crc",
        "C1G2XPCW1": "c1g2_xpc_w1",
        "C1G2XPCW2": "c1g2_xpc_w2",
    }
    folder = shared("data/rfid/llrp_recorded/roAccessReports")
    bodies = sorted(folder.glob("*.bytes"))
    assert len(bodies) == 9
    for body in bodies:
        truth = json.loads(body.with_suffix(".json").read_text())["TagReportData"]
        ours = reports(message(body.read_bytes()))
        assert len(ours) == len(truth)
        for one, true in zip(ours, truth, strict=True):
            assert one.epc == base64.b64decode(true["EPC96"]["EPC"])
            assert {name: getattr(one, field) for name, field in fields.items()} == {
                name: true[name] for name in fields
            }


def test_the_other_messages_of_a_real_reader_are_understood() -> None:
    folder = shared("data/rfid/llrp_recorded")

    def body(name: str) -> Message:
        return Message(0, 0, (folder / f"{name}.bytes").read_bytes(), 0)

    truth = json.loads((folder / "GetReaderCapabilitiesResponse-000.json").read_text())["GeneralDeviceCapabilities"]
    capabilities = m.parse_capabilities(body("GetReaderCapabilitiesResponse-000"))
    assert capabilities is not None
    assert capabilities.antennas == truth["MaxSupportedAntennas"]
    assert capabilities.firmware == truth["FirmwareVersion"]
    assert m.parse_status(body("CloseConnectionResponse-000")) is None
    event = m.parse_event(body("ReaderEventNotification-000"))
    assert event.utc is not None or event.uptime is not None


def test_every_optional_field_is_read_in_any_order() -> None:
    everything = report(
        b"\x89" + struct.pack(">I", 11),
        b"\x8e" + struct.pack(">H", 12),
        b"\x8a" + struct.pack(">H", 13),
        b"\x86" + struct.pack(">b", -61),
        b"\x81" + struct.pack(">H", 3),
        b"\x87" + struct.pack(">H", 14),
        b"\x82" + struct.pack(">Q", UTC),
        b"\x83" + struct.pack(">Q", 15),
        b"\x84" + struct.pack(">Q", UTC + 1),
        b"\x85" + struct.pack(">Q", 16),
        b"\x88" + struct.pack(">H", 17),
        b"\x8c" + struct.pack(">H", 18),
        b"\x8b" + struct.pack(">H", 19),
        b"\x90" + struct.pack(">I", 20),
        b"\x92" + struct.pack(">HH", 21, 22),
        b"\x93" + struct.pack(">H", 23),
        b"\x94" + struct.pack(">H", 24),
        b"\x8f" + struct.pack(">H", 25),
        m.tlv(349, b"\0" * 5),
        m.tlv(1023, struct.pack(">IIh", 25882, 57, -6123)),
        m.tlv(1023, struct.pack(">II", 161, 1), b"a vendor's own"),
    )
    [one] = reports(message(everything))
    assert one == TagReport(
        epc=EPC, epc_bits=96, antenna_id=3, first_seen_utc=UTC, first_seen_uptime=15, last_seen_utc=UTC + 1,
        last_seen_uptime=16, peak_rssi=-61, channel_index=14, tag_seen_count=17, ro_spec_id=11,
        inventory_parameter_spec_id=13, c1g2_crc=19, c1g2_pc=18, spec_index=12, client_request_op_spec_id=25,
        access_spec_id=20, c1g2_collision_slots=21, c1g2_empty_slots=22, c1g2_xpc_w1=23, c1g2_xpc_w2=24,
        impinj_peak_rssi=-6123,
    )  # fmt: skip
    assert reads(message(everything)) == [TagRead(UTC / 1e6, EPC.hex().upper(), 3, -61.23)]


def test_reports_of_different_layouts_in_one_message_are_each_read_by_their_own() -> None:
    plain = report(b"\x81\x00\x01", b"\x82" + struct.pack(">Q", UTC))
    same_length = report(b"\x82" + struct.pack(">Q", UTC), b"\x81\x00\x02")
    long_epc = m.tlv(240, m.tlv(241, struct.pack(">H", 128), bytes(range(16))), b"\x86\xc4")
    survey = m.tlv(242, b"\0" * 8)
    found = reads(message(plain, same_length, survey, long_epc, plain))
    assert [(read.epc[:8], read.antenna, read.rssi_dbm) for read in found] == [
        ("3074257B", 1, None),
        ("3074257B", 2, None),
        ("00010203", 0, -60.0),
        ("3074257B", 1, None),
    ]


def test_an_epc_that_a_reader_sends_as_ascii_hex_is_unwrapped() -> None:
    wrapped = m.tlv(240, m.tlv(241, struct.pack(">H", 192), EPC.hex().encode()))
    assert reads(message(wrapped))[0].epc == EPC.hex().upper()


def test_a_reader_without_utc_counts_from_its_boot() -> None:
    decoder = Decoder()
    decoder.boot = 1_700_000_000.0
    decoder.feed(message(report(b"\x83" + struct.pack(">Q", 2_500_000))))
    assert [read.time for one in decoder.messages() for read in decoder.reads(one)] == [1_700_000_002.5]


def test_a_stream_cut_in_the_middle_gives_the_reads_before_the_cut_and_names_the_byte() -> None:
    whole = message(report(b"\x81\x00\x01"))
    decoder = Decoder()
    decoder.feed(whole * 3 + whole[:-4])
    assert len([read for one in decoder.messages() for read in decoder.reads(one)]) == 3
    with pytest.raises(FormatError, match=f"at byte {3 * len(whole)}: cut off"):
        decoder.close()


def test_a_damaged_report_gives_the_reads_before_it_in_the_same_message() -> None:
    good, bad = report(b"\x81\x00\x01"), report(b"\xff\x00\x01")
    decoder = Decoder()
    decoder.feed(message(good, good, bad))
    [received] = decoder.messages()
    found: list[TagRead] = []
    reading = decoder.reads(received)
    found += [next(reading), next(reading)]
    with pytest.raises(FormatError, match=f"at byte {HEADER.size + 2 * len(good) + 17}: unknown TV parameter 127"):
        next(reading)
    assert len(found) == 2


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty LLRP stream"),
        (b"\x04", "not an LLRP stream"),
        (b"GIF89a and so on and on", "not an LLRP stream"),
        (b"\0" * 100, "not an LLRP stream"),
        (struct.pack(">HII", 0x043D, 5, 0), "at byte 0: message type 61 claims a length of 5 bytes"),
        (struct.pack(">HII", 0x043D, MAX_MESSAGE + 1, 0), "at byte 0: message type 61 claims a length"),
        (message(report()) + b"\xff" * 10, "no message begins here"),
        (message(report()) + b"\x04\x3d", "cut off, the header of a message has 2 of its 10 bytes"),
        (message(m.tlv(240)), "tag report without an EPC"),
        (message(b"\x00\xf0\x00\x03"), "claims a length of 3 bytes"),
        (message(b"\x00\xf0\x00\x30"), "reaches 44 bytes beyond"),
        (message(b"\x00\xf0"), "2 bytes are too few"),
        (message(m.tlv(240, m.tlv(241, b"\x00"))), "EPC without its length"),
        (message(m.tlv(240, m.tlv(241, b"\x00\x60\x30"))), "EPC of 96 bits in 1 bytes"),
    ],
)
def test_what_is_not_llrp_is_said_in_one_line(data: bytes, said: str) -> None:
    with pytest.raises(FormatError) as caught:
        reads(data)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.fix


def test_an_unknown_message_between_reports_is_skipped() -> None:
    whole = message(report(b"\x81\x00\x01"))
    assert len(reads(whole + message(b"anything", kind=999) + whole)) == 2


def test_a_message_that_never_ends_is_held_within_the_bound() -> None:
    decoder = Decoder()
    decoder.feed(struct.pack(">HII", 0x043D, MAX_MESSAGE, 0))
    tracemalloc.start()
    for _ in range(64):
        decoder.feed(bytes(1 << 15))
        assert not list(decoder.messages())
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()


def take_all(data: bytes) -> None:
    """Everything that reads bytes from a reader; only ``FormatError`` may come out."""
    decoder = Decoder()
    with suppress(FormatError):
        decoder.feed(data)
        for one in decoder.messages():
            assert len(list(decoder.reports(one))) == len(list(decoder.reads(one)))
            if one.type == READER_EVENT_NOTIFICATION:
                m.parse_event(one)
            m.parse_status(one)
            m.parse_capabilities(one)
        decoder.close()


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_but_a_format_error(data: bytes) -> None:
    take_all(data)
    take_all(message(data))
    take_all(message(m.tlv(240, data)))
    take_all(message(report(data)))
    take_all(message(m.tlv(246, data), kind=READER_EVENT_NOTIFICATION))


@settings(max_examples=300)
@given(data=st.data())
def test_mutated_recordings_raise_nothing_but_a_format_error(data: st.DataObject) -> None:
    session = bytearray(
        message(m.reader_event(UTC, connection=0), kind=READER_EVENT_NOTIFICATION)
        + message(m.tag_report(EPC, 1, -60, UTC), report(m.tlv(1023, struct.pack(">IIh", 25882, 57, -6123))))
        + message(m.tlv(240, m.tlv(241, struct.pack(">H", 128), bytes(16)), b"\x86\xc4")) * 2
        + message(m.status(401, "broken"), kind=100)
    )
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(session) - 1))
        session[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    take_all(bytes(session))


@given(
    st.lists(
        st.tuples(
            st.binary(min_size=12, max_size=12), st.integers(0, 65535), st.integers(-128, 127), st.integers(0, 2**52)
        ),
        min_size=1,
        max_size=20,
    )
)
def test_what_is_encoded_is_decoded(tags: list[tuple[bytes, int, int, int]]) -> None:
    found = reads(message(*(m.tag_report(*tag) for tag in tags)))
    assert found == [TagRead(utc / 1e6, epc.hex().upper(), antenna, rssi) for epc, antenna, rssi, utc in tags]


def test_our_requests_are_what_llrpkit_understands() -> None:
    pytest.importorskip("llrpkit")
    decode_message: Callable[[bytes], object] = importlib.import_module("llrpkit.protocol").decode_message
    spec = getattr(decode_message(m.encode(m.ADD_ROSPEC, 1, m.rospec(1, (1, 3), 1))), "ro_spec")  # noqa: B009
    ai = spec.spec_parameters[0]
    control = ai.inventory_parameter_specs[0].antenna_configurations[0].air_protocol_inventory_command_settings[0]
    assert ai.antenna_ids == [1, 3]
    assert control.c1_g2_singulation_control.session == 1
    selector = spec.ro_report_spec.tag_report_content_selector
    wanted = (
        "antenna_id",
        "channel_index",
        "peak_rssi",
        "first_seen_timestamp",
        "last_seen_timestamp",
        "tag_seen_count",
    )
    assert all(getattr(selector, f"enable_{name}") for name in wanted)
    assert not selector.enable_access_spec_id
    keepalive = getattr(decode_message(m.encode(3, 2, m.configuration(5.0))), "keepalive_spec")  # noqa: B009
    assert keepalive.periodic_trigger_value == 5000


def test_spans_of_nothing_are_none() -> None:
    assert list(spans(b"", 0, 0, 0)) == []
    assert "byte 5" in str(damaged(5, "x"))


def test_the_recordings_are_read_from_files_too(tmp_path: Path) -> None:
    from sensors.rfid.replay import ReplaySource

    path = tmp_path / "session.llrp"
    path.write_bytes(message(report(b"\x81\x00\x01")) * 5)
    with ReplaySource(str(path)) as source:
        assert len(list(source)) == 5
