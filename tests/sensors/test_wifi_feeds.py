import http.client
import json
import os
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sensors.errors import FormatError, SourceError
from sensors.readings import Attention, ClientHeard, Silence
from sensors.subscription import Subscription
from sensors.wifi.feeds import meraki, openwrt
from sensors.wifi.feeds.config import MerakiConfig, OpenWrtConfig, SnifferConfig
from sensors.wifi.feeds.lines import OpenWrtSource
from sensors.wifi.feeds.parsing import Hasher, Heard
from sensors.wifi.feeds.receiver import LARGEST_POST, MerakiSource
from sensors.wifi.feeds.sniffers import SnifferSource
from sensors.wifi.feeds.sniffers import heard as sniffed
from sensors.wifi.hashing import Pseudonyms

NOW = 1_764_000_000.0
SECRET = "a-long-enough-secret"
FIXED, RANDOM = "00:00:5e:00:53:01", "da:a1:19:00:00:07"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


def v3(*observations: dict[str, Any]) -> dict[str, Any]:
    """As in Cisco's document of version 3: strengths are text, names and places stand beside them."""
    return {
        "version": "3.0",
        "secret": SECRET,
        "type": "WiFi",
        "data": {"networkId": "N_1", "observations": list(observations)},
    }


def v3_client(address: str, rssi: str = "-47", ssid: str | None = None, **more: Any) -> dict[str, Any]:
    latest = {"time": "2025-11-24T15:59:50Z", "nearestApMac": "00:00:5e:00:53:aa", "nearestApRssi": rssi}
    return {"clientMac": address, "ssid": ssid, "os": "iOS", "ipv4": None, "latestRecord": latest} | more


def v2(*observations: dict[str, Any]) -> dict[str, Any]:
    data = {"apMac": "00:00:5e:00:53:aa", "apFloors": [], "apTags": [], "observations": list(observations)}
    return {"version": "2.0", "secret": SECRET, "type": "DevicesSeen", "data": data}


def test_version_3_gives_strength_in_dbm_and_whether_the_client_joined() -> None:
    found, damaged = meraki.heard(v3(v3_client(FIXED), v3_client(RANDOM, "-71", "Shop")))
    assert damaged == 0
    assert found == [
        Heard(1_763_999_990.0, bytes.fromhex("00005e005301"), False, -47),
        Heard(1_763_999_990.0, bytes.fromhex("daa119000007"), True, -71),
    ]


def test_version_3_places_are_further_sightings_with_the_strongest_access_point() -> None:
    place = {
        "time": "2025-11-24T15:59:20Z",
        "x": "1.5",
        "nearestApTags": [""],
        "rssiRecords": [{"apMac": "x", "rssi": -60}, {"apMac": "y", "rssi": -52}],
    }
    found, _ = meraki.heard(v3(v3_client(FIXED, locations=[place])))
    assert [(each.time, each.rssi_dbm) for each in found] == [(1_763_999_990.0, -47), (1_763_999_960.0, -52)]


def test_version_2_counts_strength_from_minus_95_dbm_and_takes_times_as_number_text_or_iso() -> None:
    found, damaged = meraki.heard(
        v2(
            {"clientMac": FIXED, "seenEpoch": 1_763_999_990, "rssi": 24, "ssid": None},
            {"clientMac": RANDOM, "seenEpoch": "1763999991", "rssi": "40", "ssid": "Shop"},
            {"clientMac": RANDOM, "seenTime": "2025-11-24T15:59:52Z", "rssi": 0},
        )
    )
    assert damaged == 0
    assert [(each.time, each.rssi_dbm, each.associated) for each in found] == [
        (1_763_999_990.0, -71, False),
        (1_763_999_991.0, -55, True),
        (1_763_999_992.0, None, False),
    ]


def test_a_client_that_cannot_be_read_costs_no_other_one() -> None:
    broken = [v3_client("hello"), v3_client("ff:ff:ff:ff:ff:ff"), v3_client(FIXED, "loud"), {}, "nothing"]
    found, damaged = meraki.heard(v3(*broken, v3_client(FIXED)))  # type: ignore[arg-type]
    assert (len(found), damaged) == (1, 5)


