"""Decoding LLRP: equal to sllurp and llrpkit on every shared report, the cost of each, and 16,000 reads/s end to end.

sllurp is GPL and stays outside: it runs as a process of the interpreter given with ``--peers``.
"""

import json
import random
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from edge.processors.tryons import TryOnConfig, TryOnProcessor
from edge.runtime import SensorLoop
from sensors.rfid import messages as m
from sensors.rfid.llrp import RO_ACCESS_REPORT, Decoder
from sensors.rfid.replay import ReplaySource
from sync.config import OutboxConfig
from sync.outbox import Outbox

SHARED: Final = Path(__file__).resolve().parents[2] / "shared"
START: Final = 1_700_000_000.0
RATE: Final = 16_000

_PEER: Final = """
import importlib, json, sys, time
name, paths = sys.argv[1], sys.argv[2:]
def messages(data):
    position = 0
    while position < len(data):
        length = int.from_bytes(data[position + 2 : position + 6], "big")
        yield data[position : position + length]
        position += length
if name == "sllurp":
    from sllurp.llrp import LLRPMessage
    def reports(message):
        report = LLRPMessage(msgbytes=message).msgdict.get("RO_ACCESS_REPORT")
        return report["TagReportData"] if report else ()
    def fields(tag):
        epc, names = tag["EPC"].decode().upper(), ("AntennaID", "PeakRSSI", "FirstSeenTimestampUTC")
        return [epc, *map(tag.get, names)]
else:
    from llrpkit.protocol import decode_message
    def reports(message):
        return getattr(decode_message(message), "tag_report_datas", ())
    def fields(tag):
        epc = tag.epc_parameter.epc
        raw = epc if isinstance(epc, bytes) else epc.data
        time = tag.first_seen_timestamp_utc and tag.first_seen_timestamp_utc.microseconds
        return [raw.hex().upper(), tag.antenna_id.antenna_id, tag.peak_rssi.peak_rssi, time]
for path in paths:
    data = open(path, "rb").read()
    found = [fields(tag) for message in messages(data) for tag in reports(message)] if sys.stdin.readline() else []
    best = 9e9
    for _ in range(3):
        began = time.process_time()
        count = sum(len(reports(message)) for message in messages(data))
        best = min(best, (time.process_time() - began) / max(count, 1))
    print(json.dumps([path, best, found]))
"""


def best(work: Callable[[], int]) -> float:
    """µs per read, the best of five."""
    cost = min(_timed(work) for _ in range(5))
    return cost * 1e6


def _timed(work: Callable[[], int]) -> float:
    began = time.process_time()
    count = work()
    return (time.process_time() - began) / count


def streams(folder: Path) -> Iterator[Path]:
    """Every shared recording as a stream, and a synthetic one with 50 reports a message; written into ``folder``."""
    yield from sorted(SHARED.glob("data/rfid/llrp_streams/*.s2c"))
    bodies = [path.read_bytes() for path in sorted(SHARED.glob("data/rfid/llrp_recorded/roAccessReports/*.bytes"))]
    report = m.tag_report(bytes.fromhex("3034257BF7194E4000001A85"), 1, -60, round(START * 1e6))
    for name, data in (
        ("real-reader", b"".join(m.encode(RO_ACCESS_REPORT, 1, body) for body in bodies)),
        ("50-a-message", m.encode(RO_ACCESS_REPORT, 1, *[report] * 50) * 100),
    ):
        if data:
            path = folder / name
            path.write_bytes(data)
            yield path


def _ours(data: bytes) -> list[list[object]]:
    decoder = Decoder()
    decoder.feed(data)
    return [
        [one.epc.hex().upper(), one.antenna_id, one.peak_rssi, one.first_seen_utc]
        for message in decoder.messages()
        for one in decoder.reports(message)
    ]


