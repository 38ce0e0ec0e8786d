"""The shipped commands on real input, killed and started again: what the box kept is what the database holds.

``yingke edge`` watches a real video, reads an LLRP reader over TCP and replays a Wi-Fi capture; ``yingke centre`` takes
the events in. Each of edge, broker and centre is killed with ``kill -9`` while crossings are counted.
"""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.demo.fitting_rooms import Scene
from edge.demo.media import SHIPPED, SHIPPED_LINES
from edge.demo.plan import CALIBRATION, PROBES
from edge.demo.reader import EmulatedReader
from sync.broker import Broker, free_port
from sync.config import MqttConfig, SyncConfig
from sync.events import FootfallMinute, Visit
from sync.outbox import Outbox
from sync.relay import Relay
from sync.store.store import CentralStore
from tests.sync.recompute import rollups_of, stored_rollups

STORE = "chain"
DEADLINE_S = 90.0
START = 1_790_000_000.0


class Service:
    """One ``yingke`` process that a test starts, kills and starts again."""

    def __init__(self, name: str, folder: Path) -> None:
        self.command = [sys.executable, "-m", "yingke", name, "--config", str(folder / "config.yaml")]
        self.log = folder / f"{name}.log"
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=log, env=os.environ | {"YINGKE_PARENT": str(os.getpid())}
            )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.start()

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(30)


@contextmanager
def service(name: str, folder: Path) -> Iterator[Service]:
    running = Service(name, folder)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def configuration(folder: Path, broker: int, reader: int, database: str) -> dict[str, Any]:
    return {
        "store": {"id": STORE},
        "sensors": {
            "cameras": [{"name": "door", "url": str(SHIPPED), "loop": True, "every": 2}],
            "wifi": [{"name": "wifi", "type": "pcap", "paths": [str(PROBES)], "speed": 2000}],
            "rfid": [{"name": "fitting", "type": "llrp", "host": "127.0.0.1", "port": reader, "clock": "reader"}],
        },
        "edge": {
            "data": str(folder / "edge"),
            "heartbeat_seconds": 0.5,
            "counting": {"door": {"lines": [line.config() for line in SHIPPED_LINES]}},
            "devices": {"wifi": {"calibration": str(CALIBRATION)}},
            "tryons": {"fitting": {"rooms": {"1": "room-1", "2": "room-2", "3": "room-3", "4": "room-4"}}},
        },
        "sync": {"mqtt": {"port": broker, "retry_min": 0.1, "retry_max": 1.0}, "database": {"url": database}},
        "dashboard": {"port": free_port()},
    }


def until(what: str, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(0.1)


def kept(folder: Path) -> list[bytes]:
    """The ids in the box's outbox, also those that the centre has confirmed."""
    with sqlite3.connect(f"file:{folder / 'edge/outbox.db'}?mode=ro", uri=True) as db:
        return [json.loads(body)["id"] for (body,) in db.execute("SELECT body FROM event ORDER BY seq")]


def send_the_rest(path: Path, port: int) -> None:
    stop = threading.Event()
    with Outbox(path, STORE) as outbox:
        relay = Relay(outbox, SyncConfig(mqtt=MqttConfig(port=port)))
        thread = threading.Thread(target=relay.run, args=(stop,))
        thread.start()
        try:
            until("an empty outbox", lambda: outbox.status().backlog == 0)
        finally:
            stop.set()
            thread.join()


@pytest.mark.slow
@pytest.mark.parametrize(("broker_name", "kind"), [("nats", "sqlite"), ("mosquitto", "postgresql")])
def test_what_the_box_saw_is_in_the_database_exactly_once_whoever_is_killed(
    tmp_path: Path,
    broker_name: str,
    kind: str,
    make_broker: Callable[[str], Broker],
    make_database: Callable[[str], str],
) -> None:
    broker, database = make_broker(broker_name), make_database(kind)
    scene = Scene(START, seed=3, seconds=24 * 3600)
    with ExitStack() as stack:
        reader = stack.enter_context(EmulatedReader(start=START, speed=200, scene=scene))
        document = configuration(tmp_path, broker.port, reader.port, database)
        (tmp_path / "config.yaml").write_text(json.dumps(document))
        centre = stack.enter_context(service("centre", tmp_path))
        edge = stack.enter_context(service("edge", tmp_path))
        store = stack.enter_context(CentralStore(database))

        def types() -> Counter[str]:
            return Counter(event["type"] for event in store.latest_events(STORE, 100_000))

        def visits_beyond(count: int) -> Callable[[], bool]:
            return lambda: types()["yingke.visit.v1"] > count

        until("the first visits", visits_beyond(2))

        def broker_dies() -> None:
            broker.kill()
            broker.restart()

        for kill in (edge.kill, broker_dies, centre.kill):
            before = types()["yingke.visit.v1"]
            kill()
            until("visits after a kill", visits_beyond(before + 2))
        until("try-ons and windows", lambda: {"yingke.tryon.v1", "yingke.devices.window.v1"} <= set(types()))
        assert edge.end() == 0
        # What was put in the last moment is still in the outbox: the next start of the box would send it.
        send_the_rest(tmp_path / "edge/outbox.db", broker.port)
        assert centre.end() == 0
        ids = [event["id"] for event in store.latest_events(STORE, 1_000_000)]
        assert sorted(ids) == sorted(kept(tmp_path))
        assert len(ids) == len(set(ids))
        computed = rollups_of(store._engine)
        assert stored_rollups(store._engine) == computed["rollups"]
        assert store.dead_letters() == []
        data = [event.data for event in computed["events"]]
        assert sum(isinstance(one, Visit) for one in data) == _crossings(computed["rollups"]["minutes"])
        assert any(isinstance(one, FootfallMinute) for one in data)
    for log in (edge.log, centre.log):
        assert "Traceback" not in log.read_text()


def _crossings(minutes: dict[Any, Any]) -> int:
    return sum(int(entered) + int(left) for _, _, entered, left, *_ in minutes.values())
