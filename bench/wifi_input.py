"""Wi-Fi input: what a frame costs beside other parsers, a live minute without a loss, and a flood that costs no memory.

Parts of ``python -m bench.wifi``: ``cost``, ``live`` (needs the right to make a TAP device), ``flood``.
"""

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from edge.processors.bursts import Windows
from sensors.readings import ProbeRequest, Silence
from sensors.wifi.capture import RADIOTAP
from sensors.wifi.dot11 import ProbeParser
from sensors.wifi.live import LiveSource
from sensors.wifi.source import CaptureSource

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "wifi"
WINDOW = 600.0
SCAPY_FRAMES = 2000
DPKT_FRAMES = 20_000
RATE, LIVE_SECONDS = 20_000, 60
FLOOD_A_SECOND = 100_000


def cost() -> None:
    """µs of CPU a frame, of this project and of its peers, on the same file in the same run."""
    path = max((DATA / "room_occupancy").glob("*.pcap"), key=lambda path: path.stat().st_size)

    def estimated() -> int:
        windows, frames = Windows(WINDOW), 0
        with CaptureSource((path,)) as source:
            for reading in source:
                if not isinstance(reading, Silence):
                    frames += 1
                    for _ in windows.add(reading):
                        pass
        return frames

    def read() -> int:
        with CaptureSource((path,)) as source:
            return sum(1 for _ in source)

    whole = min(_timed(estimated) for _ in range(5))
    scapy = min(_timed(lambda: _scapy(path)) for _ in range(3))
    print(f"{path.name}: CPU time of one core, best of several runs")
    rows = {
        "this project: read, parse, hash, put into bursts and windows": whole,
        "this project: read, parse, hash": min(_timed(read) for _ in range(5)),
        "Scapy's raw reader, then this project's parser": min(_timed(lambda: _raw_reader(path)) for _ in range(3)),
        "dpkt, radiotap and 802.11 dissected": min(_timed(lambda: _dpkt(path)) for _ in range(3)),
        "tshark, four fields": _tshark(path),
        "Scapy, full dissection": scapy,
    }
    for name, seconds in rows.items():
        figures = "not installed" if seconds is None else f"{seconds * 1e6:9.2f} µs {1 / seconds:10.0f} frames/s"
        print(f"{name:62} {figures}")
    print(f"with the estimator's stage, {scapy / whole:.0f} times Scapy's full dissection")


def _timed(work: Callable[[], int]) -> float:
    begun = time.process_time()
    frames = work()
    return (time.process_time() - begun) / frames


def _raw_reader(path: Path) -> int:
    from scapy.utils import RawPcapReader

    parse = ProbeParser().parse
    with RawPcapReader(str(path)) as reader:
        return sum(parse(meta.sec + meta.usec * 1e-6, RADIOTAP, data, False) is not None for data, meta in reader)


def _scapy(path: Path) -> int:
    from scapy.layers.dot11 import Dot11ProbeReq  # noqa: F401  # loads the dissectors
    from scapy.utils import PcapReader

    with PcapReader(str(path)) as reader:
        return sum(1 for _, _packet in zip(range(SCAPY_FRAMES), reader, strict=False))


def _dpkt(path: Path) -> int:
    from dpkt.pcap import Reader
    from dpkt.radiotap import Radiotap

    with path.open("rb") as file:
        frames = 0
        for _, data in Reader(file):
            Radiotap(data)
            frames += 1
            if frames == DPKT_FRAMES:
                break
        return frames


def _tshark(path: Path) -> float | None:
    """CPU seconds a frame of the whole process, its start taken off; ``None`` without tshark."""
    tshark = shutil.which("tshark")
    if tshark is None:
        return None
    fields = ("wlan.sa", "wlan.seq", "radiotap.dbm_antsignal", "wlan.tag.number")
    command = [tshark, "-n", "-r", str(path), "-T", "fields", *(part for field in fields for part in ("-e", field))]
    start, _ = _child([*command, "-c", "1"])
    seconds, frames = _child(command)
    return (seconds - start) / frames


def _child(command: list[str]) -> tuple[float, int]:
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout.count(b"\n")


