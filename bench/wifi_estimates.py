"""How good the Wi-Fi estimate is beside simpler ones: mixtures of labelled phones, and a real room.

    python -m bench.wifi phones
    python -m bench.wifi room

Needs the recordings in ../shared/data/wifi. What is judged is never what was calibrated on: mixtures are of other
phones, rooms of other days. The estimator itself was made looking at all of them: see docs/figures.md.
"""

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from itertools import combinations
from pathlib import Path

import numpy as np

from edge.processors.bursts import Burst, Window, Windows
from edge.processors.chains import Numbers
from edge.processors.estimate import UNCALIBRATED, Estimate, WifiCalibration, estimate
from edge.processors.fitting import Row, fit, levels, row, strong_dbm
from edge.processors.recorded import mean_people, read_people
from sensors.errors import FormatError
from sensors.readings import ProbeRequest, Silence
from sensors.wifi.capture import Packet, open_parser
from sensors.wifi.dot11 import ProbeParser
from sensors.wifi.source import CaptureSource

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "wifi"
WINDOW = 600.0
RUN = 1200.0
"""Seconds of a labelled recording: it is replayed in a ring from a random phase."""
SIZES = (5, 10, 20, 40)
TODAY = date(2026, 11, 25)
Run = tuple[str, list[Packet]]
"""A phone in one usage mode: its letter, and the packets of its channels, by time from 0."""


@dataclass(frozen=True)
class Sample:
    """One window, the true number, what a fit keeps of it, and what simpler methods would count."""

    window: Window
    truth: float
    row: Row
    addresses: int
    kinds: int


def samples(
    probes: Iterable[ProbeRequest], truth: Callable[[float], float | None], day: str, gate: int | None = None
) -> list[Sample]:
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
    return [
        Sample(w, n, row(w, n, day, WINDOW), len(addresses[w.start]), len(kinds[w.start]))
        for w in done
        if (n := truth(w.start)) is not None
    ]


def packets(path: Path) -> list[Packet]:
    """Every packet of a capture; none when it is of another link type."""
    data = path.read_bytes()
    try:
        return list(open_parser(data, path.name).feed(data))
    except FormatError:
        return []


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


