import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.rfid_sessions import START, Score, ours_simulated
from edge.commands.rfid import rfid, tryons
from edge.demo.fitting_rooms import Scene, calibration_walk
from edge.processors.tryon_calibration import calibrate, calibrated, load
from edge.processors.tryons import TryOnConfig, sessions_of
from sensors.errors import SensorError

GAINS = (8.0, -6.0, 4.0, -8.0)


@pytest.mark.parametrize("seed", [201, 202])
def test_antennas_that_hear_unequally_are_told_right_after_a_walk_and_wrong_before(seed: int) -> None:
    scene = Scene(START, seed, wall_db=6.0, gains=GAINS)
    plain = TryOnConfig(rooms=scene.names())
    found = calibrate(calibration_walk(scene), plain)
    tuned = plain.model_copy(update={"offsets_db": found.offsets_db, "enter_room_dbm": found.enter_dbm})
    day = ours_simulated(seed, wall_db=6.0, gains=GAINS, seconds=2400)
    before, after = Score(), Score()
    before.add(day, lambda reads, _: sessions_of(reads, plain))
    after.add(day, lambda reads, _: sessions_of(reads, tuned))
    assert before.f1 < 0.6
    assert after.f1 > 0.9
    assert after.confused <= 0.02 * len(day.truth) + 1


def test_a_walk_that_left_a_room_out_is_refused_and_names_the_room() -> None:
    scene = Scene(START, 1, rooms=3)
    reads = [read for read in calibration_walk(scene) if read.antenna != 3]
    with pytest.raises(SensorError, match="room-3"):
        calibrate(reads, TryOnConfig(rooms=scene.names()))


def test_simulate_calibrate_and_tryons_go_together(tmp_path: Path) -> None:
    run = CliRunner().invoke
    reads, truth, walk, file = (str(tmp_path / name) for name in ("reads.jsonl", "truth.json", "walk.jsonl", "c.json"))
    options = ["--seed", "9", "--gains", "8,-6,0,3,0", "--trays", "1", "--hours", "0.3"]
    assert run(rfid, ["simulate", *options, "--out", reads, "--truth", truth]).exit_code == 0
    told = json.loads(Path(truth).read_text())
    assert {"visit", "tray"} <= {stay["kind"] for stay in told["stays"]}
    first = Path(reads).read_bytes()
    assert run(rfid, ["simulate", *options, "--out", reads, "--truth", truth]).exit_code == 0
    assert Path(reads).read_bytes() == first
    assert run(rfid, ["simulate", *options, "--walk", "--out", walk, "--truth", truth]).exit_code == 0
    rooms = ",".join(f"{n}:room-{n}" for n in range(1, 5))
    assert run(rfid, ["calibrate", walk, "--rooms", rooms, "--out", file]).exit_code == 0
    done = run(tryons, [reads, "--rooms", f"{rooms},5:tray-1", "--calibration", file, "--json"])
    assert done.exit_code == 0
    found = {(one["epc"], one["room"]) for one in json.loads(done.output)}
    true = {(one["epc"], one["room"]) for one in told["stays"]}
    assert len(true & found) >= 0.85 * len(true)


def test_a_damaged_calibration_is_refused_with_the_command_that_makes_one(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text("{")
    with pytest.raises(SensorError) as caught:
        load(tmp_path / "c.json")
    assert "rfid calibrate" in caught.value.fix
    with pytest.raises(SensorError):
        calibrated(TryOnConfig(rooms={1: "a"}, calibration=tmp_path / "none.json"))
