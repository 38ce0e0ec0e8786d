"""RFID figures: cost of decoding (ours and llrpkit in the same run), and try-ons: cost, F1, edges, worn against hung.

Run ``python -m bench.rfid [--seeds N]``. Constants were chosen on seeds 1 to 5 of either simulation; what is printed
comes from seeds 101 on. The outside judge is ../shared/tools/tryon_noise_model.py, by others, where it is present.
CPU time, best of five for decoding. Both simulations are engineering assumptions: real rooms have to be measured.
"""

import argparse
import importlib.util
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

from edge.demo.fitting_rooms import FittingRooms, Scene
from edge.processors.tryons import Session, TryOnConfig, sessions_of
from sensors.readings import TagRead
from sensors.rfid import messages as m
from sensors.rfid.llrp import RO_ACCESS_REPORT, Decoder

SHARED = Path(__file__).resolve().parents[2] / "shared"
CALIBRATED_ON = range(1, 6)
FIRST_REPORTED = 101
START = 1_700_000_000.0


@dataclass(frozen=True)
class Stay:
    """The truth of either simulation."""

    epc: str
    room: str
    start: float
    end: float
    worn: bool | None


@dataclass
class Score:
    """Sums over seeds. A hit is the same item and room with an overlap of half the union of both times."""

    hits: int = 0
    false: int = 0
    missed: int = 0
    reads: int = 0
    cpu: float = 0.0
    edges: list[float] = field(default_factory=list)
    kinds: dict[tuple[bool | None, str], int] = field(default_factory=dict)

    def add(self, reads: list[TagRead], truth: list[Stay], rooms: dict[int, str], end: float) -> None:
        began = time.process_time()
        left = sessions_of(reads, TryOnConfig(rooms=rooms))
        self.cpu += time.process_time() - began
        self.reads += len(reads)
        for stay in truth:
            one = next((one for one in left if _same(one, stay)), None)
            if one is None:
                self.missed += 1
                continue
            left.remove(one)
            self.hits += 1
            self.edges += [abs(one.start - stay.start), abs(one.end - stay.end)]
            self.kinds[stay.worn, one.kind] = self.kinds.get((stay.worn, one.kind), 0) + 1
        self.false += sum(one.end < end - 15 for one in left)

    def line(self) -> str:
        f1 = 2 * self.hits / max(2 * self.hits + self.false + self.missed, 1)
        edges = sorted(self.edges) or [math.nan]
        kinds = ""
        for worn, kind, name in ((True, "tried_on", "worn told"), (False, "in_room", "hung told")):
            of = sum(count for (truth, _), count in self.kinds.items() if truth is worn)
            kinds += f", {name} {self.kinds.get((worn, kind), 0)}/{of}" if of else ""
        return (
            f"F1 {f1:.3f} ({self.hits} hit, {self.false} false, {self.missed} missed), start and end off by "
            f"{median(edges):.1f} s (p90 {edges[len(edges) * 9 // 10]:.1f}){kinds}, "
            f"{self.cpu / self.reads * 1e6:.1f} µs/read"
        )


def _same(one: Session, stay: Stay) -> bool:
    both = min(one.end, stay.end) - max(one.start, stay.start)
    return (one.epc, one.room) == (stay.epc, stay.room) and both >= (
        max(one.end, stay.end) - min(one.start, stay.start)
    ) / 2


def ours(seeds: Iterable[int], **scene: Any) -> str:
    """Our simulation, ``edge.demo.fitting_rooms``: borrowed rack items, passers-by, hung items."""
    score = Score()
    for seed in seeds:
        setting = Scene(START, seed, **scene)
        rooms = FittingRooms(setting)
        reads = [read for second in range(setting.seconds) for read in rooms.reads(second)]
        end = setting.start + setting.seconds
        names = {n: f"room-{n}" for n in range(1, setting.rooms + 1)}
        truth = [
            Stay(v.epc, names[v.antenna], v.start, v.end, v.worn is not None) for v in rooms.visits if v.end <= end
        ]
        score.add(reads, truth, names, end)
    return score.line()


