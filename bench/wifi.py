"""Wi-Fi figures: cost per probe request beside Scapy, and how good the estimate is beside simpler ones.

    python -m bench.wifi [cost|phones|room]

Needs the recordings in ../shared/data/wifi. Times are CPU seconds of one core. For phones and room see
``bench.wifi_estimates``.
"""

import sys
import time
from collections.abc import Callable

from bench.wifi_estimates import DATA, phones, room
from sensors.wifi.dot11 import ProbeParser
from sensors.wifi.source import CaptureSource


def cost() -> None:
    """µs per probe request: read, parse and hash; Scapy's raw reader and its full dissection on the same file."""
    from scapy.layers.dot11 import Dot11ProbeReq  # noqa: F401  # loads the dissectors
    from scapy.utils import PcapReader, RawPcapReader

    path = max((DATA / "room_occupancy").glob("*.pcap"), key=lambda path: path.stat().st_size)

    def whole() -> int:
        with CaptureSource((path,)) as source:
            return sum(1 for _ in source)

    def raw_reader() -> int:
        parse = ProbeParser().parse
        with RawPcapReader(str(path)) as reader:
            return sum(parse(meta.sec + meta.usec * 1e-6, 127, data, False) is not None for data, meta in reader)

    def dissection() -> int:
        with PcapReader(str(path)) as reader:
            return sum(1 for _, _packet in zip(range(2000), reader, strict=False))

    whole_cost = min(_timed(whole) for _ in range(3))
    print(f"this project: read, parse, hash       {_figures(whole_cost)}")
    print(f"Scapy RawPcapReader, then our parser  {_figures(min(_timed(raw_reader) for _ in range(3)))}")
    scapy = _timed(dissection)
    print(f"Scapy, full dissection                {_figures(scapy)}")
    print(f"ratio to full dissection: {scapy / whole_cost:.0f}")


def _timed(work: Callable[[], int]) -> float:
    begun = time.process_time()
    frames = work()
    return (time.process_time() - begun) / frames


def _figures(seconds: float) -> str:
    return f"{seconds * 1e6:8.2f} µs per probe request {1 / seconds:9.0f} frames/s"


if __name__ == "__main__":
    parts = {"cost": cost, "phones": phones, "room": room}
    for part in sys.argv[1:] or parts:
        parts[part]()
