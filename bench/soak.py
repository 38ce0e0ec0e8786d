"""Eight hours of a box with four cameras and everything that goes wrong with them: does anything grow?

    python -m bench.soak [--hours 8] [--cameras 4] [--seed 1] [--size 224]        (make soak)

The box's own loops, processors, gated detector, outbox and heartbeat, on a simulated clock that jumps when everybody
waits: eight hours pass in minutes, and the same seed gives the same run. All cameras but the last are drawn (people cut
out of the shipped clip); the last one reads video files through FFmpeg and opens one every few minutes. Every minute
the outbox is confirmed, as a centre would, and memory, threads, descriptors and the outbox are measured.

Prints what grew after the warm-up (an hour, or a sixth of a shorter run), who was counted, which minutes are covered,
and how soon each fault was told. Then the first hour runs again without the faults of the first camera: the others'
events must be the same. Exit code 1 when memory grew by more than 5 %, threads or descriptors at all, a blind minute
claims to be covered or a good one is not, a fault was never told or never over, over 5 % of the crossings in good
pictures were missed, or one camera's faults changed another's events.
"""

import argparse
import gc
import logging
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

from bench import soak_judge as judge
from bench.soak_cameras import DrawnCamera, FilmCamera, films
from bench.soak_faults import Plan, plan
from bench.soak_shop import traffic
from bench.soak_time import SteppedStop, SteppedTime
from edge.processors.footfall import FootfallConfig, FootfallProcessor
from edge.runtime import Heartbeat, SensorLoop
from models.config import DetectorConfig, ModelsConfig
from models.gate import GatedDetector, open_gated
from sync.config import OutboxConfig
from sync.events import Event, FootfallMinute, Health, Visit
from sync.outbox import Outbox, OutboxError

START = 1_795_564_800.0
"""Midnight (UTC) of 25 November 2026."""
AN_HOUR = 40.0
"""People a camera sees in an hour."""
COUNTING = FootfallConfig.model_validate(
    {
        "lines": [{"name": "door", "start": (0.46, 0.05), "end": (0.46, 0.95), "entering": "positive"}],
        "zones": [{"name": "shelf", "polygon": [(0.55, 0.2), (1, 0.2), (1, 1), (0.55, 1)], "minimum_seconds": 1.0}],
    }
)
GROWTH = 0.05
"""Share by which memory may grow after the warm-up."""
COUNTED = 0.95
"""Share of the crossings in good pictures that must be counted: a box that sees and does not count is no box."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement: bytes in memory, and what else could grow."""

    elapsed: float
    memory: int
    threads: int
    descriptors: int
    outbox_bytes: int
    outbox_rows: int
    objects: int


class Ledger:
    """The real outbox, which refuses while the plan says so; notes what was accepted, in elapsed seconds."""

    def __init__(self, outbox: Outbox, time: SteppedTime, plan: Plan, names: Sequence[str]) -> None:
        self.seen = {name: judge.Seen() for name in names}
        self.refused = 0
        self._outbox = outbox
        self._time = time
        self._plan = plan

    def put(self, events: Sequence[Event]) -> None:
        """As ``Outbox.put``."""
        if any(first <= self._time.elapsed < last for first, last in self._plan.refusals):
            self.refused += 1
            raise OutboxError("no space left for the outbox", "free disk space; it resumes itself")
        self._outbox.put(events)
        for event in events:
            self._note(event, self.seen[event.sensor])

    def _note(self, event: Event, seen: judge.Seen) -> None:
        data = event.data
        if isinstance(data, Visit):
            moment = event.time.timestamp() - self._time.start - self._time.ahead
            seen.visits.append((moment, data.direction))
        elif isinstance(data, FootfallMinute) and data.place == "door":
            seen.coverage[round((data.minute.timestamp() - START) / 60)] = data.coverage
        elif isinstance(data, Health) and (not seen.told or seen.told[-1][1:] != (data.state, data.reason)):
            seen.told.append((self._time.elapsed, data.state, data.reason))


@dataclass
class Run:
    """One simulated run and what came of it."""

    plan: Plan
    seconds: float
    ledger: Ledger
    cameras: list[judge.Camera] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    dropped: int = 0
    looks: int = 0
    pictures: int = 0

    def digests(self, until: float) -> dict[str, str]:
        """Of each camera's events up to then; the last minutes before it may still be restated."""
        minutes = {minute for minute in judge.usable_minutes(self.plan, until) if 60 * minute < until - 300}
        return {name: seen.digest(until - 300, minutes) for name, seen in self.ledger.seen.items()}