def test_bluetooth_is_not_read_and_other_versions_are_refused() -> None:
    assert meraki.heard(v3() | {"type": "Bluetooth"}) == ([], 0)
    with pytest.raises(FormatError, match=r"1\.0"):
        meraki.heard(v3() | {"version": "1.0"})


@given(JSON)
def test_whatever_is_posted_is_read_or_refused(value: Any) -> None:
    body = json.dumps({"secret": SECRET, "version": "3.0", "type": "WiFi", "data": {"observations": [value]}}).encode()
    post = meraki.secret_fits(body, SECRET)
    assert post is not None
    found, damaged = meraki.heard(post)
    assert not found
    assert damaged == 1
    for text in (json.dumps(value).encode(), json.dumps(value).encode()[:-1]):
        try:
            meraki.secret_fits(text, SECRET)
        except FormatError:
            continue


@given(JSON | st.text())
def test_whatever_an_access_point_says_is_read_passed_over_or_refused(value: Any) -> None:
    for line in (json.dumps({"probe": value}), json.dumps(value), str(value), "{" + str(value)):
        try:
            openwrt.heard(line.encode("utf-8", "replace"), NOW)
        except FormatError:
            continue


@pytest.mark.parametrize(
    ("line", "associated", "rssi"),
    [
        (
            '{ "probe": {"address":"da:a1:19:00:00:07","target":"ff:ff:ff:ff:ff:ff","signal":-61,"freq":2437} }',
            False,
            -61,
        ),
        ('{ "probe": {"address":"da:a1:19:00:00:07","signal":4294967235,"freq":5180} }', False, -61),
        ('{ "assoc": {"address":"da:a1:19:00:00:07","signal":-40,"freq":2437} }', True, -40),
        ("<3>RX-PROBE-REQUEST sa=da:a1:19:00:00:07 signal=-55", False, -55),
        ("<3>RX-PROBE-REQUEST sa=da:a1:19:00:00:07 signal=0", False, None),
        ("<3>AP-STA-CONNECTED da:a1:19:00:00:07", True, None),
    ],
)
def test_lines_of_ubus_and_of_hostapd_cli_are_read(line: str, associated: bool, rssi: int | None) -> None:
    assert openwrt.heard(line.encode(), NOW) == Heard(NOW, bytes.fromhex("daa119000007"), associated, rssi)


@pytest.mark.parametrize("line", ["", "> ", '{ "beacon-report": {"address":"x"} }', "<3>CTRL-EVENT-SCAN-STARTED"])
def test_lines_about_something_else_are_passed_over(line: str) -> None:
    assert openwrt.heard(line.encode(), NOW) is None


def test_a_reading_of_a_client_has_no_place_for_an_address() -> None:
    assert {field.name for field in fields(ClientHeard)} == {"time", "device", "randomised", "associated", "rssi_dbm"}
    (reading,) = Hasher().readings([Heard(NOW, bytes.fromhex("00005e005301"), False, -50)], NOW)
    assert len(reading.device) == 8
    assert b"\x00\x5e\x00\x53" not in reading.device
    assert not reading.randomised


def test_the_salt_is_that_of_the_arrival_and_a_wrong_date_is_refused() -> None:
    hasher = Hasher()
    client = Heard(NOW, bytes(6), False, None)
    first, second = (hasher.readings([client], now)[0] for now in (NOW, NOW + 1))
    (later,) = hasher.readings([client], NOW + 601)
    assert first.device == second.device != later.device
    assert hasher.readings([client], NOW + 3600) == []
    assert hasher.readings([client], NOW - 3600) == []
    assert hasher.refused == 2


@pytest.fixture
def source(tmp_path: Path) -> Iterator[MerakiSource]:
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    config = MerakiConfig(type="meraki", name="meraki", validator="abc123", secret_file=secret, port=0)
    with MerakiSource(config, lambda: NOW) as opened:
        yield opened


