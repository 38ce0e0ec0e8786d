"""Learn the calibration of the demonstration's simulated Wi-Fi, on a day that the demonstration does not show.

python -m tools.make_demo_calibration
"""

import tempfile
from datetime import date
from pathlib import Path

from edge.demo.probes import ARRIVALS_PER_HOUR, SEED, SIMULATED_CALIBRATION, day
from edge.processors.recorded import Day, learn
from sensors.wifi.simulator import frames, people_inside, write_capture, write_truth

START = 10 * 3600.0


def main() -> None:
    """Write ``edge/demo/simulated.calibration.json``."""
    phones = day(START, SEED + 1)
    with tempfile.TemporaryDirectory() as name:
        capture, truth = Path(name) / "day.pcap", Path(name) / "day.csv"
        write_capture(capture, frames(phones, START))
        write_truth(truth, people_inside(phones, START, START + 3600 * len(ARRIVALS_PER_HOUR)))
        learnt = learn([Day((capture,), truth)], 600, "UTC").calibration
    about = {"fitted_on": "another simulated day", "date": date(2026, 11, 25)}
    text = learnt.model_copy(update=about).model_dump_json(indent=2)
    SIMULATED_CALIBRATION.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
