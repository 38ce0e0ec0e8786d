"""From a reader's message to an item's event, as the box is put together."""

import http.client
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.app import build_loops
from edge.config import EdgeFile
from sync.broker import Broker, free_port
from sync.config import MqttConfig
from sync.events import Item
from sync.mqtt import MqttBroker, Session
from sync.outbox import Outbox
from tests.edge.test_cameras import until
from tests.sensors.test_rfid_adapters import EPC, keonn, zebra


class Kept:
    """What the outbox holds, as events."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def items(self) -> list[tuple[str, str, str]]:
        found = [json.loads(row.payload) for row in self._outbox.pending(0, 1000)]
        return [
            (event["data"]["step"], event["data"]["place"], event["data"]["epc"])
            for event in found
            if event["type"] == Item.TYPE
        ]


def box(tmp_path: Path, reader: dict[str, Any], items: dict[str, Any], mqtt_port: int = 1) -> EdgeFile:
    return EdgeFile.model_validate(
        {
            "store": {"id": "shop"},
            "sensors": {"rfid": [{"name": "till"} | reader]},
            "edge": {"data": str(tmp_path), "items": {"till": items}, "rfid_broker": {"port": mqtt_port}},
        }
    )


ITEMS = {"antennas": {3: {"role": "till", "place": "till-1"}}, "settle_seconds": 0}


def test_a_zebra_reader_at_the_till_sells_over_the_broker(tmp_path: Path, make_broker: Callable[[str], Broker]) -> None:
    broker = make_broker("mosquitto")
    reader = {"type": "mqtt", "topics": ["zebra/data"], "format": "zebra", "clock": "host"}
    config = box(tmp_path, reader, ITEMS, broker.port)
    stop = threading.Event()
    with Outbox(tmp_path / "outbox.db", "shop", config.sync.outbox, time.time) as outbox:
        (loop,), kept = build_loops(config, outbox, time.time), Kept(outbox)
        thread = threading.Thread(target=loop.run, args=(stop,))
        thread.start()
        try:
            with MqttBroker(MqttConfig(port=broker.port)).connect(Session("zebra")) as link:
                deadline = time.monotonic() + 20
                while not kept.items() and time.monotonic() < deadline:
                    link.publish("zebra/data", json.dumps(zebra()).encode())
                    link.publish("zebra/data", b'{"data":')
                    assert link.receive(0.1) is None
            assert kept.items() == [("sold", "till-1", EPC)]
            assert loop.status.dropped > 0
        finally:
            stop.set()
            thread.join(10)


def test_a_reader_that_pushes_to_the_box_sells_with_the_secret_only(tmp_path: Path) -> None:
    secret, port = tmp_path / "secret", free_port()
    secret.write_text("of the shop\n")
    secret.chmod(0o600)
    reader = {"type": "http", "format": "keonn", "port": port, "secret_file": str(secret)}
    scanner = {
        "antennas": {1: {"role": "till", "place": "till-1", "reads": 1, "seconds": 0, "dbm": -70}},
        "settle_seconds": 0,
    }
    config = box(tmp_path, reader, scanner)
    stop = threading.Event()

    def post(authorization: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("POST", "/tags", json.dumps(keonn()).encode(), {"Authorization": authorization})
            return connection.getresponse().status
        except OSError:
            return 0  # it does not listen yet
        finally:
            connection.close()

    with Outbox(tmp_path / "outbox.db", "shop", config.sync.outbox, time.time) as outbox:
        (loop,), kept = build_loops(config, outbox, time.time), Kept(outbox)
        thread = threading.Thread(target=loop.run, args=(stop,))
        thread.start()
        try:
            assert until(lambda: post("Bearer wrong") == 401, 10)
            assert [post("Bearer wrong"), post("Bearer of the shop")] == [401, 200]
            assert until(lambda: kept.items() == [("sold", "till-1", EPC)], 10)
        finally:
            stop.set()
            thread.join(10)