def send(source: MerakiSource, method: str, body: bytes | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", source.port, timeout=10)
    connection.request(method, "/", body)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_merakis_page_gets_the_validator_and_its_posts_become_readings(source: MerakiSource) -> None:
    assert send(source, "GET") == (200, "abc123")
    assert send(source, "POST", json.dumps(v3(v3_client(FIXED), v3_client("broken"))).encode())[0] == 200
    readings = iter(source)
    assert next(readings) == Attention(NOW, None)
    reading = next(readings)
    assert isinstance(reading, ClientHeard)
    assert reading.rssi_dbm == -47
    assert source.malformed == 1
    assert isinstance(next(readings), Silence)


def test_a_wrong_secret_a_broken_post_and_a_large_one_are_refused(source: MerakiSource) -> None:
    assert send(source, "POST", json.dumps(v3() | {"secret": "guess"}).encode())[0] == 403
    assert send(source, "POST", b"{}")[0] == 403
    assert send(source, "POST", b"[")[0] == 400
    assert (source.refused, source.malformed) == (2, 1)
    with socket.create_connection(("127.0.0.1", source.port), 10) as raw:
        raw.sendall(f"POST / HTTP/1.1\r\nContent-Length: {LARGEST_POST + 1}\r\n\r\n".encode())
        assert b" 413 " in raw.recv(4096)
    with socket.create_connection(("127.0.0.1", source.port), 10) as raw:
        raw.sendall(b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n")
        assert b" 411 " in raw.recv(4096)


def test_senders_that_say_nothing_do_not_keep_more_than_their_places(source: MerakiSource) -> None:
    idle = [socket.create_connection(("127.0.0.1", source.port), 10) for _ in range(8)]
    refused = socket.create_connection(("127.0.0.1", source.port), 10)
    assert refused.recv(10) == b""
    for each in (*idle, refused):
        each.close()
    until = threading.Event()
    for _ in range(100):
        try:
            if send(source, "GET")[0] == 200:
                break
        except (OSError, http.client.HTTPException):
            until.wait(0.05)
    else:
        raise AssertionError("the places were not given back")


def test_posts_that_nobody_takes_are_shed_and_counted(source: MerakiSource) -> None:
    body = json.dumps(v3(v3_client(FIXED))).encode()
    statuses = [source.take(body, SECRET) for _ in range(40)]
    assert statuses.count(503) == source.dropped == 8


def test_a_secret_that_everybody_may_read_or_that_is_an_example_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    config = MerakiConfig(type="meraki", name="m", validator="a", secret_file=secret, port=0)
    for text, mode, said in ((SECRET, 0o604, "open to every user"), ("short", 0o600, "too short"), (None, 0, "read")):
        if text is None:
            secret.unlink()
        else:
            secret.write_text(text)
            secret.chmod(mode)
        with pytest.raises(SourceError, match=said), MerakiSource(config):
            pass


def test_listening_beyond_this_machine_needs_a_certificate() -> None:
    with pytest.raises(ValidationError, match="certificate and key"):
        MerakiConfig(type="meraki", name="m", validator="a", secret_file=Path("s"), host="0.0.0.0")


def test_a_child_process_gives_readings_and_its_end_is_a_lost_source() -> None:
    line = '{ "probe": {"address":"da:a1:19:00:00:07","signal":-61,"freq":2437} }'
    script = f"print({line!r}); print('{{broken'); print('x' * 40000); print({line!r})"
    config = OpenWrtConfig(type="openwrt", name="ap", command=(sys.executable, "-c", script))
    readings: list[ClientHeard] = []
    source = OpenWrtSource(config, lambda: NOW)
    with source, pytest.raises(SourceError, match="ended"):
        readings.extend(reading for reading in source if isinstance(reading, ClientHeard))
    assert [reading.rssi_dbm for reading in readings] == [-61, -61]
    assert source.malformed == 2


def test_a_child_is_stopped_when_the_source_is_left() -> None:
    config = OpenWrtConfig(type="openwrt", name="ap", command=(sys.executable, "-c", "import time; time.sleep(600)"))
    with OpenWrtSource(config, lambda: NOW) as source:
        child = source._child
        assert child is not None
        assert isinstance(next(iter(source)), Silence)
    assert child.returncode is not None


def test_a_named_pipe_gives_readings(tmp_path: Path) -> None:
    pipe = tmp_path / "lines"
    os.mkfifo(pipe)
    config = OpenWrtConfig(type="openwrt", name="ap", path=pipe)
    with OpenWrtSource(config, lambda: NOW) as source:
        writer = os.open(pipe, os.O_WRONLY)
        os.write(writer, b"<3>RX-PROBE-REQUEST sa=da:a1:19:00:00:07 sig")
        os.write(writer, b"nal=-55\n")
        readings = iter(source)
        reading = next(readings)
        while isinstance(reading, Silence):
            reading = next(readings)
        os.close(writer)
    assert isinstance(reading, ClientHeard)
    assert (reading.rssi_dbm, reading.randomised) == (-55, True)


def test_a_command_that_is_not_there_is_named() -> None:
    with (
        pytest.raises(SourceError, match="no-such-tool"),
        OpenWrtSource(OpenWrtConfig(type="openwrt", name="a", command=("no-such-tool",))),
    ):
        pass


@dataclass(frozen=True)
class Message:
    topic: str
    payload: bytes


class Link:
    def __init__(self, messages: list[Message]) -> None:
        self._messages = messages

    def receive(self, timeout: float, /) -> Message | None:
        return self._messages.pop(0) if self._messages else None


def sniffer(*payloads: Any) -> tuple[SnifferSource, list[str]]:
    topics: list[str] = []

    @contextmanager
    def connection(wanted: Sequence[str]) -> Iterator[Subscription]:
        topics.extend(wanted)
        yield Link([Message(wanted[0], json.dumps(payload).encode()) for payload in payloads])

    def connect(wanted: Sequence[str]) -> AbstractContextManager[Subscription]:
        return connection(wanted)

    return SnifferSource(SnifferConfig(type="sniffer", name="door"), connect, lambda: NOW), topics


SEEN = {"d": "00112233445566aa", "r": True, "s": -60, "a": 3}


def test_a_sniffers_message_becomes_readings_dated_by_their_age() -> None:
    source, topics = sniffer({"v": 1, "salt": 4, "seen": [SEEN]}, {"v": 1, "salt": 4, "seen": []}, {"v": 2})
    with source:
        readings = iter(source)
        assert next(readings) == Attention(NOW, None)
        reading = next(readings)
        assert isinstance(reading, ClientHeard)
        assert (reading.time, reading.rssi_dbm, reading.randomised) == (NOW - 3, -60, True)
        assert reading.device.hex() != SEEN["d"]
        assert next(readings) == Attention(NOW, None)
        assert isinstance(next(readings), Silence)
    assert topics == ["yingke/sniffers/door"]
    assert source.malformed == 1


@pytest.mark.parametrize("device", ["da:a1:19:00:00:07", "daa119000007", "DAA1190000070000", 7, None])
def test_a_sniffer_that_sends_what_could_be_an_address_is_refused(device: object) -> None:
    with pytest.raises(FormatError, match="not a hash"):
        sniffed(json.dumps({"v": 1, "salt": 1, "seen": [SEEN | {"d": device}]}).encode(), NOW, Pseudonyms())


def test_the_same_hash_under_another_salt_of_the_sniffers_is_another_device() -> None:
    names = Pseudonyms()
    names.rotate_at(NOW)
    (one,), (two,) = (
        sniffed(json.dumps({"v": 1, "salt": salt, "seen": [SEEN]}).encode(), NOW, names) for salt in (1, 2)
    )
    assert one.device != two.device


@given(JSON)
def test_whatever_a_sniffer_sends_is_read_or_refused(value: Any) -> None:
    for message in (value, {"v": 1, "salt": 1, "seen": value}, {"v": 1, "salt": 1, "seen": [value]}):
        try:
            sniffed(json.dumps(message).encode(), NOW, Pseudonyms())
        except FormatError:
            continue
