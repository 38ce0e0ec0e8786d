"""The endurance run in its short form, and the simulated time that it stands on."""

import threading
from pathlib import Path

import pytest

from bench import soak
from bench.soak_cameras import Film, FilmCamera, Play
from bench.soak_faults import LONG, plan
from bench.soak_judge import Camera, Seen, crossings, filmed, minutes
from bench.soak_time import SteppedStop, SteppedTime

MINUTES = 8


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[soak.Run, soak.Run]:
    """Eight minutes of two drawn cameras and one that reads files, with faults; and without those of the first."""
    with_faults, spared = (tmp_path_factory.mktemp(name) for name in ("all", "spared"))
    return (
        soak.simulate(with_faults, 3, 60.0 * MINUTES, 3, size=160, brisk=True),
        soak.simulate(spared, 3, 60.0 * MINUTES, 3, size=160, brisk=True, healthy=0),
    )


def test_eight_minutes_with_faults_leave_no_thread_and_no_descriptor_behind(runs: tuple[soak.Run, soak.Run]) -> None:
    run, _ = runs
    assert len(run.samples) == MINUTES
    grown = soak.growth(run.samples, run.seconds)
    assert (grown.threads, grown.descriptors) == (0, 0)
    assert grown.objects < 0.05
    assert threading.active_count() < run.samples[-1].threads


def test_eight_minutes_with_faults_count_and_claim_what_was_seen_and_tell_each_fault(
    runs: tuple[soak.Run, soak.Run],
) -> None:
    run, _ = runs
    # Memory needs longer to judge: other sizes of pictures, and a process that has just begun.
    assert [text for text in soak.verdict(run) if "memory" not in text] == []
    assert {fault.kind for camera in run.cameras for fault in camera.faults if fault.start < 400} >= {"larger"}
    assert sum(len(seen.visits) for seen in run.ledger.seen.values()) > 20
    assert run.ledger.refused > 0


def test_the_faults_of_one_camera_change_nothing_in_the_events_of_the_others(runs: tuple[soak.Run, soak.Run]) -> None:
    run, spared = runs
    assert soak.apart(run, spared) == []
    first = "door-1"
    assert run.digests(run.seconds)[first] != spared.digests(run.seconds)[first]


def test_memory_that_grows_and_a_thread_more_are_seen() -> None:
    leaking = [soak.Sample(60.0 * n, 100_000_000 + 100_000 * n, 7, 12, 0, 10, 1000) for n in range(480)]
    grown = soak.growth(leaking, 28_800.0)
    assert grown.memory > soak.GROWTH
    assert grown.slope == pytest.approx(6_000_000)
    one_more = [soak.Sample(60.0 * n, 1, 7 + (n > 400), 12 + (n > 430), 0, 10, 1000) for n in range(480)]
    assert soak.growth(one_more, 28_800.0).threads == 1
    assert soak.growth(one_more, 28_800.0).descriptors == 1


def test_a_minute_that_claims_what_was_blind_and_a_crossing_too_many_are_seen() -> None:
    camera = Camera("cam", [(30.0, "in"), (200.0, "out")], [], [(60.0, 120.0)], [(55.0, 125.0)])
    seen = Seen([(30.5, "in"), (40.0, "in")], {0: 60.0, 1: 30.0, 2: 60.0, 3: 20.0})
    judged = minutes(seen, camera, {0, 1, 2, 3})
    assert (judged.claimed, judged.lost) == ([1], [3])
    assert crossings(seen, camera) == {("well", "correct"): 1, ("well", "false"): 1, ("well", "missed"): 1}


def test_a_longer_plan_begins_as_a_shorter_one_and_holds_every_kind_of_fault() -> None:
    short, long = plan(1, 3600.0, 4), plan(1, 28_800.0, 4)
    for one, two in zip(short.faults, long.faults, strict=True):
        assert list(one) == list(two)[: len(one)]
    assert {fault.kind for faults in long.faults for fault in faults} == set(LONG)
    assert plan(1, 3600.0, 4, healthy=2).faults[2] == []


def test_threads_that_sleep_in_simulated_time_wake_in_order_and_never_wait_for_the_clock_on_the_wall() -> None:
    time, woken, lock = SteppedTime(1000.0, 3, [(7.0, 8.0, 3600.0)]), list[tuple[float, float]](), threading.Lock()
    stop = SteppedStop(time)

    def sleeper(period: float) -> None:
        while not stop.wait(period) and time.elapsed < 86_400:
            with lock:
                woken.append((time.elapsed, time.now()))
        time.leave()

    threads = [threading.Thread(target=sleeper, args=(period,)) for period in (7.0, 1000.0, 5000.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    assert [elapsed for elapsed, _ in woken] == sorted(elapsed for elapsed, _ in woken)
    assert woken[0] == (7.0, 1000.0 + 7.0 + 3600.0)
    assert len(woken) > 86_400 // 7


def test_what_a_camera_of_files_should_have_counted_follows_from_what_ran(tmp_path: Path) -> None:
    camera = FilmCamera((1, 1), SteppedTime(0.0, 1), [Film(tmp_path / "a", ()), Film(tmp_path / "b", ())], healthy=True)
    camera.plays += [Play(Film(tmp_path / "a", ()), 0.0, 100.0), Play(Film(tmp_path / "b", ()), 103.0, 200.0)]
    truth = filmed("cam", camera.plays, plan(1, 0.0, 1), 200.0)
    assert truth.blind == [(100.0, 103.0)]
    assert truth.condition(50.0) == "well"
    assert truth.condition(101.0) is None
