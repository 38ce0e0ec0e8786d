"""Cost of the way from the outbox to the database: ``python -m bench.sync [--quick] [--sweep POINTS]``.

CPU time is this process's (relay and ingest run in threads of it), so it does not depend on who else uses the machine;
events per second are wall time and do. The peer of the end-to-end figure is a plain paho publisher and subscriber with
QoS 1 over the same broker, which stores nothing: what durability and exactly-once cost beyond MQTT itself.
"""

import argparse
import gc
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from sync.broker import BrokerError, Mosquitto, NatsServer
from sync.config import MqttConfig, SyncConfig
from sync.events import Event, Evidence, Visit, event_topic
from sync.ingest import Ingest
from sync.outbox import Outbox
from sync.relay import Relay
from sync.store.incoming import Incoming
from sync.store.store import CentralStore

ROOT = Path(__file__).resolve().parents[1]
REPEATS = 3
T0 = 1_790_000_000.0


def visit(number: int) -> Event:
    """A typical event: 480 bytes as it travels."""
    evidence = Evidence(track=number, track_seconds=2.5, detections=20, rule="segment_crossed")
    return Event.new("camera-1", T0 + number, Visit(line="door", direction="in", confidence=0.9, evidence=evidence))


def measure(work: Callable[[], int], repeats: int) -> dict[str, float]:
    """Medians over ``repeats`` runs; ``work`` returns how many events it did."""
    rates, costs = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        count = work()
        rates.append(count / (time.perf_counter() - wall))
        costs.append((time.process_time() - cpu) / count * 1e6)
    return {"events_per_s": round(statistics.median(rates)), "cpu_us_per_event": round(statistics.median(costs), 1)}


def bench_put(folder: Path, batch: int, count: int, repeats: int) -> dict[str, float]:
    """``Outbox.put`` in batches of ``batch`` events."""

    events = [visit(number) for number in range(count)]

    def work() -> int:
        with Outbox(folder / f"{uuid4()}.db", "s1") as outbox:
            for start in range(0, count, batch):
                outbox.put(events[start : start + batch])
        return count

    return measure(work, repeats)


def messages(count: int) -> list[Incoming]:
    """What a relay would send."""
    box, boot = uuid4(), uuid4()
    envelopes = [visit(number).envelope(store="s1", boot=boot, outbox=box, seq=number + 1) for number in range(count)]
    return [Incoming(event_topic(envelope), envelope.encode()) for envelope in envelopes]


def bench_ingest(url: str, count: int, repeats: int) -> dict[str, float]:
    """``CentralStore.ingest`` in batches of 500, everything new."""
    batches = [messages(count) for _ in range(repeats)]
    with CentralStore(url) as store:
        # As the centre does when it is up.
        gc.freeze()

        def work() -> int:
            batch = batches.pop()
            return sum(store.ingest(batch[start : start + 500]).stored for start in range(0, count, 500))

        return measure(work, repeats)


def bench_end_to_end(port: int, folder: Path, count: int) -> dict[str, float]:
    """A preloaded outbox of ``count`` events until the centre's acks have emptied it; SQLite."""
    config = SyncConfig(mqtt=MqttConfig(port=port))
    with (
        Outbox(folder / f"{uuid4()}.db", "s1") as outbox,
        CentralStore(f"sqlite:///{folder}/{uuid4()}.db") as store,
    ):
        for start in range(0, count, 500):
            outbox.put([visit(number) for number in range(start, start + 500)])
        ingest = Ingest(store, config)

        def work() -> int:
            with running(Relay(outbox, config).run):
                while outbox.status().backlog:
                    time.sleep(0.02)
            return count

        with running(ingest.run):
            time.sleep(0.5)
            return measure(work, 1)


@contextmanager
def running(run: Callable[[threading.Event], None]) -> Iterator[None]:
    """``run(stop)`` in a thread."""
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def bench_peer(port: int, count: int) -> dict[str, float]:
    """Plain paho, QoS 1 both ways, automatic acknowledgement, nothing stored."""
    batch = messages(count)
    received = threading.Semaphore(0)
    subscribed = threading.Event()
    reader = paho.Client(CallbackAPIVersion.VERSION2, f"peer-{uuid4().hex[:8]}")
    writer = paho.Client(CallbackAPIVersion.VERSION2)
    writer.max_inflight_messages = 1000
    reader.on_message = lambda client, data, message: received.release()
    reader.on_subscribe = lambda *arguments: subscribed.set()
    for client in (reader, writer):
        client.connect("127.0.0.1", port)
        client.loop_start()
    reader.subscribe("yingke/v1/+/events/+", 1)
    subscribed.wait(10)

    def work() -> int:
        for message in batch:
            writer.publish(message.topic, message.payload, 1)
        for _ in range(count):
            received.acquire()
        return count

    try:
        return measure(work, 1)
    finally:
        for client in (reader, writer):
            client.disconnect()
            client.loop_stop()


def bench_brokers(folder: Path, count: int, repeats: int) -> dict[str, object]:
    """End to end and the peer, one after the other on the same broker, medians of pairs."""
    results: dict[str, object] = {}
    for kind in (NatsServer, Mosquitto):
        try:
            with kind(folder / kind.name) as broker:
                pairs = [
                    (bench_end_to_end(broker.port, folder, count), bench_peer(broker.port, count))
                    for _ in range(repeats)
                ]
        except BrokerError as error:
            results[f"end to end, {kind.name}"] = str(error)
            continue
        for index, name in enumerate(("end to end", "plain paho, nothing stored")):
            keys = pairs[0][index]
            middle = {key: statistics.median(pair[index][key] for pair in pairs) for key in keys}
            results[f"{name}, {kind.name}"] = middle
        for key in ("events_per_s", "cpu_us_per_event"):
            ratio = statistics.median(pair[0][key] / pair[1][key] for pair in pairs)
            results[f"ratio to plain paho, {kind.name}, {key}"] = round(ratio, 2)
    return results


def sweep(points: int) -> dict[str, object]:
    """kill -9 at ``points`` random moments of ``put``; the long form of tests/sync/test_crash.py."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tests.sync.sweep", folder, str(points)]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if ran.returncode != 0:
        raise SystemExit(f"the promise did not hold:\n{ran.stderr}")
    return {"kill -9 sweep of put": json.loads(ran.stdout)}


def main() -> None:
    """Measure, and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the events, one run")
    parser.add_argument("--sweep", type=int, metavar="POINTS", help="only kill -9 at so many moments of put")
    parser.add_argument("--postgres", metavar="URL", help="also ingest into this empty PostgreSQL database")
    options = parser.parse_args()
    if options.sweep:
        print(json.dumps(sweep(options.sweep), indent=2))
        return
    scale, repeats = (10, 1) if options.quick else (1, REPEATS)
    random.seed(0)
    results: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results["put, 1 event"] = bench_put(folder, 1, 2000 // scale, repeats)
        results["put, 100 events"] = bench_put(folder, 100, 20_000 // scale, repeats)
        results["ingest, SQLite"] = bench_ingest(f"sqlite:///{folder}/ingest.db", 10_000 // scale, repeats)
        if options.postgres:
            results["ingest, PostgreSQL"] = bench_ingest(options.postgres, 10_000 // scale, repeats)
        results |= bench_brokers(folder, 5000 // scale, repeats)
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
