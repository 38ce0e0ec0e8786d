"""Wi-Fi figures: cost, losses and memory (``bench.wifi_input``), and how good the estimate is beside simpler ones.

    python -m bench.wifi [cost|live|flood|phones|room]

Needs the recordings in ../shared/data/wifi. Everything is calibrated on other phones, or on other days, than it is
judged on: the splits are in the code. Times are CPU seconds of one core.
"""

import random
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from bench.wifi_input import cost, flood, live
from edge.processors.bursts import Window, Windows
from edge.processors.estimate import UNCALIBRATED, Numbers, WifiCalibration, calibrate, estimate
from edge.processors.recorded import mean_people, read_truth
from sensors.errors import FormatError
from sensors.readings import ProbeRequest, Silence
from sensors.wifi.capture import Packet, open_parser
from sensors.wifi.dot11 import ProbeParser
from sensors.wifi.source import CaptureSource

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "wifi"
WINDOW = 600.0
TODAY = date(2026, 11, 22)
Run = tuple[str, list[Packet]]
"""A phone in one usage mode: its letter, and the packets of its channels, by time from 0."""


@dataclass(frozen=True)
class Sample:
    """One window, the true number, and what simpler methods would count."""

    window: Window
    truth: float
    addresses: int
    kinds: int


def packets(path: Path) -> list[Packet]:
    """Every packet of a capture; none when it is of another link type."""
    data = path.read_bytes()
    try:
        return list(open_parser(data, path.name).feed(data))
    except FormatError:
        return []


def samples(probes: Iterable[ProbeRequest], truth: Callable[[float], float | None], gate: int | None) -> list[Sample]:
    """Windows whose true number is known; the simpler methods see frames above the gate only."""
    addresses: dict[float, set[bytes]] = defaultdict(set)
    kinds: dict[float, set[bytes]] = defaultdict(set)
    windows = Windows(WINDOW)
    done: list[Window] = []
    for probe in probes:
        if gate is None or probe.rssi_dbm is None or probe.rssi_dbm >= gate:
            start = probe.time // WINDOW * WINDOW
            addresses[start].add(probe.device)
            kinds[start].add(probe.fingerprint)
        done += windows.add(probe)
    done += windows.end()
    known = [(window, truth(window.start)) for window in done]
    return [Sample(w, n, len(addresses[w.start]), len(kinds[w.start])) for w, n in known if n is not None]


def runs() -> list[Run]:
    """The labelled phones, one entry per phone and usage mode, channels merged and shifted to begin at 0."""
    files: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for path in sorted((DATA / "labelled_devices").glob("*/*.pcap")):
        files[path.parent.name, re.sub(r"-ch-\d+", "", path.name)].append(path)
    result: list[Run] = []
    for (phone, _), paths in sorted(files.items()):
        merged = sorted((packet for path in paths for packet in packets(path)), key=_moment)
        if merged:
            first = merged[0][0]
            result.append((phone, [(when - first, link, data, is_cut) for when, link, data, is_cut in merged]))
    return result


def _moment(packet: Packet) -> float:
    return packet[0]


def mixes(pool: Sequence[Run], size: int, number: int, seed: int, *, repeat: bool = False) -> list[Sample]:
    """Both windows of ``number`` random mixes of ``size`` phones; ``repeat``: modes of a phone may meet, as phones."""
    rng = random.Random(seed)  # noqa: S311  # a repeatable choice
    by_phone: dict[str, list[Run]] = defaultdict(list)
    for run in pool:
        by_phone[run[0]].append(run)
    result = []
    for _ in range(number):
        if repeat:
            chosen = rng.sample(list(pool), size)
        else:
            chosen = [rng.choice(by_phone[phone]) for phone in rng.sample(sorted(by_phone), size)]
        merged = sorted((packet for _, each in chosen for packet in each if packet[0] < 2 * WINDOW), key=_moment)
        parse = ProbeParser().parse
        probes = [probe for packet in merged if (probe := parse(*packet))]
        result += samples(probes, lambda _: float(size), None)
    return result