def halves(letters: Iterable[str]) -> tuple[list[str], list[str]]:
    """Phones (or days) in two halves, by the hash of their name."""
    ordered = sorted(set(letters), key=lambda letter: sha256(letter.encode()).hexdigest())
    return ordered[: len(ordered) // 2], ordered[len(ordered) // 2 :]


def mixes(pool: Sequence[Run], size: int, number: int, seed: int) -> list[Sample]:
    """Both windows of ``number`` mixtures of ``size`` phones, drawn with repetition: phone, mode and phase at random.

    Each copy is another device: the last three bytes of its addresses are changed, by the same bits in every frame.
    """
    rng = random.Random(seed)  # noqa: S311  # a repeatable choice
    by_phone: dict[str, list[Run]] = defaultdict(list)
    for run in pool:
        by_phone[run[0]].append(run)
    result = []
    for each in range(number):
        merged: list[Packet] = []
        for _ in range(size):
            _, chosen = rng.choice(by_phone[rng.choice(sorted(by_phone))])
            phase, name = rng.random() * RUN, rng.getrandbits(24)
            merged += [
                ((when + phase) % RUN, link, _renamed(data, name), is_cut)
                for when, link, data, is_cut in chosen
                if when < RUN
            ]
        merged.sort(key=_moment)
        parse = ProbeParser().parse
        probes = (probe for packet in merged if (probe := parse(*packet)))
        result += samples(probes, lambda _: float(size), f"{size}-{seed}-{each}")
    return result


def _renamed(data: bytes, name: int) -> bytes:
    """A radiotap frame with the last three bytes of the sender's address changed by ``name``."""
    at = int.from_bytes(data[2:4], "little") + 13
    changed = int.from_bytes(data[at : at + 3], "big") ^ name
    return data[:at] + changed.to_bytes(3, "big") + data[at + 3 :]


Judged = list[tuple[Sample, Estimate, float]]
"""Windows with our estimate and DBSCAN's number."""


def judge(known: Sequence[Sample], other: Sequence[Sample]) -> Judged:
    """Calibrate on ``known``, count ``other``."""
    learnt = fit([sample.row for sample in known], "bench", TODAY)
    radius = min(RADII, key=lambda r: float(np.mean([abs(clusters(s, r) - s.truth) / s.truth for s in known])))
    return [(s, _estimated(s, learnt), clusters(s, radius)) for s in other]


def _estimated(sample: Sample, learnt: WifiCalibration) -> Estimate:
    number = estimate(sample.window, learnt, WINDOW)
    assert number is not None
    return number


RADII = (0.05, 0.1, 0.2, 0.5)
"""What DBSCAN is tried with on the calibration's mixtures, in the units of ``clusters``."""


def clusters(sample: Sample, radius: float) -> float:
    """DBSCAN over bursts, within kinds: sequence number / 4096 (a ring), strength / 20 dB; fixed addresses apart."""
    from sklearn.cluster import DBSCAN

    total = 0
    for part in sample.window.slices:
        groups: dict[bytes, list[Burst]] = defaultdict(list)
        fixed = set()
        for burst in part.bursts:
            if burst.randomised:
                groups[burst.kind].append(burst)
            else:
                fixed.add(burst.device)
        total += len(fixed)
        for group in groups.values():
            angle = np.array([burst.first for burst in group]) / 4096 * 2 * np.pi
            level = np.array([(burst.rssi_dbm or 0) / 20 for burst in group])
            points = np.column_stack([np.sin(angle) / 2 / np.pi, np.cos(angle) / 2 / np.pi, level])
            total += len(set(DBSCAN(eps=radius, min_samples=1).fit(points).labels_))
    return float(total)


def phones() -> None:
    """Mixtures of labelled phones, calibrated on mixtures of other phones."""
    everything = runs()
    letters = {phone for phone, _ in everything}
    chosen_on, held_back = halves(letters)
    print("mixtures of labelled phones with repetition, random phase, windows of ten minutes; mean absolute % error")
    print(f"constants were first compared within {' '.join(phone[-1] for phone in chosen_on)}")
    pool = {half: [run for run in everything if run[0] in which] for half, which in ((0, chosen_on), (1, held_back))}
    known = [s for size in SIZES for s in mixes(pool[0], size, 10, 1)]
    other = [s for size in SIZES for s in mixes(pool[1], size, 20, 2)]
    _table("calibrated on that half, judged on the other", judge(known, other))
    rng = random.Random(1)  # noqa: S311  # a repeatable choice
    judged: Judged = []
    for split in range(5):
        order = sorted(letters)
        rng.shuffle(order)
        for which in (set(order[::2]), set(order[1::2])):
            fitted = [run for run in everything if run[0] in which]
            rest = [run for run in everything if run[0] not in which]
            known = [s for size in SIZES for s in mixes(fitted, size, 5, 10 + split)]
            judged += judge(known, [s for size in SIZES for s in mixes(rest, size, 5, 100 + split)])
    _table("both halves of five random splits", judged)
    other = [s for size in SIZES for s in mixes(everything, size, 10, 3)]
    _table("no calibration", [(s, _estimated(s, UNCALIBRATED), float("nan")) for s in other])


def _table(name: str, judged: Judged) -> None:
    print(f"{name} ({len(judged)} windows)")
    print("  phones     ours   bias  interval holds  width | DBSCAN  fingerprints  addresses")
    for size in SIZES:
        of_size = [each for each in judged if each[0].truth == size]
        value = np.array([number.value for _, number, _ in of_size]) / size
        held = np.mean([number.low <= size <= number.high for _, number, _ in of_size])
        width = np.mean([number.high - number.low for _, number, _ in of_size]) / size
        others = [
            np.mean([abs(each - size) / size for each in numbers])
            for numbers in (
                [found for _, _, found in of_size],
                [sample.kinds for sample, _, _ in of_size],
                [sample.addresses for sample, _, _ in of_size],
            )
        ]
        print(
            f"  {size:6} {np.abs(value - 1).mean():8.1%} {value.mean():6.2f} {held:15.0%} {width:6.0%} |"
            f" {'-' if np.isnan(others[0]) else f'{others[0]:.0%}':>6} {others[1]:13.0%} {others[2]:10.0%}"
        )


Day = tuple[list[Sample], float | None]
"""The windows of a day, and how strong its strongest bursts were."""


def room() -> None:
    """A real room with people counted: calibrated on four days, judged on the other four."""
    days: dict[str, list[Sample]] = {}
    for path in sorted((DATA / "room_occupancy").glob("*.pcap")):
        with CaptureSource((path,)) as source:
            probes = [reading for reading in source if not isinstance(reading, Silence)]
            counted, _ = read_people(path.with_suffix("").with_suffix(".occupancy.csv"), "auto", source.spans)
        first, last = probes[0].time, probes[-1].time

        def truth(start: float, counted=counted, first=first, last=last) -> float | None:  # type: ignore[no-untyped-def]
            return mean_people(counted, start, WINDOW, last) if first <= start and start + WINDOW <= last else None

        days[path.stem] = samples(probes, truth, path.stem, -65)
    names = sorted(days)
    print("room of 0 to 18 people, fitted on four days, judged on the other four; simpler methods see -65 dBm or more")
    splits = {
        "2022 -> 2023": names[:4],
        "2023 -> 2022": names[4:],
        "even -> odd": names[::2],
        "odd -> even": names[1::2],
    }
    for name, fitted in splits.items():
        learnt = _fitted(days, fitted)
        shown = learnt.model_dump_json(include={"burst_interval_s", "scale", "offset", "rssi_gate_dbm", "spread"})
        print(f"{name}: {shown}")
        _report(_of(days, [day for day in names if day not in fitted], learnt))
    print("all 70 ways of choosing four days")
    found = [
        _figures(_of(days, [day for day in names if day not in fitted], _fitted(days, fitted)))
        for fitted in combinations(names, 4)
    ]
    for minutes, column in ((10, 0), (60, 3)):
        wape, r, held = np.array(found)[:, column : column + 3].T
        off = f"WAPE {wape.mean():.1%} (worst {wape.max():.1%})"
        print(f"  {minutes} min: {off}  r {r.mean():.2f}  interval holds {held.mean():.0%}")
    print("no calibration, all days")
    _report(_of(days, names, UNCALIBRATED))


def _fitted(days: dict[str, list[Sample]], fitted: Iterable[str]) -> WifiCalibration:
    known = [sample for day in fitted for sample in days[day]]
    return fit([s.row for s in known], "bench", TODAY, strong_dbm=strong_dbm(levels([s.window for s in known])))


Followed = list[tuple[Sample, Estimate]]


def _of(days: dict[str, list[Sample]], names: Iterable[str], learnt: WifiCalibration) -> Followed:
    return [(sample, _estimated(sample, learnt)) for day in names for sample in days[day]]


def _hours(followed: Followed, value: Callable[[Sample, Estimate], float]) -> Numbers:
    """Means of the windows of each clock hour of which all six are there."""
    hours: dict[float, list[float]] = defaultdict(list)
    for sample, number in followed:
        hours[sample.window.start // 3600].append(value(sample, number))
    return np.array([np.mean(each) for each in hours.values() if len(each) == 6])


def _figures(followed: Followed) -> tuple[float, ...]:
    """WAPE, r and share held of windows of 10 and of 60 minutes."""
    result: list[float] = []
    ways: tuple[Callable[[Followed, Callable[[Sample, Estimate], float]], Numbers], ...] = (
        lambda rows, value: np.array([value(*each) for each in rows]),
        _hours,
    )
    for of in ways:
        truth, value = of(followed, lambda s, _: s.truth), of(followed, lambda _, n: n.value)
        low, high = of(followed, lambda _, n: n.low), of(followed, lambda _, n: n.high)
        held = (low <= truth) & (truth <= high)
        result += [
            float(np.abs(value - truth).sum() / truth.sum()),
            float(np.corrcoef(value, truth)[0, 1]),
            float(held.mean()),
        ]
    return tuple(result)


def _report(followed: Followed) -> None:
    figures = _figures(followed)
    for minutes, (wape, r, held) in ((10, figures[:3]), (60, figures[3:])):
        print(f"  {minutes} min: WAPE {wape:.1%}  r {r:.2f}  interval holds {held:.0%}")
    truth = np.array([sample.truth for sample, _ in followed])
    for name, counts in (
        ("fingerprints", [sample.kinds for sample, _ in followed]),
        ("addresses", [sample.addresses for sample, _ in followed]),
    ):
        off, r = np.abs(np.array(counts) - truth).sum() / truth.sum(), np.corrcoef(counts, truth)[0, 1]
        print(f"  {name}, 10 min: WAPE {off:.0%}  r {r:.2f}")
