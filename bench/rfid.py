"""RFID figures: ``python -m bench.rfid [decode|sustained|epc|calibration|sessions]``, all of them without a name.

Decoding beside sllurp and llrpkit, EPCs beside epcpy and pyepc, try-on sessions beside "seen in the last 5 s" and SMURF
with the strongest antenna. Constants were chosen on seeds 1 to 5 of either simulation; what is printed comes from seeds
101 on. The outside judge is ../shared/tools/tryon_noise_model.py, by others, where it is present. CPU time. Both
simulations are engineering assumptions: real rooms have to be measured.
"""

import argparse
import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from bench import rfid_decoding, rfid_epc
from bench.rfid_decoding import SHARED
from bench.rfid_sessions import METHODS, START, Day, Score, ours_simulated, outside_simulated
from edge.demo.fitting_rooms import Scene, calibration_walk
from edge.processors.tryon_calibration import calibrate
from edge.processors.tryons import TryOnConfig, sessions_of

CALIBRATED_ON: Final = range(1, 6)
FIRST_REPORTED: Final = 101
WORST: Final[dict[str, dict[str, Any]]] = {
    "nominal": {},
    "4 dB curtain, shadows, read rate 0.5": {"att_wall": 4.0, "pshadow": 0.45, "rr": 0.5, "worn_loss": 12.0},
    "4 dB curtain, shadows, read rate 0.35": {"att_wall": 4.0, "pshadow": 0.4, "rr": 0.35},
    "4 dB curtain, shadows half of the time, crowded": {"att_wall": 4.0, "pshadow": 0.5, "rr": 0.6, "lam": 0.03},
}
"""Parameters of the outside judge; its rack of 40 tags beside room 1 is always there."""
OURS: Final[dict[str, dict[str, Any]]] = {
    "nominal": {},
    "left behind, changes of room, trays": {"left_share": 0.15, "change_share": 0.15, "trays": 2},
    "4 dB walls, shadows, read rate 0.4": {"wall_db": 4.0, "shadow_share": 0.4, "read_rate": 0.4},
    "the same, with a floor antenna": {"wall_db": 4.0, "shadow_share": 0.4, "read_rate": 0.4, "floor_antenna": True},
}


def judge(name: str, seeds: range, day_of: Callable[[int], Day], methods: tuple[str, ...]) -> None:
    """Print one line per method over all seeds; each day is made once."""
    scores = {method: Score() for method in methods}
    for seed in seeds:
        day = day_of(seed)
        for method, score in scores.items():
            score.add(day, METHODS[method])
    for method, score in scores.items():
        print(f"{name} | {method} | {score.line()}", flush=True)


def sessions(seeds: range) -> None:
    """Three methods on the mixes of both simulations."""
    methods = tuple(METHODS)
    for name, scene in OURS.items():
        judge(f"our simulation, {name}", seeds, lambda seed, s=scene: ours_simulated(seed, **s), methods)  # type: ignore[misc]
    if (model := _outside()) is None:
        print("outside judge: ../shared/tools/tryon_noise_model.py is not here")
        return
    for name, scene in WORST.items():
        judge(
            f"outside judge, {name}",
            seeds,
            lambda seed, s=scene: outside_simulated(model, seed, T=5400, **s),  # type: ignore[misc]
            methods,
        )


def calibration(seeds: range) -> None:
    """Antennas that hear 8 dB better and worse than each other, before and after a calibration walk."""
    gains = (8.0, -6.0, 4.0, -8.0)
    before, after = Score(), Score()
    for seed in seeds:
        scene = Scene(START, seed, wall_db=6.0, gains=gains)
        plain = TryOnConfig(rooms=scene.names())
        found = calibrate(calibration_walk(scene), plain)
        tuned = plain.model_copy(update={"offsets_db": found.offsets_db, "enter_room_dbm": found.enter_dbm})
        day = ours_simulated(seed, wall_db=6.0, gains=gains)
        before.add(day, lambda reads, _, c=plain: sessions_of(reads, c))  # type: ignore[misc]
        after.add(day, lambda reads, _, c=tuned: sessions_of(reads, c))  # type: ignore[misc]
    print(f"antennas +8 -6 +4 -8 dB | as they are | {before.line()}")
    print(f"antennas +8 -6 +4 -8 dB | calibrated | {after.line()}", flush=True)


def _outside() -> ModuleType | None:
    path = SHARED / "tools" / "tryon_noise_model.py"
    spec = importlib.util.spec_from_file_location("tryon_noise_model", path) if path.exists() else None
    if spec is None or spec.loader is None:
        return None
    model = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(model)
    return model


def main() -> None:
    """Print the figures asked for."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("part", nargs="?", choices=("decode", "sustained", "epc", "sessions", "calibration"))
    arguments.add_argument("--seeds", type=int, default=3, help="how many")
    arguments.add_argument("--first", type=int, default=FIRST_REPORTED, help="seed")
    arguments.add_argument("--peers", default=sys.executable, help="an interpreter that has the peers' packages")
    arguments.add_argument("--trips", type=int, default=1_000_000, help="random EPC round trips")
    given = arguments.parse_args()
    seeds = range(given.first, given.first + given.seeds)
    assert not set(seeds) & set(CALIBRATED_ON)
    parts: dict[str, Callable[[], None]] = {
        "decode": lambda: rfid_decoding.compare(given.peers),
        "sustained": rfid_decoding.sustained,
        "epc": lambda: rfid_epc.main(given.peers, given.trips),
        "calibration": lambda: calibration(seeds),
        "sessions": lambda: sessions(seeds),
    }
    for name, part in parts.items():
        if given.part in (None, name):
            part()


if __name__ == "__main__":
    main()