def simulate(
    folder: Path, seed: int, seconds: float, cameras: int, *, size: int, brisk: bool = False, healthy: int | None = None
) -> Run:
    """Run a box with so many cameras for ``seconds`` of its time. ``healthy``: a camera that is spared its faults."""
    planned = plan(seed, seconds, cameras, brisk=brisk, healthy=healthy)
    names = [f"door-{number + 1}" for number in range(cameras)]
    clock = SteppedTime(START, cameras + 2, planned.jumps)
    stop = SteppedStop(clock)
    with Outbox(folder / "outbox.db", "soak", OutboxConfig(keep_confirmed_days=0.02), clock.now) as outbox:
        run = Run(planned, seconds, Ledger(outbox, clock, planned, names))
        walkers = [traffic(np.random.default_rng((seed, 100 + number)), seconds, AN_HOUR) for number in range(cameras)]
        film = FilmCamera((seed, 300), clock, films(folder, seed), healthy=healthy == cameras - 1)
        opened: list[DrawnCamera | FilmCamera] = [
            DrawnCamera((seed, 200 + number), clock, walkers[number], planned.faults[number])
            for number in range(cameras - 1)
        ]
        detectors = [open_gated(ModelsConfig(detector=DetectorConfig(size=size))) for _ in names]
        loops = [
            _loop(name, source, detector, run.ledger, clock, seed)
            for name, source, detector in zip(names, [*opened, film], detectors, strict=True)
        ]
        heart = Heartbeat([loop.status for loop in loops], run.ledger, clock.now)
        bodies: list[Callable[[], object]] = [lambda loop=loop: loop.run(stop) for loop in loops]  # type: ignore[misc]
        bodies += [lambda: heart.run(stop), lambda: _watch(run, outbox, clock, stop)]
        _together(bodies, clock, stop)
        run.dropped = sum(loop.status.dropped for loop in loops)
    run.looks, run.pictures = (sum(getattr(each, what) for each in detectors) for what in ("looks", "pictures"))
    truths = zip(names[:-1], walkers, planned.faults, strict=False)
    run.cameras = [judge.drawn(name, way, faults, planned, seconds) for name, way, faults in truths]
    run.cameras.append(judge.filmed(names[-1], film.plays, planned, seconds))
    return run


def _loop(
    name: str,
    source: DrawnCamera | FilmCamera,
    detector: GatedDetector,
    ledger: Ledger,
    clock: SteppedTime,
    seed: int,
) -> SensorLoop:
    processor = FootfallProcessor(name, COUNTING, detector)
    jitter = random.Random(f"{seed} {name}")  # noqa: S311  # jitter, and the same in every run
    return SensorLoop(name, source, processor, ledger, clock.now, stale_after=10.0, rng=jitter)


