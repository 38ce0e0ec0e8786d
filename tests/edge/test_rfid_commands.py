import json
import subprocess
import sys
from pathlib import Path

import pytest

from sensors.rfid import messages as m
from sensors.rfid.llrp import RO_ACCESS_REPORT
from tests.shared_data import shared

EPC = "3034257BF7194E4000001A85"
UTC = 1_700_000_000_000_000
WHOLE = m.encode(RO_ACCESS_REPORT, 1, m.tag_report(bytes.fromhex(EPC), 2, -55, UTC))
BARE = m.encode(RO_ACCESS_REPORT, 2, m.tlv(240, b"\x8d" + bytes.fromhex(EPC)))


def yingke(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "yingke", *arguments], input=given, capture_output=True, timeout=60)


def refused(*arguments: str, given: bytes = b"", code: int = 1) -> str:
    done = yingke(*arguments, given=given)
    said = done.stderr.decode()
    assert done.returncode == code
    assert "Traceback" not in said
    return said


def test_decode_prints_one_json_line_per_read_and_nothing_else() -> None:
    done = yingke("rfid", "decode", "-", "--json", given=WHOLE + BARE)
    assert done.returncode == 0
    assert done.stderr == b""
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"t": 1_700_000_000.0, "epc": EPC, "antenna": 2, "rssi_dbm": -55.0},
        {"t": 1_700_000_000.0, "epc": EPC, "antenna": None, "rssi_dbm": None},
    ]


@pytest.mark.parametrize(("name", "count"), [("cap_llrpjs2", 1540), ("cap_llrpkit3", 3170)])
def test_decode_prints_every_read_of_a_recorded_session(name: str, count: int) -> None:
    done = yingke("rfid", "decode", str(shared(f"data/rfid/llrp_streams/{name}.s2c")), "--json")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == count


def test_decode_without_json_is_a_short_summary() -> None:
    said = yingke("rfid", "decode", "-", given=WHOLE * 3).stdout.decode()
    assert "3 reads of 1 tags" in said
    assert "urn:epc:id:sgtin:0614141.812345.6789" in said


def test_decode_of_a_cut_stream_prints_the_reads_before_the_cut_and_fails_with_the_byte() -> None:
    done = yingke("rfid", "decode", "-", "--json", given=WHOLE * 2 + WHOLE[:-5])
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 2
    error, fix = done.stderr.decode().splitlines()
    assert error.startswith(f"error: damaged LLRP stream at byte {2 * len(WHOLE)}: cut off")
    assert fix.startswith("fix: ")


def test_decode_of_what_is_no_stream_of_a_reader_says_what_it_is(tmp_path: Path) -> None:
    assert "cannot open" in refused("rfid", "decode", str(tmp_path / "none"), "--json")
    assert "cannot" in refused("rfid", "decode", str(tmp_path), "--json")
    assert "empty LLRP stream" in refused("rfid", "decode", "-", "--json")
    assert "not an LLRP stream" in refused("rfid", "decode", "-", given=b"%PDF-1.7 is something else")
    assert "requests to a reader" in refused("rfid", "decode", "-", given=m.encode(20, 1, m.rospec(1, (), None)))


def lines(antenna: int, first: int, last: int) -> list[str]:
    return [
        json.dumps({"t": 1_700_000_000 + second, "epc": EPC.lower(), "antenna": antenna, "rssi_dbm": -52})
        for second in range(first, last)
    ]


def test_tryons_prints_one_json_array_sorted_by_start() -> None:
    reads = [*lines(2, 400, 500), "", *lines(1, 0, 100), "   "]
    done = yingke("tryons", "-", "--rooms", "1:room-1,2:room-2", "--json", given="\n".join(reads).encode())
    assert done.returncode == 0
    assert done.stderr == b""
    found = json.loads(done.stdout)
    assert [set(one) for one in found] == [{"epc", "room", "start", "end", "kind", "confidence"}] * 2
    assert [(one["epc"], one["room"], one["start"]) for one in found] == [
        (EPC, "room-1", 1_700_000_000.0),
        (EPC, "room-2", 1_700_000_400.0),
    ]
    assert all(abs(one["end"] - one["start"] - 100) <= 1 for one in found)
    assert all(one["kind"] in ("in_room", "tried_on") and 0 <= one["confidence"] <= 1 for one in found)


def test_tryons_of_no_reads_is_an_empty_array() -> None:
    assert json.loads(yingke("tryons", "-", "--rooms", "1:a", "--json").stdout) == []


def test_what_decode_prints_tryons_reads() -> None:
    decoded = yingke("rfid", "decode", str(shared("data/rfid/llrp_streams/cap_llrpjs2.s2c")), "--json").stdout
    done = yingke("tryons", "-", "--rooms", "1:room-1,2:room-2", "--json", given=decoded)
    assert done.returncode == 0
    assert isinstance(json.loads(done.stdout), list)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2 is not a tag read: not JSON"),
        ("[1]", "line 2 is not a tag read: not a JSON object"),
        ('{"epc": "30"}', "t is missing"),
        ('{"t": 1, "epc": "xyz"}', "epc is not hexadecimal"),
        ('{"t": 1, "epc": "30", "antenna": 1.5}', "antenna is not a number from 1"),
        ('{"t": "now", "epc": "30"}', "t is not a number"),
        ('{"t": NaN, "epc": "30"}', "t is not a number"),
        ('{"t": 1, "epc": "30", "rssi_dbm": true}', "rssi_dbm is not a number"),
        ("[" * 100_000, "line 2 is not a tag read: not JSON"),
    ],
)
def test_tryons_names_the_line_that_is_no_read(line: str, said: str) -> None:
    text = refused("tryons", "-", "--rooms", "1:a", "--json", given=f"{lines(1, 0, 1)[0]}\n{line}\n".encode())
    assert said in text
    assert "fix: " in text


def test_tryons_of_bytes_that_are_no_text_names_the_line() -> None:
    assert "line 1 is not a tag read: not UTF-8 text" in refused("tryons", "-", "--rooms", "1:a", given=WHOLE)


@pytest.mark.parametrize(
    "rooms", ["", "1", "x:a", "1:", "0:a", "1:A room", "1:a,1:b", "1:a,,2:b", "-1:a", "70000:a", "²:a"]
)
def test_mistaken_rooms_are_a_usage_error(rooms: str) -> None:
    assert "Invalid value for '--rooms'" in refused("tryons", "-", "--rooms", rooms, code=2)
