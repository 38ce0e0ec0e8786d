"""PRIVACY rule 10: addresses and network names that went into a run are searched for in all that came out of it."""

import base64
import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sync.broker import NatsServer
from tests.edge.test_canary import Listening
from tests.sensors.wifi_frames import ELEMENTS, element, pcap, probe, radiotap
from tests.sync.children import ROOT

START = 1_700_000_400
QUIET = """
import logging, runpy, sys
logging.basicConfig(level=logging.DEBUG)
sys.argv = ["yingke", *sys.argv[1:]]
"""
RUN = 'runpy.run_module("yingke", run_name="__main__")'
TELLING = """
import pathlib, tempfile
from sensors.wifi.dot11 import ProbeParser
parse = ProbeParser.parse
def telling(self, time, link, data, cut):
    logging.getLogger("yingke.canary").debug("heard %s", data.hex(":"))
    (pathlib.Path(tempfile.gettempdir()) / "kept.bin").open("ab").write(data)
    return parse(self, time, link, data, cut)
ProbeParser.parse = telling
"""


def forms(secret: bytes) -> set[bytes]:
    """How bytes may be written down: raw, hex with and without separators, base64 at any offset, repr, a number."""
    found = set()
    for value in (secret, secret[::-1]):
        quads = ".".join(value.hex()[at : at + 4] for at in range(0, 2 * len(value), 4))
        for text in (value.hex(), value.hex(":"), value.hex("-"), value.hex(" "), quads, repr(value)[2:-1]):
            found |= {text.encode(), text.upper().encode()}
        found |= {value, str(int.from_bytes(value, "big")).encode()}
        for shift in range(3):
            first, last = -(-8 * shift // 6), 8 * (shift + len(value)) // 6
            code = base64.b64encode(bytes(shift) + value + bytes(3))[first:last]
            found |= {code, code.replace(b"+", b"-").replace(b"/", b"_")}
    return found | {secret.lower(), secret.upper()}


class Air:
    """Phones with random and fixed addresses that ask for networks, once by each way that a frame can name one."""

    def __init__(self, path: Path) -> None:
        rng = random.Random(5)
        self.secrets: list[bytes] = []
        packets: list[tuple[float, bytes]] = []
        for number in range(40):
            address = bytes((0x02 if number % 4 else 0x00, *rng.randbytes(5)))
            name = b"Canary-" + rng.randbytes(6).hex().encode()
            self.secrets += [address, name]
            wps, listed = element(221, b"\x00\x50\xf2\x04" + name), element(84, element(0, name))
            elements = ELEMENTS + (b"", wps, listed, element(114, name), element(107, b"\x0f" + address))[number % 5]
            for burst in range(30):
                when = START + 5 + 40 * burst + number
                packets.append((when, radiotap(probe(address, ssid=name, sequence=burst, elements=elements))))
            # Damaged ones are no way out either.
            packets.append((START + 30 + number, radiotap(probe(address, ssid=name))[:-3]))
            packets.append((START + 31 + number, radiotap(probe(address, ssid=name), flags=0x40)))
        path.write_bytes(pcap(sorted(packets)))
        self.wanted = {form for secret in self.secrets for form in forms(secret)}

    def seen_in(self, content: bytes) -> set[bytes]:
        lowered = content.lower()
        return {form for form in self.wanted if form in content or (form.lower() in lowered and len(form) > 8)}


def start(log: Path, code: str, *arguments: object) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:  # a pipe would fill up before anybody reads it
        return subprocess.Popen(
            [sys.executable, "-c", code + RUN, *map(str, arguments)],
            cwd=ROOT,
            env=os.environ | {"TMPDIR": str(log.parent), "YINGKE_PARENT": str(os.getpid())},
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def printed(log: Path, *arguments: object) -> bytes:
    with start(log, QUIET, *arguments) as child:
        child.wait(60)
    return log.read_bytes()


def box(folder: Path, capture: Path, code: str) -> dict[str, bytes]:
    """Run the box with debug logging until it has told of two windows; all that it left, by where."""
    home = folder / "box"
    home.mkdir()
    with NatsServer(folder / "broker") as broker, Listening(broker.port) as topics:
        configuration = {
            "store": {"id": "canary"},
            "sensors": {"wifi": [{"name": "wifi", "type": "pcap", "paths": [str(capture)]}]},
            "edge": {"data": str(home), "heartbeat_seconds": 0.5, "devices": {"wifi": {}}},
            "sync": {"mqtt": {"port": broker.port, "retry_min": 0.1, "retry_max": 1.0}},
        }
        (folder / "config.yaml").write_text(json.dumps(configuration))
        with start(home / "log", code, "edge", "--config", folder / "config.yaml") as child:
            try:
                deadline = time.monotonic() + 60
                while topics.heard.count(b"devices.window") < 2:
                    assert child.poll() is None
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
                child.terminate()
                child.wait(30)
            finally:
                child.kill()
        assert child.returncode == 0, (home / "log").read_bytes()[-2000:]
        found = {"topics": bytes(topics.heard)}
    for file in (path for path in folder.rglob("*") if path.is_file() and path != capture):
        found[str(file.relative_to(folder))] = file.read_bytes()
    return found


def test_rule_10_no_address_and_no_network_name_is_in_anything_that_the_box_leaves(tmp_path: Path) -> None:
    air = Air(tmp_path / "air.pcap")
    left = box(tmp_path, tmp_path / "air.pcap", QUIET)
    assert {"box/log", "topics", "box/outbox.db"} <= left.keys()
    assert b"DEBUG" in left["box/log"] or b"INFO" in left["box/log"]
    with sqlite3.connect(tmp_path / "box/outbox.db") as db:
        bodies = [json.loads(body) for (body,) in db.execute("SELECT body FROM event")]
    windows = [body["data"] for body in bodies if body["type"] == "yingke.devices.window.v1"]
    assert sum(window["malformed"] for window in windows) == 80
    assert not {where: shown for where, content in left.items() if (shown := air.seen_in(content))}


def test_rule_10_the_same_search_finds_what_a_box_tells_on_purpose(tmp_path: Path) -> None:
    air = Air(tmp_path / "air.pcap")
    left = box(tmp_path, tmp_path / "air.pcap", QUIET + TELLING)
    # Every address and every name: with colons in the log, raw in the file.
    assert len(air.seen_in(left["box/log"])) >= len(air.secrets)
    assert len(air.seen_in(left["box/kept.bin"])) >= len(air.secrets)


def test_rule_10_no_address_and_no_network_name_is_in_what_the_commands_print_or_write(tmp_path: Path) -> None:
    capture, truth, learnt = tmp_path / "air.pcap", tmp_path / "people.csv", tmp_path / "learnt.json"
    air = Air(capture)
    lines = [f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(START + at))},12" for at in range(0, 1300, 60)]
    truth.write_text("\n".join(["datetime,people", *lines]))
    log = tmp_path / "log"
    texts = [
        printed(log, "wifi", "count", capture, "--window", 60),
        printed(log, "wifi", "count", capture, "--json"),
        printed(
            log, "wifi", "calibrate", "--day", f"{capture}:{truth}", "--zone", "UTC", "--window", 60, "--out", learnt
        ),
    ]
    assert all(b"burst" in text for text in texts), texts
    for content in (*texts, learnt.read_bytes()):
        assert not air.seen_in(content)


@pytest.mark.parametrize("secret", [bytes.fromhex("dead0c0ffee5"), b"Canary-home"])
def test_rule_10_every_way_of_writing_it_down_is_known_to_the_search(secret: bytes) -> None:
    known = forms(secret)
    for written in (
        secret,
        secret[::-1],
        secret.hex(":").upper().encode(),
        secret.hex("-").encode(),
        base64.b64encode(secret),
        base64.urlsafe_b64encode(b"xy" + secret + b"z"),
        base64.b64encode(b"{" + secret + b"}"),
        repr(secret).encode(),
        secret.hex().encode(),
    ):
        assert any(form in written for form in known), written
    assert not any(form in b"nothing of the kind, 1700000400.25, 8f3a99" for form in known)