def _together(bodies: Sequence[Callable[[], object]], clock: SteppedTime, stop: SteppedStop) -> None:
    """Each in its thread, until all have ended; one that fails ends the others and is raised here."""
    failures: list[BaseException] = []

    def run(body: Callable[[], object]) -> None:
        try:
            body()
        except BaseException as error:  # noqa: BLE001  # raised below, in the caller's thread
            failures.append(error)
            stop.set()
        finally:
            clock.leave()

    threads = [threading.Thread(target=run, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _watch(run: Run, outbox: Outbox, clock: SteppedTime, stop: SteppedStop) -> None:
    """Every minute: confirm as a centre would, and measure."""
    while clock.elapsed < run.seconds and not stop.wait(60.0):
        outbox.confirm(outbox.last())
        outbox.prune()
        gc.collect()
        status = outbox.status()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        run.samples.append(
            Sample(
                clock.elapsed,
                pages * os.sysconf("SC_PAGE_SIZE"),
                threading.active_count(),
                len(list(Path("/proc/self/fd").iterdir())),
                status.bytes_used,
                status.last - status.first + 1,
                len(gc.get_objects()),
            )
        )
        if clock.elapsed % 3600 == 0:
            _say(run.samples[-1])
    stop.set()


def _say(sample: Sample) -> None:
    print(
        f"{sample.elapsed / 3600:4.0f} h  {sample.memory / 1e6:7.1f} MB  {sample.threads} threads  "
        f"{sample.descriptors} descriptors  outbox {sample.outbox_rows} rows, {sample.outbox_bytes / 1e6:.1f} MB  "
        f"{sample.objects} objects",
        flush=True,
    )


@dataclass(frozen=True, slots=True)
class Growth:
    """After the warm-up: share by which memory grew, its slope in bytes an hour, and by how many the others grew."""

    memory: float
    slope: float
    threads: int
    descriptors: int
    outbox: float
    objects: float


def growth(samples: Sequence[Sample], seconds: float) -> Growth:
    """The last third of what comes after the warm-up against its first third."""
    warm = min(3600.0, seconds / 6)
    kept = [sample for sample in samples if sample.elapsed > warm]
    first, last = kept[: len(kept) // 3], kept[-(len(kept) // 3) :]

    def share(what: str) -> float:
        before, after = (median(float(getattr(sample, what)) for sample in part) for part in (first, last))
        return float(after / before - 1)

    def more(what: str) -> int:
        # A camera that is lost at the moment has no thread or file less for ever: the largest number counts.
        return int(max(getattr(s, what) for s in last) - max(getattr(s, what) for s in first))

    slope = float(np.polyfit([s.elapsed / 3600 for s in kept], [s.memory for s in kept], 1)[0])
    return Growth(share("memory"), slope, more("threads"), more("descriptors"), share("outbox_rows"), share("objects"))


def verdict(run: Run) -> list[str]:
    """What is wrong with a run, in sentences; prints what was measured."""
    wrong = _grown(run)
    usable = judge.usable_minutes(run.plan, run.seconds - 300)
    counted: Counter[tuple[str, str]] = Counter()
    found: dict[str, list[judge.Finding]] = {}
    blind = well = 0
    for camera in run.cameras:
        seen = run.ledger.seen[camera.name]
        counted += judge.crossings(seen, camera)
        minutes = judge.minutes(seen, camera, usable)
        blind, well = blind + minutes.blind, well + minutes.well
        wrong += [f"{camera.name}: minute {minute} was blind and claims to be covered" for minute in minutes.claimed]
        wrong += [f"{camera.name}: minute {minute} was well and is not covered" for minute in minutes.lost]
        for finding in judge.findings(seen, camera, run.plan.shaken(), run.seconds):
            found.setdefault(finding.fault.kind, []).append(finding)
    print(f"minutes blind in whole or in part: {blind}; well: {well}; wrong: {sum('minute' in text for text in wrong)}")
    print("crossings, correct/false/missed: " + ", ".join(
        f"{name} " + "/".join(str(counted[name, what]) for what in ("correct", "false", "missed"))
        for name in sorted({name for name, _ in counted})
    ))  # fmt: skip
    for kind, list_ in sorted(found.items()):
        after = [one.found_after for one in list_ if one.found_after is not None]
        wrong += [f"{kind} at {one.fault.start:.0f} s was never told" for one in list_ if one.found_after is None]
        wrong += [f"{kind} at {one.fault.start:.0f} s was never over" for one in list_ if one.over_after is None]
        if after:
            print(
                f"{kind}: {len(after)} of {len(list_)} told, after {median(after):.0f} s (at most {max(after):.0f} s)"
            )
    return wrong


def _grown(run: Run) -> list[str]:
    grown = growth(run.samples, run.seconds)
    print(
        f"after the warm-up: memory {grown.memory:+.2%} ({grown.slope / 1e6:+.3f} MB an hour), threads "
        f"{grown.threads:+d}, descriptors {grown.descriptors:+d}, outbox rows {grown.outbox:+.1%}, "
        f"objects {grown.objects:+.1%}"
    )
    print(f"{run.pictures} pictures, {run.looks / run.pictures:.0%} looked at, {run.dropped} dropped, "
          f"{run.ledger.refused} times refused by the outbox")  # fmt: skip
    wrong = [f"memory grew by {grown.memory:.1%}"] if grown.memory > GROWTH else []
    wrong += [f"{grown.threads} threads more"] if grown.threads > 0 else []
    return wrong + ([f"{grown.descriptors} descriptors more"] if grown.descriptors > 0 else [])


def apart(long: Run, spared: Run) -> list[str]:
    """Cameras but the first whose events differ between a run and one in which the first one is spared."""
    until = min(long.seconds, spared.seconds)
    one, two = long.digests(until), spared.digests(until)
    print(f"the first {until / 60:.0f} minutes with and without the faults of the first camera: " + ", ".join(
        f"{name} {'the same' if one[name] == two[name] else 'differs'}" for name in one
    ))  # fmt: skip
    first, *others = one
    return [f"{name} changed with the faults of {first}" for name in others if one[name] != two[name]]


def main() -> None:
    """Parse arguments, run, print, judge."""
    parser = argparse.ArgumentParser(description="Eight hours of four cameras with faults: does anything grow?")
    parser.add_argument("--hours", type=float, default=8.0, help="of the box's time, at least 0.5")
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=224, help="long side of the network's input (small: for speed)")
    options = parser.parse_args()
    if options.hours < 0.5 or options.cameras < 2:
        parser.error("at least half an hour and two cameras")
    # What the loops log of each fault is expected here.
    logging.disable(logging.ERROR)
    seconds, began = options.hours * 3600, time.monotonic()
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        run = simulate(Path(one), options.seed, seconds, options.cameras, size=options.size)
        print(
            f"{options.hours:g} h in {(time.monotonic() - began) / 60:.1f} min, CPU {time.process_time() / 60:.1f} min"
        )
        wrong = verdict(run)
        short = min(seconds, 3600.0)
        spared = simulate(Path(two), options.seed, short, options.cameras, size=options.size, healthy=0)
    wrong += apart(run, spared)
    print("\n".join(wrong) or "nothing grew, nothing was claimed that was not seen")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
