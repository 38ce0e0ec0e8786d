"""Audits for tests, from a score over made-up crossings."""

import time
from pathlib import Path

from edge.audit.counting import Setup
from edge.audit.matching import Passing
from edge.audit.record import Heard, Keeper
from edge.audit.score import Score, score
from edge.processors.footfall import FootfallConfig, LineConfig
from sync.config import OutboxConfig

DOOR = LineConfig(name="door", start=(0.5, 0.1), end=(0.5, 0.9), entering="positive")
SETUP = Setup("camera-1", FootfallConfig(lines=(DOOR,)))
HEARD = Heard("store-manager", "taps", "ab" * 32, 1200.0, 1200.0, 1.0)


def result(people: int = 120, missed: int = 0) -> Score:
    seen = [Passing(10.0 * i, "door", "in") for i in range(people)]
    # Spread evenly over the recording.
    gone = {round((i + 0.5) * people / missed) for i in range(missed)}
    return score(seen, [one for i, one in enumerate(seen) if i not in gone])


def keeper(data: Path, store: str = "nanjing-road", now: float | None = None) -> Keeper:
    return Keeper(data, store, OutboxConfig(), time.time if now is None else lambda: now)