def phones() -> None:
    """Mixes of labelled phones, calibrated on the other half of the phones."""
    everything = runs()
    letters = sorted({phone for phone, _ in everything})
    rng = random.Random(1)  # noqa: S311  # a repeatable choice
    print("labelled phones, ten-minute windows, both halves of five random splits; calibrated on the other half")
    for size, repeat in ((10, False), (20, True), (30, True)):
        judged: list[tuple[Sample, WifiCalibration]] = []
        for split in range(5):
            rng.shuffle(letters)
            halves = set(letters[::2]), set(letters[1::2])
            for known, other in (halves, halves[::-1]):
                pools = [[run for run in everything if run[0] in half] for half in (known, other)]
                learnt = fit([s for n in (10, 30) for s in mixes(pools[0], n, 6, 7 * split + n, repeat=n > 10)])
                judged += [(sample, learnt) for sample in mixes(pools[1], size, 6, 100 + split, repeat=repeat)]
        report(f"{size} phones, other phones' calibration", judged)
    for size, repeat in ((10, False), (20, False), (40, True), (80, True)):
        cut = mixes(everything, size, 8, size, repeat=repeat)
        report(f"{size} phones, no calibration", [(sample, UNCALIBRATED) for sample in cut])


def room() -> None:
    """A real room with people counted: calibrated on some days, judged on the others."""
    days: dict[str, list[Sample]] = {}
    for path in sorted((DATA / "room_occupancy").glob("*.pcap")):
        counted = read_truth(path.with_suffix("").with_suffix(".occupancy.csv"), "Europe/Prague")
        with CaptureSource((path,)) as source:
            probes = [reading for reading in source if not isinstance(reading, Silence)]
        first, last = probes[0].time, probes[-1].time

        def truth(start: float, counted=counted, first=first, last=last) -> float | None:  # type: ignore[no-untyped-def]
            return mean_people(counted, start, WINDOW) if first <= start and start + WINDOW <= last else None

        days[path.stem] = samples(probes, truth, -65)
    names = sorted(days)
    print("room of 0 to 18 people, ten-minute windows; simpler methods see frames of -65 dBm or more")
    report("all days, no calibration", [(s, UNCALIBRATED) for day in names for s in days[day]])
    for size in (2, 4):
        judged = []
        for begin in range(0, len(names), size):
            fitted = names[begin : begin + size]
            learnt = fit([s for day in fitted for s in days[day]])
            print(f"  fitted on {', '.join(fitted)}: {learnt.model_dump_json(exclude={'fitted_on', 'date'})}")
            judged += [(sample, learnt) for day in names if day not in fitted for sample in days[day]]
        report(f"other days, calibrated on {size}", judged)


def fit(known: Sequence[Sample]) -> WifiCalibration:
    """The project's calibration on these windows."""
    return calibrate([(sample.window, sample.truth) for sample in known], "bench", TODAY)


def report(name: str, judged: Sequence[tuple[Sample, WifiCalibration]]) -> None:
    """One line for the estimate with its interval, one for counting addresses, one for counting kinds of phones."""
    truth = np.array([sample.truth for sample, _ in judged])
    numbers = [estimate(sample.window, learnt, WINDOW) for sample, learnt in judged]
    found = [number for number in numbers if number is not None]
    assert len(found) == len(judged)
    held = np.mean([number.low <= true <= number.high for number, true in zip(found, truth, strict=True)])
    width = np.mean([number.high - number.low for number in found]) / truth.mean()
    print(f"{name} ({len(judged)} windows)")
    _line("estimate", np.array([number.value for number in found]), truth)
    print(f"    interval holds the truth in {held:.0%} of the windows; its width is {width:.0%} of the mean truth")
    _line("fingerprints", np.array([float(sample.kinds) for sample, _ in judged]), truth)
    _line("addresses", np.array([float(sample.addresses) for sample, _ in judged]), truth)


def _line(name: str, value: Numbers, truth: Numbers) -> None:
    some = truth >= 1
    mape = np.mean(np.abs(value - truth)[some] / truth[some])
    wape = np.abs(value - truth).sum() / truth.sum()
    r = f"r {np.corrcoef(value, truth)[0, 1]:.2f}  " if truth.std() > 0.1 else ""
    print(f"    {name:13} {r}MAPE {mape:.0%}  WAPE {wape:.0%}  bias {value.sum() / truth.sum():.2f}")


if __name__ == "__main__":
    parts = {"cost": cost, "live": live, "flood": flood, "phones": phones, "room": room}
    for part in sys.argv[1:] or parts:
        parts[part]()
