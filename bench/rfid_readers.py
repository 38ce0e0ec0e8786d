"""What other readers' messages, item events and EPCIS documents cost.

    python -m bench.rfid_readers

CPU microseconds a read or event in one process (best of three). ``pushed`` is real: batches of 50 over one HTTP
connection to the source, sender included.
"""

import http.client
import json
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from uuid import uuid4

from dashboard.epcis import EpcisConfig, Writer, head, written
from edge.processors.items import ItemsProcessor
from edge.processors.items_config import ItemPlace, ItemsConfig
from sensors.readings import TagRead
from sensors.rfid.heard import Timing
from sensors.rfid.impinj import parse_impinj
from sensors.rfid.keonn import parse_keonn
from sensors.rfid.pushed import PushedSource
from sensors.rfid.zebra import parse_zebra
from sync.settings import StoreConfig

START = 1_775_131_200.0
EPCS = [f"3074257BF7194E40000{number:05X}" for number in range(2000)]
READS = 160_000
BATCH = 50


def best(what: Callable[[], int]) -> float:
    """CPU microseconds of one of what ``what`` says it did, best of three."""
    found = []
    for _ in range(3):
        began = time.process_time()
        count = what()
        found.append((time.process_time() - began) / count * 1e6)
    return min(found)


def impinj() -> int:
    """Parse events of an Impinj stream, one a line."""
    line = json.dumps(
        {
            "timestamp": "2026-04-02T12:00:00.123456789Z",
            "eventType": "tagInventory",
            "tagInventoryEvent": {"epcHex": EPCS[0], "antennaPort": 1, "peakRssiCdbm": -5234},
        }
    ).encode()
    return sum(len(parse_impinj(line).reads) for _ in range(20_000))


def zebra() -> int:
    """Parse events of Zebra's IoT Connector, one a message."""
    data = {"eventNum": 1, "format": "epc", "idHex": EPCS[0], "antenna": 1, "peakRssi": -39}
    message = json.dumps({"type": "SIMPLE", "timestamp": "2026-04-02T12:00:00.5+0000", "data": data}).encode()
    return sum(len(parse_zebra(message).reads) for _ in range(20_000))


def pushed() -> int:
    """Take batches of Keonn's over HTTP, one after another."""
    reads = [{"epc": epc, "rssi": "-60", "antenna": "1", "ts": "1775131200000"} for epc in EPCS[:BATCH]]
    body, taken = json.dumps({"reads": reads}).encode(), 0
    with PushedSource("127.0.0.1", 0, "/tags", parse_keonn, Timing("x", "host", time.time)) as source:
        connection, found = http.client.HTTPConnection("127.0.0.1", source.port, timeout=10), iter(source)
        for _ in range(200):
            connection.request("POST", "/tags", body)
            connection.getresponse().read()
            taken += sum(isinstance(next(found), TagRead) for _ in range(BATCH))
        connection.close()
    return taken


def items(reads: list[TagRead]) -> int:
    """Follow 2,000 tags at a rack, a till and an exit, 16,000 reads a second."""
    roles = {1: ("rack", "floor"), 2: ("till", "till-1"), 3: ("exit", "door")}
    places = {
        antenna: ItemPlace.model_validate({"role": role, "place": place}) for antenna, (role, place) in roles.items()
    }
    processor = ItemsProcessor("x", ItemsConfig(antennas=places))
    for read in reads:
        processor.process(read)
    return len(reads)


def documents() -> int:
    """Write 20,000 sales as one EPCIS document."""
    data = {"epc": EPCS[0], "place": "till-1", "step": "sold"}
    row = {"id": str(uuid4()), "type": "yingke.item.v1", "sensor": "x", "time": START, "data": data}

    def rows() -> Iterator[dict[str, object]]:
        for _ in range(20_000):
            yield row

    writer = Writer(StoreConfig(id="shop", timezone="Asia/Shanghai"), EpcisConfig())
    for _ in written(writer, rows(), head("https://brand.example/epcis", START, uuid4())):
        pass
    return 20_000


def main() -> None:
    """Print one line for each."""
    rng = random.Random(9)  # noqa: S311  # the same reads each time
    reads = [
        TagRead(START + i / 16_000, rng.choice(EPCS), rng.choice((1, 1, 1, 2, 3)), rng.uniform(-80, -40))
        for i in range(READS)
    ]
    for name, what in (
        ("impinj", impinj),
        ("zebra", zebra),
        ("pushed", pushed),
        ("items", partial(items, reads)),
        ("epcis", documents),
    ):
        print(f"{name:8} {best(what):6.1f} CPU µs")


if __name__ == "__main__":
    main()