def live() -> None:
    """A minute of 20,000 probe requests a second through the kernel: how many came, and what it cost."""
    from tests.sensors.tap import Tap
    from tests.sensors.wifi_frames import probe, radiotap

    frames = [radiotap(probe(b"\x02" + n.to_bytes(5, "big"), sequence=n % 4096)) for n in range(500)]
    wanted = RATE * LIVE_SECONDS
    with Tap("yk-bench0") as radio, LiveSource("yk-bench0") as source:
        writer = threading.Thread(target=_write, args=(radio.send, frames, wanted))
        begun, writing = time.monotonic(), [0.0]
        cpu = time.process_time()
        writer.start()
        received, windows, silences = 0, Windows(WINDOW), 0
        for reading in source:
            if isinstance(reading, ProbeRequest):
                received += 1
                for _ in windows.add(reading):
                    pass
            silences += isinstance(reading, Silence) and not writer.is_alive()
            if received == wanted or silences == 2:
                break
        seconds = time.monotonic() - begun
        writer.join()
        writing[0] = time.process_time() - cpu
    print(
        f"{received} of {wanted} frames received in {seconds:.1f} s, dropped by the kernel {source.dropped}; "
        f"{writing[0] / seconds:.0%} of a core, the writer's part included"
    )


def _write(send: Callable[[bytes], None], frames: list[bytes], count: int) -> None:
    begun = time.monotonic()
    for number in range(count):
        send(frames[number % len(frames)])
        if number % 100 == 0:
            time.sleep(max(0.0, begun + number / RATE - time.monotonic()))


def flooding(same_kind: bool, minutes: int, a_minute: int) -> Iterator[tuple[float, bytes]]:
    """In each simulated minute, one burst of frames at 100,000 a second, every frame from a new address."""
    from tests.sensors.wifi_frames import ELEMENTS, probe, radiotap

    frame = radiotap(probe(elements=ELEMENTS + b"\xdd\x08\x00\x00\x00\x01\x00\x00\x00\x00"))
    sender = frame.index(bytes.fromhex("dead0c0ffee5")) + 1
    number = 0
    for minute in range(minutes):
        for tick in range(a_minute):
            number += 1
            tail = bytes(4) if same_kind else number.to_bytes(4, "big")
            data = frame[:sender] + number.to_bytes(5, "big") + frame[sender + 5 : -4] + tail
            yield 1_700_000_400.0 + 60 * minute + tick / FLOOD_A_SECOND, data


def flood() -> None:
    """How much memory a flood of new addresses takes, with new kinds of phones and with one kind."""
    for seconds, minutes, a_minute in ((600.0, 20, FLOOD_A_SECOND), (3600.0, 60, FLOOD_A_SECOND // 4)):
        for same_kind in (False, True):
            grown, frames, cpu = flooded(same_kind, minutes, a_minute, seconds)
            kinds = "one kind of phone" if same_kind else "a new kind with each"
            print(
                f"windows of {seconds:.0f} s, {kinds}: {frames} new addresses in {minutes} simulated minutes, "
                f"{grown:.0f} MB more memory at most, {cpu / frames * 1e6:.1f} µs each, making them included"
            )


def flooded(same_kind: bool, minutes: int, a_minute: int, seconds: float) -> tuple[float, int, float]:
    """``memory_of_a_flood`` in a process of its own, whose memory nothing else has used before."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_flooded, same_kind, minutes, a_minute, seconds).result()


def _flooded(same_kind: bool, minutes: int, a_minute: int, seconds: float) -> tuple[float, int, float]:
    return memory_of_a_flood(flooding(same_kind, minutes, a_minute), seconds)


def memory_of_a_flood(packets: Iterator[tuple[float, bytes]], seconds: float) -> tuple[float, int, float]:
    """MB that resident memory grew by at most while parsing and putting into windows; frames; CPU seconds."""
    parser, windows = ProbeParser(), Windows(seconds)
    before = most = _resident()
    begun = time.process_time()
    frames = 0
    for moment, data in packets:
        probe = parser.parse(moment, RADIOTAP, data, False)
        if probe is not None:
            for _ in windows.add(probe):
                pass
        frames += 1
        if frames % 10_000 == 0:
            most = max(most, _resident())
    return most - before, frames, time.process_time() - begun


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6
