import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.processors.bursts import MAX_ADDRESSES, MAX_BURSTS, Window, Windows, cut
from edge.processors.devices import DevicesConfig, DevicesProcessor
from edge.processors.estimate import UNCALIBRATED, WifiCalibration, estimate
from edge.processors.fitting import fit, row
from sensors.errors import FormatError
from sensors.readings import ProbeRequest
from sensors.wifi.hashing import ROTATION_SECONDS
from sync.events import DevicesWindow, Event

SITE = WifiCalibration(
    burst_interval_s=60.0,
    rssi_gate_dbm=-65,
    spread=0.25,
    fitted_on="a test",
    date=date(2026, 1, 1),
)
START = 1_700_000_400.0  # a multiple of 600


def seen(
    time: float, device: int, *, kind: int = 0, sequence: int = 0, fixed: bool = False, rssi: int = -50
) -> ProbeRequest:
    name = device.to_bytes(8, "big")
    return ProbeRequest(time, name, kind.to_bytes(8, "big"), sequence, not fixed, rssi, 6)


def phone(
    number: int, *, start: float = START, seconds: float = 600, every: float = 60, rssi: int = -50
) -> list[ProbeRequest]:
    """A phone that takes a new address for each burst of two frames, at times of its own."""
    offset = (number * 37.7) % every
    times = [offset + every * step * (1 + 0.01 * (number % 7)) for step in range(math.ceil(seconds / every))]
    return [
        seen(
            start + time + pause,
            number * 10_000 + step,
            kind=number,
            sequence=(step * 900 + int(pause * 10)) % 4096,
            rssi=rssi,
        )
        for step, time in enumerate(times)
        for pause in (0.0, 0.3)
        if time + pause < seconds
    ]


def windows(probes: Iterable[ProbeRequest], seconds: float = 600) -> list[Window]:
    running = Windows(seconds)
    done = [window for probe in sorted(probes, key=lambda probe: probe.time) for window in running.add(probe)]
    return [*done, *running.end()]


def data(events: Sequence[Event]) -> list[DevicesWindow]:
    return [event.data for event in events if isinstance(event.data, DevicesWindow)]


def run(processor: DevicesProcessor, probes: Iterable[ProbeRequest], until: float) -> list[DevicesWindow]:
    events: list[Event] = list(processor.flush(START))
    for probe in sorted(probes, key=lambda probe: probe.time):
        events += processor.process(probe)
    events += processor.flush(until)
    return data(events)


@pytest.fixture
def calibrated(tmp_path: Path) -> DevicesProcessor:
    path = tmp_path / "site.json"
    path.write_text(SITE.model_dump_json())
    return DevicesProcessor("wifi", DevicesConfig(calibration=path))


def test_a_scan_over_several_channels_is_one_burst() -> None:
    (window,) = windows([seen(START + pause, 1) for pause in (0, 0.02, 0.9, 1.4, 5.9)])
    assert (window.bursts, window.frames) == (1, 5)


def test_a_phone_that_changes_its_address_within_a_scan_is_one_burst() -> None:
    (window,) = windows([seen(START + 0.1 * step, step, sequence=step * 500 % 4096) for step in range(8)])
    assert window.bursts == 1
    (window,) = windows([seen(START + 2.0 * step, step, sequence=4090 + step * 9 & 4095) for step in range(4)])
    assert window.bursts == 1


def test_two_phones_of_one_kind_whose_numbers_do_not_go_on_are_two_bursts() -> None:
    (window,) = windows([seen(START, 1, sequence=100), seen(START + 2, 2, sequence=3000)])
    assert window.bursts == 2


def test_phones_of_different_kinds_are_never_one_burst() -> None:
    (window,) = windows([seen(START, 1, kind=1), seen(START + 0.1, 2, kind=2)])
    assert window.bursts == 2


def test_windows_begin_at_multiples_of_their_length_since_the_epoch() -> None:
    found = windows([seen(START + 599.9, 1), seen(START + 600, 2), seen(START + 2500, 3)])
    assert [window.start - START for window in found] == [0, 600, 2400]


