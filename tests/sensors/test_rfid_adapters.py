"""Other readers' messages: each format, and whatever else comes."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from sensors.errors import FormatError
from sensors.rfid.config import RfidConfig
from sensors.rfid.epc import decode
from sensors.rfid.fields import FieldPaths, follow, parse_fields
from sensors.rfid.heard import LARGEST, Heard, Parsed, Timing, moment_of
from sensors.rfid.impinj import parse_impinj
from sensors.rfid.keonn import parse_keonn
from sensors.rfid.wedge import epc_of_line
from sensors.rfid.zebra import parse_zebra

EPC = "3074257BF7194E4000001A85"
NOW = 1_775_131_200.0
"""2026-04-02 12:00 UTC."""
PATHS = FieldPaths(epc="tag.id", antenna="tag.port", rssi="tag.level", time="at")


def impinj(**changes: Any) -> dict[str, Any]:
    tag = {
        "epcHex": EPC.lower(),
        "antennaPort": 2,
        "peakRssiCdbm": -5234,
        "lastSeenTime": "2026-04-02T12:00:01.123456789Z",
    }
    return {
        "timestamp": "2026-04-02T12:00:00Z",
        "hostname": "impinj-14-46-36",
        "eventType": "tagInventory",
        "tagInventoryEvent": tag | changes,
    }


def zebra(**changes: Any) -> dict[str, Any]:
    tag = {"eventNum": 7, "format": "epc", "idHex": EPC, "antenna": 3, "peakRssi": -39, "reads": 2}
    return {"type": "SIMPLE", "timestamp": "2026-04-02T14:00:00.500+0200", "data": tag | changes}


def keonn(**changes: Any) -> dict[str, Any]:
    read = {"epc": EPC, "rssi": "-62", "antenna": "1", "ts": "1775131200500"}
    return {"devid": "AdvanReader-01", "reads": [read | changes]}


def parse(what: Callable[[bytes], Parsed], document: object) -> Parsed:
    return what(json.dumps(document).encode())


def test_an_impinj_event_is_a_read_with_hundredths_of_a_db_and_its_last_time() -> None:
    assert parse(parse_impinj, impinj()) == ([Heard(NOW + 1.123456, EPC, 2, -52.34)], 0)
    tag = {"epc": base64.b64encode(bytes.fromhex(EPC)).decode()}
    assert parse(parse_impinj, {"eventType": "tagInventory", "tagInventoryEvent": tag}).reads == [
        Heard(None, EPC, 0, None)
    ]
    assert [read.antenna for read in parse(parse_impinj, [impinj(), impinj(antennaPort=4)]).reads] == [2, 4]


def test_other_events_of_an_impinj_reader_hold_no_read_and_are_no_error() -> None:
    for event in ({"inventoryStatusEvent": {"inventoryStatus": "running"}}, {"eventType": "antennaConnected"}):
        assert parse(parse_impinj, {"timestamp": "2026-04-02T12:00:00Z"} | event) == ([], 0)


def test_a_zebra_event_is_a_read_alone_in_an_array_or_as_a_list_of_tags() -> None:
    heard = Heard(NOW + 0.5, EPC, 3, -39)
    assert parse(parse_zebra, zebra()) == ([heard], 0)
    assert parse(parse_zebra, [zebra(), zebra(antenna=1)]).reads == [heard, heard._replace(antenna=1)]
    handheld = {"type": "BALANCED_PERFORMANCE", "timestamp": "2026-04-02T12:00:00.5Z", "data": {"tagData": [
        {"EPCid": EPC, "EPC": EPC, "peakRssi": -39, "eventNum": 1, "format": "epc"},
    ]}}  # fmt: skip
    assert parse(lambda payload: parse_zebra(payload, 3), handheld) == ([heard], 0)
    assert parse(parse_zebra, {"type": "X", "data": {"barcodeData": [{"decodedBarcode": "4"}]}}) == ([], 0)


def test_what_keonn_pushes_is_read_as_json_and_as_xml() -> None:
    heard = Heard(NOW + 0.5, EPC, 1, -62)
    assert parse(parse_keonn, keonn()) == ([heard], 0)
    item = (
        f"<item><class>READ_EVENT</class><epc>{EPC.lower()}</epc><ts>1775131200500</ts><data><class>TAG_DATA</class>"
        f"<hexepc>{EPC.lower()}</hexepc><props><prop>RSSI:-62,</prop><prop>ANTENNA_PORT:1,</prop></props></data></item>"
    )
    inventory = f"<inventory><data><inventory><items>{item}</items></inventory></data></inventory>"
    xml = '<?xml version="1.0" encoding="UTF-8"?>\n' + inventory
    assert parse_keonn(xml.encode()) == ([heard], 0)
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb">]><inventory>&b;</inventory>'
    with pytest.raises(FormatError, match="no XML"):
        parse_keonn(bomb.encode())


def test_any_json_is_read_by_the_paths_of_the_configuration() -> None:
    document = {"at": 1775131200500, "tag": {"id": EPC, "port": "7", "level": -41.5}}
    assert parse(lambda payload: parse_fields(payload, PATHS), document) == ([Heard(NOW + 0.5, EPC, 7, -41.5)], 0)
    nested = FieldPaths(epc="0", reads="data.tags", rssi="1.cdbm", rssi_scale=0.01)
    batch = {"data": {"tags": [[EPC, {"cdbm": -4150}], [EPC]]}}
    reads = parse(lambda payload: parse_fields(payload, nested, 5), batch).reads
    assert reads == [Heard(None, EPC, 5, -41.5), Heard(None, EPC, 5, None)]
    assert follow({"a": [1]}, "a.3") is None
    with pytest.raises(FormatError, match=r"no array at data\.tags"):
        parse(lambda payload: parse_fields(payload, nested), {"data": 3})


@pytest.mark.parametrize(
    "bad",
    [EPC[:-1], EPC + "00", "", "zz" * 12, EPC + EPC * 9, 7, None, ["x"], {"epc": 1}],
    ids=["odd", "half a word", "empty", "no hex", "too long", "number", "none", "list", "object"],
)
def test_one_bad_epc_costs_itself_and_no_other_read_of_its_batch(bad: object) -> None:
    assert parse(parse_impinj, [impinj(), impinj(epcHex=bad), impinj()])[1:] == (1,)
    assert len(parse(parse_zebra, [zebra(idHex=bad), zebra()]).reads) == 1
    assert parse(parse_keonn, {"reads": [*keonn()["reads"], *keonn(epc=bad)["reads"]]}).unreadable == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"antennaPort": 0}, {"antennaPort": -1}, {"antennaPort": 70000}, {"antennaPort": True}, {"antennaPort": "two"},
        {"antennaPort": "²"}, {"peakRssiCdbm": "loud"}, {"peakRssiCdbm": 9e9}, {"peakRssiCdbm": 10**400},
        {"peakRssiCdbm": [1]}, {"lastSeenTime": "soon"}, {"lastSeenTime": -1}, {"lastSeenTime": {}},
        {"lastSeenTime": "nan"},
    ],
)  # fmt: skip
def test_values_of_the_wrong_type_or_out_of_bounds_are_counted(changes: dict[str, Any]) -> None:
    assert parse(parse_impinj, impinj(**changes)) == ([], 1)


def test_unknown_fields_are_nobody_s_business() -> None:
    assert len(parse(parse_impinj, impinj(futureField={"a": [1, 2]}) | {"another": None}).reads) == 1
    assert len(parse(parse_zebra, zebra(TID="E280", USER="00")).reads) == 1


PARSERS: list[Callable[[bytes], Parsed]] = [parse_impinj, parse_zebra, parse_keonn, lambda b: parse_fields(b, PATHS)]


@given(
    st.sampled_from(PARSERS),
    st.one_of(
        st.binary(max_size=200),
        st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists).map(
            lambda value: json.dumps({"data": value, "reads": value, "tagInventoryEvent": value, "tag": value}).encode()
        ),
        st.sampled_from([impinj, zebra, keonn]).flatmap(
            lambda make: st.integers(0, 400).map(lambda cut: json.dumps(make()).encode()[:cut])
        ),
        st.just(b"[" * 100_000),
        st.just(b"9" * 10_000),
        st.just(b'{"data": "' + b"x" * LARGEST + b'"}'),
        st.just(b"<a>" * 50_000),
    ),
)
def test_no_message_makes_anything_but_reads_within_bounds_or_one_error(
    read: Callable[[bytes], Parsed], payload: bytes
) -> None:
    try:
        parsed = read(payload)
    except FormatError:
        return
    for found in parsed.reads:
        assert len(found.epc) % 4 == 0
        assert bytes.fromhex(found.epc)
        assert 0 <= found.antenna <= 65535


@pytest.mark.parametrize(
    "given_time",
    [1775131200.5, 1775131200500, 1775131200500000, 1775131200500000000, "1775131200500", "2026-04-02T12:00:00.5Z",
     "2026-04-02T20:00:00.500+08:00", "2026-04-02T14:00:00.500+0200", "2026-04-02T12:00:00.500000000Z"],
)  # fmt: skip
def test_a_time_is_understood_in_every_usual_writing(given_time: object) -> None:
    assert moment_of(given_time) == pytest.approx(NOW + 0.5, abs=1e-3)


def test_a_time_without_a_zone_or_of_a_clock_never_set_is_none() -> None:
    assert moment_of("2026-04-02T12:00:00") is None
    assert moment_of("1970-01-01T00:00:07Z") is None
    assert moment_of(12345) is None


def test_a_clock_that_is_far_off_gives_way_to_the_time_of_arrival_and_that_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    timing = Timing("till", "auto", lambda: NOW)
    assert timing.timed(Heard(NOW - 4, EPC, 1, None)).time == NOW - 4
    assert [timing.timed(Heard(NOW - 3600, EPC, 1, None)).time for _ in range(3)] == [NOW] * 3
    assert (timing.clock_skew, [record.getMessage() for record in caplog.records]) == (
        -3600.0,
        ["till: its clock is -3600.0 s off: the time of arrival is taken"],
    )
    assert timing.timed(Heard(NOW + 1, EPC, 1, None)).time == NOW + 1
    assert timing.clock_skew == 0.0
    assert Timing("till", "host", lambda: NOW).timed(Heard(NOW - 4, EPC, 1, None)).time == NOW
    reader = Timing("till", "reader", lambda: NOW)
    assert reader.timed(Heard(NOW - 3600, EPC, 1, None)).time == NOW - 3600
    assert reader.now() == pytest.approx(NOW - 3600, abs=5)


@pytest.mark.parametrize(
    "line",
    ["(01)80614141123458(21)6789", "0180614141123458216789", "]d20180614141123458216789",
     "]C1\x1d0180614141123458216789",
     "018061414112345817220630216789\x1d10LOT",
     "https://id.gs1.org/01/80614141123458/21/6789", "https://brand.example/shop/01/80614141123458/10/LOT/21/6789?x=1",
     "(01)80614141123458(10)LOT(21)6789"],
)  # fmt: skip
def test_a_bar_code_names_the_same_piece_as_its_tag(line: str) -> None:
    tag = decode(EPC)
    assert tag is not None
    assert epc_of_line(line, tag.company_digits, tag.filter) == EPC
    found = decode(epc_of_line(line))
    assert found is not None
    assert (found.scheme, found.gtin, found.serial) == ("SGTIN+", tag.gtin, tag.serial)


def test_a_serial_of_letters_takes_the_longer_epc() -> None:
    found = decode(epc_of_line("https://id.gs1.org/01/70614141123451/21/32a%2Fb", 7, 3))
    assert found is not None
    assert (found.scheme, found.serial) == ("SGTIN-198", "32a/b")


@pytest.mark.parametrize(
    "line",
    [
        "(01)80614141123457(21)6789",
        "4012345678901",
        "(01)80614141123458",
        "0180614141123458",
        "hello",
        "614141123452",
        EPC[:-1],
        "(21)7",
    ],
)
def test_a_line_that_names_no_piece_is_refused(line: str) -> None:
    with pytest.raises(FormatError):
        epc_of_line(line)


@given(st.text(max_size=80))
def test_any_line_is_an_epc_or_refused(line: str) -> None:
    try:
        epc = epc_of_line(line)
    except FormatError:
        return
    assert len(epc) % 4 == 0
    assert bytes.fromhex(epc)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"type": "mqtt", "topics": ["a/#/b"], "format": "zebra"}, r"topics: a/#/b is no MQTT filter"),
        ({"type": "mqtt", "topics": ["a/b"], "format": "fields"}, r"go together: give both or neither"),
        ({"type": "mqtt", "topics": ["a"], "format": "zebra", "fields": {"epc": "a"}}, r"go together"),
        ({"type": "mqtt", "topics": ["a"], "format": "fields", "fields": {"epc": "a b"}}, r"fields\.epc"),
        ({"type": "http", "format": "keonn", "host": "0.0.0.0"}, r"can be reached by others: add secret_file"),
        ({"type": "impinj", "host": "r", "tls": False, "certificate": "a"}, r"certificate is for TLS: set tls: true"),
        ({"type": "wedge", "path": "/dev/null", "baud": 7}, r"baud"),
    ],
)
def test_a_wrong_section_names_the_field_and_the_fix(section: dict[str, Any], said: str) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(RfidConfig)
    with pytest.raises(ValidationError, match=said):
        adapter.validate_python({"name": "till"} | section)
