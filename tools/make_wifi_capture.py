"""Make the demo's simulated Wi-Fi capture: a store day of phones that exist nowhere. Deterministic.

    python -m tools.make_wifi_capture edge/demo

Writes ``probes.pcap`` (10:00 to 22:00 as seconds since 1970-01-01, radiotap), ``probes.truth.csv`` (people inside) and
``probes.calibration.json``, learnt from the two. Frames are built by Scapy (GPL-2.0), which is a tool here and is not
shipped. Random addresses are locally administered, fixed ones are from the range for documentation (RFC 7042, 2.1.2),
network names are empty.
"""

import csv
import math
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from scapy.layers.dot11 import Dot11, Dot11Elt, Dot11ProbeReq, RadioTap
from scapy.packet import Packet
from scapy.utils import RawPcapWriter

from edge.processors.recorded import Day, learn

OPENS, CLOSES = 10 * 3600, 22 * 3600
ARRIVALS_PER_HOUR = {10: 12, 11: 18, 12: 26, 13: 24, 14: 20, 15: 22, 16: 26, 17: 34, 18: 42, 19: 38, 20: 26, 21: 12}
PASSERS_PER_ARRIVAL = 3
CHANNEL_MHZ = 2437
KINDS = 12


@dataclass(frozen=True)
class Phone:
    """One simulated phone: there from ``start`` to ``end`` seconds, at about ``rssi`` dBm, a burst per ``interval``."""

    start: float
    end: float
    rssi: float
    kind: int
    interval: float
    fixed: bytes | None


def phones(rng: random.Random) -> Iterator[tuple[bool, Phone]]:
    """Everybody of the day, and whether inside."""
    for hour, visitors in ARRIVALS_PER_HOUR.items():
        for number in range(visitors * (1 + PASSERS_PER_ARRIVAL)):
            inside = number < visitors
            start = rng.uniform(hour, hour + 1) * 3600
            stay = rng.lognormvariate(math.log(1100), 0.6) if inside else rng.uniform(30, 150)
            yield (
                inside,
                Phone(
                    start=start,
                    end=min(start + stay, CLOSES),
                    rssi=rng.uniform(-62, -42) if inside else rng.uniform(-90, -72),
                    kind=min(int(rng.expovariate(0.35)), KINDS - 1),
                    interval=rng.lognormvariate(math.log(60), 0.5),
                    fixed=bytes((0, 0, 0x5E, 0, 0x53, rng.randrange(256))) if rng.random() < 0.1 else None,
                ),
            )


def frames(phone: Phone, rng: random.Random) -> Iterator[tuple[float, Packet]]:
    """The probe requests of one phone: bursts of one to three frames, each burst under another address."""
    moment = phone.start + rng.uniform(0, phone.interval)
    sequence = rng.randrange(4096)
    while moment < phone.end:
        address = phone.fixed or bytes((rng.randrange(256) & 0xFC | 2, *rng.randbytes(5)))
        for _ in range(rng.choice((1, 1, 2, 3))):
            rssi = round(max(-95, min(-20, rng.gauss(phone.rssi, 3))))
            yield moment, frame(phone.kind, address, sequence % 4096, rssi)
            moment += rng.uniform(0.01, 0.04)
            sequence += 1
        sequence += rng.randrange(200)
        moment += phone.interval * rng.uniform(0.6, 1.4)


def frame(kind: int, address: bytes, sequence: int, rssi: int) -> Packet:
    """One probe request with the elements of a kind of phone."""
    text = ":".join(f"{byte:02x}" for byte in address)
    rng = random.Random(kind)  # noqa: S311  # the same elements for the same kind
    high_throughput = rng.randrange(1 << 16).to_bytes(2, "little") + bytes((0x17, 0xFF, 0xFF)) + bytes(21)
    elements = (
        Dot11Elt(ID="SSID", info=b"")
        / Dot11Elt(ID="Supported Rates", info=b"\x02\x04\x0b\x16")
        / Dot11Elt(ID="Extended Supported Rates", info=b"\x0c\x12\x18\x24\x30\x48\x60\x6c")
        / Dot11Elt(ID="DSSS Set", info=b"\x06")
        / Dot11Elt(ID=45, info=high_throughput)
        / Dot11Elt(ID=127, info=rng.randbytes(rng.choice((4, 8, 10))))
    )
    header = RadioTap(present="Rate+Channel+dBm_AntSignal", Rate=1.0, ChannelFrequency=CHANNEL_MHZ, dBm_AntSignal=rssi)
    return (
        header
        / Dot11(type=0, subtype=4, addr1="ff:ff:ff:ff:ff:ff", addr2=text, addr3="ff:ff:ff:ff:ff:ff", SC=sequence << 4)
        / Dot11ProbeReq()
        / elements
    )


def write(folder: Path, seed: int = 20261122) -> None:
    """Write the three files."""
    rng = random.Random(seed)  # noqa: S311  # a repeatable simulation
    day = list(phones(rng))
    everything = sorted(((moment, bytes(built)) for _, phone in day for moment, built in frames(phone, rng)))
    capture = folder / "probes.pcap"
    with RawPcapWriter(str(capture), linktype=127) as writer:
        writer.write_header(None)
        for moment, data in everything:
            writer.write_packet(data, sec=int(moment), usec=int(moment % 1 * 1_000_000))
    truth = folder / "probes.truth.csv"
    with truth.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("datetime", "people"))
        for moment in range(OPENS, CLOSES + 1, 60):
            inside = sum(is_inside and phone.start <= moment < phone.end for is_inside, phone in day)
            rows.writerow((datetime.fromtimestamp(moment, UTC).isoformat(sep=" "), inside))
    learnt = learn([Day((capture,), truth)], 600, "UTC").calibration
    about = {"fitted_on": "the demonstration's simulated capture", "date": date(2026, 11, 22)}
    text = learnt.model_copy(update=about).model_dump_json(indent=2)
    (folder / "probes.calibration.json").write_text(text + "\n", encoding="utf-8")
    print(f"{len(everything)} frames, {capture.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