def test_a_frame_that_is_a_little_late_counts_in_the_running_window() -> None:
    running = Windows(600)
    assert not list(running.add(seen(START + 600, 1)))
    assert not list(running.add(seen(START + 599.5, 2, kind=2)))
    (window,) = running.end()
    assert (window.start, window.bursts) == (START + 600, 2)


def test_a_clock_that_is_set_back_begins_anew_there() -> None:
    running = Windows(600)
    assert not list(running.add(seen(START + 7200, 1)))
    (window,) = running.add(seen(START, 2))
    assert window.start == START + 7200
    assert [window.start for window in running.end()] == [START]


@given(start=st.integers(0, 10**6).map(lambda n: n * 60.0), seconds=st.sampled_from([60.0, 600.0, 900.0, 3600.0]))
def test_a_window_is_cut_wherever_the_salt_changes_and_nowhere_else_is_lost(start: float, seconds: float) -> None:
    parts = cut(start, seconds)
    assert (parts[0].start, parts[-1].end) == (start, start + seconds)
    for part, after in pairwise(parts):
        assert part.end == after.start
        assert part.end % ROTATION_SECONDS == 0
    for part in parts:
        assert part.start // ROTATION_SECONDS == math.ceil(part.end / ROTATION_SECONDS) - 1


@pytest.mark.parametrize("seconds", [600.0, 900.0, 1800.0, 3600.0])
def test_phones_that_stay_while_the_salt_rotates_are_not_counted_twice(seconds: float) -> None:
    begin = 1_700_000_000.0 // 3600 * 3600
    random = [probe for number in range(30) for probe in phone(number, start=begin, seconds=3600)]
    fixed = [
        seen(begin + 20 * step + number, number, kind=99, fixed=True) for step in range(180) for number in range(10)
    ]
    # What the salt does: every pseudonym of one period differs from those of the next.
    salted = [
        probe._replace(device=probe.device + bytes([int(probe.time // ROTATION_SECONDS) % 256]))
        for probe in random + fixed
    ]
    for window in windows(salted, seconds):
        number = estimate(window, SITE, seconds)
        assert number is not None
        assert number.value == pytest.approx(40, rel=0.1)


def test_more_devices_give_a_larger_estimate_inside_its_interval() -> None:
    values = []
    for count in (3, 10, 30):
        (window,) = windows(probe for number in range(count) for probe in phone(number))
        number = estimate(window, SITE, 600)
        assert number is not None
        assert number.low <= number.value <= number.high
        values.append(number.value / count)
    assert values == pytest.approx([1.0, 1.0, 1.0], rel=0.1)


def test_a_kind_heard_throughout_is_at_least_one_phone_and_one_like_clockwork_is_one() -> None:
    (rare,) = windows([seen(START + time, number) for number, time in enumerate((20, 300, 590))])
    (clockwork,) = windows([seen(START + 15.0 * step, step, sequence=step * 800 % 4096) for step in range(40)])
    found = [estimate(window, SITE, 600) for window in (rare, clockwork)]
    assert [number.value for number in found if number] == pytest.approx([1.0, 1.0], abs=0.15)


def test_a_fixed_address_counts_for_the_time_it_was_there() -> None:
    (window,) = windows([seen(START + 100 + 10 * step, 1, fixed=True) for step in range(31)])
    number = estimate(window, SITE.model_copy(update={"burst_interval_s": 5.0}), 600)
    assert number is not None
    assert number.value == pytest.approx(0.5, abs=0.02)


def test_a_window_without_bursts_does_not_exclude_a_phone_that_was_silent() -> None:
    number = estimate(Window(START, 600, cut(START, 600)), SITE, 600)
    assert number is not None
    assert (number.value, number.low) == (0, 0)
    assert number.high > 0


def test_a_window_that_was_hardly_observed_has_no_estimate_and_half_of_one_has() -> None:
    (window,) = windows(probe for number in range(10) for probe in phone(number, start=START + 300, seconds=300))
    assert estimate(window, SITE, 299) is None
    half = estimate(window, SITE, 300)
    assert half is not None
    assert half.value == pytest.approx(10, rel=0.15)


def test_a_flood_of_addresses_is_withdrawn_and_costs_bounded_memory() -> None:
    running = Windows(600)
    for number in range(MAX_BURSTS + 10):
        assert not list(running.add(seen(START + 600 * number / (MAX_BURSTS + 10), number, kind=number)))
    (window,) = running.end()
    assert window.bursts == MAX_BURSTS
    assert window.frames == MAX_BURSTS + 10
    assert estimate(window, SITE, 600) is None


def test_an_event_tells_inside_and_passing_apart(calibrated: DevicesProcessor) -> None:
    inside = [probe for number in range(12) for probe in phone(number)]
    outside = [probe for number in range(100, 120) for probe in phone(number, rssi=-80)]
    (window,) = run(calibrated, inside + outside, START + 600)
    assert window.inside is not None
    assert window.passing is not None
    assert window.withheld is None
    assert window.inside.value == pytest.approx(12, rel=0.15)
    assert window.passing.value == pytest.approx(20, rel=0.15)
    assert window.frames == len(inside + outside)


def test_a_number_under_five_never_leaves_nor_can_it_be_worked_out(calibrated: DevicesProcessor) -> None:
    inside = [probe for number in range(2) for probe in phone(number)]
    outside = [probe for number in range(100, 120) for probe in phone(number, rssi=-80)]
    (window,) = run(calibrated, inside + outside, START + 600)
    assert (window.inside, window.withheld) == (None, "below_five")
    assert window.passing is not None
    # Bursts or frames of everything, less those behind the number shown, would give the hidden one away.
    assert window.frames == len(outside)
    assert window.bursts == len(outside) / 2


def test_two_small_numbers_leave_nothing_at_all(calibrated: DevicesProcessor) -> None:
    (window,) = run(calibrated, phone(1) + phone(2, rssi=-80), START + 600)
    assert (window.inside, window.passing, window.withheld) == (None, None, "below_five")
    assert (window.bursts, window.frames) == (0, 0)


@given(
    st.lists(st.tuples(st.integers(0, 1199), st.integers(0, 40), st.integers(-95, -30), st.booleans()), max_size=150)
)
def test_no_event_ever_shows_a_number_under_five(frames: list[tuple[int, int, int, bool]]) -> None:
    processor = DevicesProcessor("wifi", DevicesConfig())
    processor._calibration = SITE
    probes = [
        seen(START + time, number, kind=number % 5, fixed=fixed, rssi=rssi) for time, number, rssi, fixed in frames
    ]
    for window in run(processor, probes, START + 1200):
        shown = [number for number in (window.inside, window.passing) if number is not None]
        assert all(number.value >= 5 for number in shown)
        assert shown or window.bursts == 0


def test_without_a_calibration_nothing_is_estimated() -> None:
    processor = DevicesProcessor("wifi", DevicesConfig())
    (window,) = run(processor, [probe for number in range(40) for probe in phone(number)], START + 600)
    assert (window.inside, window.passing, window.withheld) == (None, None, "uncalibrated")
    assert window.bursts > 0


def test_a_silent_radio_is_told_window_by_window_and_never_as_nobody(calibrated: DevicesProcessor) -> None:
    events = [event for second in range(0, 1801) for event in calibrated.flush(START + second)]
    assert [window.withheld for window in data(events)] == ["radio_silent"] * 3
    assert calibrated.flush(START + 1800) == []
    assert [event.time.timestamp() - START for event in events] == [600, 1200, 1800]


def test_a_window_that_the_box_saw_the_end_of_only_is_withheld(calibrated: DevicesProcessor) -> None:
    calibrated.flush(START + 400)
    for probe in (probe for number in range(20) for probe in phone(number, start=START + 400, seconds=200)):
        calibrated.process(probe)
    (window,) = data(calibrated.flush(START + 600))
    assert (window.withheld, window.bursts) == ("radio_silent", 0)


def test_closing_gives_the_running_window_if_enough_of_it_was_seen(calibrated: DevicesProcessor) -> None:
    events: list[Event] = []
    probes = (probe for number in range(20) for probe in phone(number, seconds=400))
    for probe in sorted(probes, key=lambda probe: probe.time):
        events += calibrated.process(probe)
    (window,) = data([*events, *calibrated.close(START + 400)])
    assert window.inside is not None
    assert window.inside.value == pytest.approx(20, rel=0.2)
    assert calibrated.close(START + 400) == []


def test_damaged_frames_are_told_with_the_window_they_came_in(tmp_path: Path) -> None:
    counts = iter([3, 3, 10, 10])
    processor = DevicesProcessor("wifi", DevicesConfig(), malformed=lambda: next(counts))
    found = run(processor, [seen(START + 1, 1), seen(START + 601, 1)], START + 1200)
    assert [window.malformed for window in found] == [3, 7]


def test_no_pseudonym_is_in_an_event(calibrated: DevicesProcessor) -> None:
    probes = [probe for number in range(20) for probe in phone(number)]
    events = [event for probe in sorted(probes, key=lambda probe: probe.time) for event in calibrated.process(probe)]
    text = "".join(event.data.model_dump_json() for event in [*events, *calibrated.flush(START + 600)])
    assert "inside" in text
    assert not any(probe.device.hex() in text or str(probe.device)[2:-1] in text for probe in probes)


def test_calibrating_finds_the_burst_interval_and_the_gate_of_a_place() -> None:
    counted = []
    for number in range(12):
        people, begin = 5 + 3 * (number % 5), START + 600 * number
        inside = [probe for each in range(people) for probe in phone(each, start=begin, every=90, rssi=-58)]
        outside = [probe for each in range(500, 510 + 7 * (number % 3)) for probe in phone(each, start=begin, rssi=-77)]
        (window,) = windows(inside + outside)
        counted.append((window, float(people)))
    learnt = fit([row(window, people, "", 600) for window, people in counted], "a simulation", date(2026, 1, 1))
    assert learnt.rssi_gate_dbm is not None
    assert -77 < learnt.rssi_gate_dbm <= -58
    for window, present in counted:
        result = estimate(window, learnt, 600)
        assert result is not None
        assert result.value == pytest.approx(present, rel=0.2)
        assert result.low <= present <= result.high
    assert learnt.quality is not None
    assert (learnt.quality.windows, learnt.quality.is_bad) == (12, False)


def test_calibrating_on_too_little_is_refused() -> None:
    (window,) = windows(phone(1))
    rows = [row(window, people, "", 600) for people in (1.0, 0.0)]
    with pytest.raises(FormatError, match="1 windows with people, wholly recorded and counted; 6 are needed"):
        fit(rows, "", date(2026, 1, 1))


def test_a_fit_that_does_not_follow_the_people_says_so_and_the_box_shows_nothing(tmp_path: Path) -> None:
    (window,) = windows(probe for number in range(12) for probe in phone(number))
    rows = [
        replace(row(window, 2 + 28 * (step % 2), f"{step // 4}", 600), start=START + 600 * step) for step in range(24)
    ]
    learnt = fit(rows, "", date(2026, 1, 1))
    assert learnt.quality is not None
    assert learnt.quality.is_bad
    (tmp_path / "site.json").write_text(learnt.model_dump_json())
    processor = DevicesProcessor("wifi", DevicesConfig(calibration=tmp_path / "site.json"))
    (shown,) = run(processor, [probe for number in range(40) for probe in phone(number)], START + 600)
    assert (shown.inside, shown.withheld) == (None, "uncalibrated")


def test_phones_of_one_kind_are_told_apart_by_their_sequence_numbers() -> None:
    probes = [
        seen(START + 11 * phone_ + 40 * step, 100 * phone_ + step, kind=1, sequence=(700 * phone_ + 9 * step) % 4096)
        for phone_ in range(5)
        for step in range(15)
        if 11 * phone_ + 40 * step < 600
    ]
    (window,) = windows(probes)
    for interval in (20.0, 400.0):
        number = estimate(window, SITE.model_copy(update={"burst_interval_s": interval}), 600)
        assert number is not None
        assert number.value == pytest.approx(5, rel=0.15)  # whatever T the site has: the kind shows its own


def test_phones_of_one_kind_that_number_every_burst_anew_are_told_apart_by_their_timer() -> None:
    rng = random.Random(4)
    probes = [
        seen(begin + 20.0 * step, 100 * number + step, kind=1, sequence=rng.randrange(4096))
        for number, begin in enumerate((START, START + 3.1, START + 8.7, START + 14.2))
        for step in range(29)
    ]
    (window,) = windows(probes)
    number_ = estimate(window, SITE.model_copy(update={"burst_interval_s": 150.0}), 600)
    assert number_ is not None
    assert number_.value == pytest.approx(4, rel=0.3)  # 116 bursts x 150 s would be 29


@pytest.mark.parametrize("fixed", [True, False])
def test_addresses_without_end_cost_bounded_memory(fixed: bool) -> None:
    running = Windows(600)
    for number in range(MAX_ADDRESSES + 2000):
        # All of one kind and going on by number: few bursts, many addresses.
        probe = seen(START + number * 0.001, number, sequence=number % 4096, fixed=fixed)
        assert not list(running.add(probe))
    assert running._window is not None
    (part,) = running._window.slices
    assert len(part._of_device) <= MAX_ADDRESSES
    (window,) = running.end()
    assert window.overflowed
    assert window.shed >= 2000
    assert estimate(window, SITE, 600) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not JSON", "Invalid JSON"),
        ("{}", "burst_interval_s: Field required"),
        (UNCALIBRATED.model_dump_json().replace("120.0", "-1"), "burst_interval_s: .*greater than 0"),
        (UNCALIBRATED.model_dump_json()[:-1] + ',"mac":1}', "mac: Extra inputs"),
    ],
)
def test_a_bad_calibration_file_is_refused_by_field(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "site.json"
    path.write_text(text)
    with pytest.raises(FormatError, match=words) as refused:
        WifiCalibration.load(path)
    assert "\n" not in str(refused.value)
    assert "calibrate" in refused.value.fix
    with pytest.raises(FormatError, match="No such file"):
        WifiCalibration.load(tmp_path / "none.json")


def test_a_calibration_that_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "site.json"
    path.write_text(SITE.model_dump_json(indent=2))
    assert WifiCalibration.load(path) == SITE


def lossy(tmp_path: Path, gap: tuple[float, float]) -> tuple[DevicesWindow, DevicesWindow]:
    """The windows of a radio that was away from ``gap[0]`` to ``gap[1]`` seconds: told so, and not told."""
    probes = sorted((probe for number in range(30) for probe in phone(number)), key=lambda probe: probe.time)
    heard = [probe for probe in probes if not gap[0] <= probe.time - START < gap[1]]
    shown = []
    for told in (True, False):
        (tmp_path / "site.json").write_text(SITE.model_dump_json())
        processor = DevicesProcessor("wifi", DevicesConfig(calibration=tmp_path / "site.json"))
        away = told
        events: list[Event] = list(processor.flush(START))
        for probe in heard:
            if away and probe.time - START >= gap[1]:
                away = False
                processor.lost(START + gap[0])
                processor.lost(START + gap[0] + 5)
            events += processor.process(probe)
        if away:
            processor.lost(START + gap[0])
        [window] = data([*events, *processor.flush(START + 600)])
        shown.append(window)
    return shown[0], shown[1]


def test_seconds_without_a_radio_are_not_taken_for_seconds_without_phones(tmp_path: Path) -> None:
    told, silent = lossy(tmp_path, (100, 340))
    assert told.inside is not None
    assert silent.inside is not None
    assert told.inside.value == pytest.approx(silent.inside.value * 600 / 360, rel=0.1)


def test_a_window_whose_radio_was_away_for_most_of_it_has_no_estimate(tmp_path: Path) -> None:
    told, silent = lossy(tmp_path, (100, 450))
    assert (told.withheld, told.inside) == ("radio_silent", None)
    assert silent.inside is not None


def test_a_radio_that_never_comes_back_observes_nothing_from_then_on(tmp_path: Path) -> None:
    told, silent = lossy(tmp_path, (250, 600))
    assert told.withheld == "radio_silent"
    assert silent.inside is not None