def compare(python: str) -> None:
    """Print, for each stream and peer, whether both read the same, and what each costs."""
    with tempfile.TemporaryDirectory() as folder:
        paths = list(streams(Path(folder)))
        told = {name: _peer(python, name, paths) for name in ("sllurp", "llrpkit")}
        for path in paths:
            data = path.read_bytes()
            times = max(1, 200_000 // max(len(data), 1))

            def mine(data: bytes = data * times) -> int:
                decoder = Decoder()
                decoder.feed(data)
                return sum(1 for one in decoder.messages() for _ in decoder.reads(one))

            cost, reads = best(mine), _ours(data)
            text = f"{path.name}: {len(reads)} reports, {cost:.2f} µs/read ({1e6 / cost:,.0f} reads/s)"
            for name, of in told.items():
                if of is None:
                    text += f"; {name} not in {python}"
                    continue
                theirs, found = of[str(path)]
                same = "the same reports" if found == reads else "OTHER REPORTS"
                text += f"; {name} {same}, {theirs * 1e6:.1f} µs/read, {theirs * 1e6 / cost:.1f} times ours"
            print(text, flush=True)


def _peer(python: str, name: str, paths: list[Path]) -> dict[str, tuple[float, list[list[object]]]] | None:
    arguments = [python, "-c", _PEER, name, *map(str, paths)]
    told = subprocess.run(arguments, input="\n" * len(paths), capture_output=True, text=True, check=False)
    if told.returncode:
        print(told.stderr.splitlines()[-1:], flush=True)
        return None
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    return {path: (cost, found) for path, cost, found in rows}


def load(seconds: int, rate: int = RATE, tags: int = 800, seed: int = 1) -> bytes:
    """A stream of ``rate`` reads a second: tags beside four rooms, and one in eight that is in a room by turns."""
    rng = random.Random(seed)  # noqa: S311 - test data
    epcs = [(0x30 << 88 | 1 << 85 | 5 << 82 | n).to_bytes(12, "big") for n in range(tags)]
    parts, step = [], rate // tags
    for second in range(seconds):
        reports = []
        for number, epc in enumerate(epcs):
            inside = number % 8 == 0 and (second + number) % 300 < 120
            for k in range(step):
                antenna = number // 8 % 4 + 1 if inside or k % 2 else rng.randrange(1, 5)
                dbm = (-50 if inside and antenna == number // 8 % 4 + 1 else -72) + rng.randrange(-5, 6)
                reports.append(
                    (
                        START + second + k / step,
                        m.tag_report(epc, antenna, dbm, round((START + second + k / step) * 1e6)),
                    )
                )
        reports.sort(key=lambda one: one[0])
        for first in range(0, len(reports), 16):
            parts.append(m.encode(RO_ACCESS_REPORT, 1, *(body for _, body in reports[first : first + 16])))
    return b"".join(parts)


def sustained(seconds: int = 300) -> None:
    """Bytes to decoder, sessions and a real outbox through the box's own loop: share of one core at 16,000 reads/s."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "load.llrp"
        path.write_bytes(load(seconds))
        rooms = TryOnConfig(rooms={n: f"room-{n}" for n in range(1, 5)})
        with Outbox(Path(folder) / "outbox.db", "s1", OutboxConfig(), time.time) as outbox:
            processor = TryOnProcessor("fitting", rooms)
            loop = SensorLoop("fitting", lambda: ReplaySource(str(path)), processor, outbox, time.time)
            wall, began = time.monotonic(), time.process_time()
            loop.run(threading.Event())
            cpu, wall = time.process_time() - began, time.monotonic() - wall
            events = outbox.status().backlog
    reads = loop.status.readings
    print(
        f"end to end, {reads / seconds:,.0f} reads/s for {seconds} s of store time: {cpu / seconds:.0%} of one core, "
        f"{cpu / reads * 1e6:.1f} µs/read, {reads / cpu:,.0f} reads/s of CPU, {events} events in the outbox "
        f"({wall:.0f} s on the wall)",
        flush=True,
    )
