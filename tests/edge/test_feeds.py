"""The configuration's access points become loops of the box, and what they tell reaches the outbox as events."""

import http.client
import json
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from edge.app import build_loops
from edge.config import EdgeFile
from edge.feeds import feed_parts
from edge.runtime import SensorLoop
from sensors.wifi.feeds.receiver import MerakiSource
from sync.events import DevicesWindow, Event
from sync.settings import ConfigError, load

START = 1_764_000_000.0  # a multiple of 600
SECRET = "a-long-enough-secret"


class Kept:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def put(self, events: Sequence[Event]) -> None:
        self.events.extend(events)


@pytest.fixture
def config(tmp_path: Path) -> EdgeFile:
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "secret").chmod(0o600)
    path = tmp_path / "config.yaml"
    path.write_text(
        f"store: {{id: s}}\nsensors:\n  access_points:\n"
        f"    - {{name: meraki, type: meraki, validator: abc, secret_file: {tmp_path / 'secret'}, port: 0}}\n"
        "    - {name: window, type: sniffer}\n"
        "    - {name: ap1, type: openwrt, command: [ubus, subscribe, hostapd.wlan0]}\n"
        "edge:\n  access_points: {meraki: {}, window: {}, ap1: {}}\n"
    )
    return load(path, EdgeFile)


def test_each_access_point_of_the_configuration_gets_a_loop(config: EdgeFile) -> None:
    loops = build_loops(config, Kept(), lambda: START)  # type: ignore[arg-type]
    assert [loop.status.sensor for loop in loops] == ["meraki", "window", "ap1"]
    assert config.sensors.names() == ["meraki", "window", "ap1"]


def test_an_access_point_without_its_section_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("store: {id: s}\nsensors: {access_points: [{name: w, type: sniffer}]}\n")
    with pytest.raises(ConfigError, match=r"add edge\.access_points\.w"):
        load(path, EdgeFile)


def test_ten_minutes_of_posts_become_one_event_that_says_how_it_was_counted_and_holds_no_address(
    config: EdgeFile,
) -> None:
    now = [START]
    name, open_source, processor = feed_parts(config, lambda: now[0])[0]
    kept, stop = Kept(), threading.Event()
    opened: list[MerakiSource] = []

    def opening() -> MerakiSource:
        source = open_source()
        assert isinstance(source, MerakiSource)
        opened.append(source)
        return source

    loop = SensorLoop(name, opening, processor, kept, lambda: now[0])
    thread = threading.Thread(target=loop.run, args=(stop,))
    thread.start()
    addresses = [f"00:00:5e:00:53:{number:02x}" for number in range(12)]
    try:
        wait = threading.Event()
        while not (opened and opened[0].port):
            wait.wait(0.01)
        for minute in range(11):
            now[0] = START + 60 * minute + 1
            seen = [{"clientMac": each, "ssid": "Shop", "seenEpoch": now[0], "rssi": 40} for each in addresses]
            post = {"version": "2.0", "secret": SECRET, "type": "DevicesSeen", "data": {"observations": seen}}
            connection = http.client.HTTPConnection("127.0.0.1", opened[0].port, timeout=10)
            connection.request("POST", "/", json.dumps(post).encode())
            assert connection.getresponse().status == 200
            connection.close()
        for _ in range(1000):
            if kept.events:
                break
            wait.wait(0.01)
    finally:
        stop.set()
        thread.join(10)
    data = kept.events[0].data
    assert isinstance(data, DevicesWindow)
    assert data.method == "clients"
    assert data.inside is not None
    assert data.inside.value == pytest.approx(12, rel=0.1)
    told = repr(kept.events) + "".join(event.data.model_dump_json() for event in kept.events)
    for address in addresses:
        assert address not in told
        assert address.replace(":", "") not in told
    assert "Shop" not in told