def outside(model: ModuleType, seeds: Iterable[int], **scene: Any) -> str:
    """The noise model by others; all its items are worn, so that hung ones cannot be scored."""
    score = Score()
    for seed in seeds:
        day = model.simulate(seed=seed, **scene)
        names = {n + 1: f"room-{n + 1}" for n in range(day["R"])}
        reads = [
            TagRead(START + second + 0.5, _epc(tag), antenna + 1, dbm)
            for second in range(day["T"])
            for tag, seen in day["obs"].get(second, {}).items()
            for antenna, (_, dbm) in seen.items()
        ]
        truth = [
            Stay(_epc(tag), names[room + 1], START + start, START + end + 1, True)
            for room, start, end, tags in day["visits"]
            for tag in tags
        ]
        score.add(reads, truth, names, START + day["T"])
    return score.line()


def _epc(tag: int) -> str:
    return f"{0x30 << 88 | tag:024X}"


def _best(work: Callable[[], int]) -> float:
    """µs per read, the best of five."""
    best = math.inf
    for _ in range(5):
        began = time.process_time()
        count = work()
        best = min(best, (time.process_time() - began) / count)
    return best * 1e6


def decoding(name: str, data: bytes) -> None:
    """Bytes of a whole session to reads, by our decoder and by llrpkit."""

    def mine() -> int:
        decoder = Decoder()
        decoder.feed(data)
        return sum(1 for one in decoder.messages() for _ in decoder.reads(one))

    cost = _best(mine)
    text = f"{name}: {cost:.2f} µs/read ({1e6 / cost:,.0f} reads/s)"
    if importlib.util.find_spec("llrpkit"):
        decode_message = importlib.import_module("llrpkit.protocol").decode_message

        def theirs() -> int:
            count, position = 0, 0
            while position < len(data):
                length = int.from_bytes(data[position + 2 : position + 6], "big")
                count += len(getattr(decode_message(data[position : position + length]), "tag_report_datas", ()))
                position += length
            return count

        other = _best(theirs)
        text += f"; llrpkit {other:.1f} µs/read, {other / cost:.0f} times ours"
    print(text, flush=True)


def main() -> None:
    """Print every figure."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--seeds", type=int, default=3, help="how many, from 101 on")
    seeds = range(FIRST_REPORTED, FIRST_REPORTED + arguments.parse_args().seeds)
    assert not set(seeds) & set(CALIBRATED_ON)
    report = m.tag_report(bytes.fromhex("3034257BF7194E4000001A85"), 1, -60, round(START * 1e6))
    decoding("synthetic, 1 report a message", m.encode(RO_ACCESS_REPORT, 1, report) * 20_000)
    decoding("synthetic, 50 reports a message", m.encode(RO_ACCESS_REPORT, 1, *[report] * 50) * 400)
    for path in sorted(SHARED.glob("data/rfid/llrp_streams/*.s2c")):
        decoding(path.name, path.read_bytes() * 10)
    for wall in (4.0, 6.0, 8.0, 10.0, 15.0):
        print(f"our simulation, walls {wall:g} dB: {ours(seeds, wall_db=wall)}", flush=True)
    print(f"our simulation, floor antenna: {ours(seeds, floor_antenna=True)}", flush=True)
    path = SHARED / "tools" / "tryon_noise_model.py"
    spec = importlib.util.spec_from_file_location("tryon_noise_model", path) if path.exists() else None
    if spec is None or spec.loader is None:
        print("outside judge: ../shared/tools/tryon_noise_model.py is not here")
        return
    model = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(model)
    for wall in (4.0, 6.0, 8.0, 10.0, 15.0):
        print(f"outside judge, walls {wall:g} dB: {outside(model, seeds, att_wall=wall, T=7200)}", flush=True)


if __name__ == "__main__":
    main()
