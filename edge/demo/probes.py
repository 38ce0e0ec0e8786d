"""The demonstration's Wi-Fi: a store day of simulated phones, made anew at each start.

The calibration beside this module was learnt on another simulated day: python -m tools.make_demo_calibration
"""

from pathlib import Path

from sensors.wifi.simulator import Phone, crowd, frames, write_capture

ARRIVALS_PER_HOUR = (12, 18, 26, 24, 20, 22, 26, 34, 42, 38, 26, 12)
"""From opening to closing: a quiet morning, a busy evening."""
SIMULATED_CALIBRATION = Path(__file__).parent / "simulated.calibration.json"
SEED = 20261122


def day(start: float, seed: int = SEED) -> list[Phone]:
    """Everybody of the store day that begins at ``start`` (epoch seconds)."""
    return crowd(start, ARRIVALS_PER_HOUR, seed)


def write_day(path: Path, start: float) -> None:
    """Write the capture of that day. Raises ``SourceError``."""
    write_capture(path, frames(day(start), start))
