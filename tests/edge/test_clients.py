from collections.abc import Sequence

import pytest

from edge.processors.clients import MOST_DEVICES, ClientsConfig, ClientsProcessor
from sensors.readings import Attention, ClientHeard
from sync.events import DevicesWindow, Event

START = 1_700_000_400.0  # a multiple of 600


def heard(time: float, device: int, *, randomised: bool = True, joined: bool = False, rssi: int = -50) -> ClientHeard:
    return ClientHeard(START + time, device.to_bytes(8, "big"), randomised, joined, rssi)


def run(
    readings: Sequence[ClientHeard | Attention],
    config: ClientsConfig | None = None,
    until: float = 600,
    every: float = 60,
) -> list[DevicesWindow]:
    """With a report each minute, as Meraki sends it."""
    processor = ClientsProcessor("ap", config or ClientsConfig())
    reports = [Attention(START + step * every, None) for step in range(int(until / every))]
    events: list[Event] = []
    for reading in sorted([*readings, *reports], key=lambda each: each.time):
        events += processor.process(reading)
    events += processor.flush(START + until)
    return [event.data for event in events if isinstance(event.data, DevicesWindow)]


def test_devices_with_fixed_addresses_count_for_the_time_between_first_and_last_sighting() -> None:
    readings = [heard(minute * 60, device, randomised=False) for device in range(10) for minute in range(10)]
    (window,) = run(readings)
    assert window.method == "clients"
    assert window.inside is not None
    assert window.inside.value == pytest.approx(10, rel=0.05)
    assert window.inside.low == window.inside.value


def test_random_addresses_are_worth_a_phone_for_one_burst_interval_with_a_wide_interval() -> None:
    """Ten phones with a new address every 54 seconds: 111 addresses are no 111 phones."""
    readings = [heard(burst * 54, phone * 100 + burst) for phone in range(10) for burst in range(11)]
    (window,) = run(readings)
    assert window.inside is not None
    assert window.inside.value == pytest.approx(10, rel=0.2)
    assert window.inside.low < 6
    assert window.inside.high > 20
    assert window.frames == window.bursts == 110


def test_a_random_address_that_joined_the_network_is_one_device() -> None:
    readings = [heard(minute * 60, device, joined=minute == 3) for device in range(8) for minute in range(10)]
    (window,) = run(readings)
    assert window.inside is not None
    assert window.inside.value == pytest.approx(8, rel=0.05)


def test_the_gate_parts_inside_from_passing() -> None:
    inside = [heard(minute * 60, device, randomised=False) for device in range(10) for minute in range(10)]
    passing = [heard(300, 100 + device, rssi=-80) for device in range(200)]
    (window,) = run([*inside, *passing], ClientsConfig(rssi_gate_dbm=-65))
    assert window.inside is not None
    assert window.passing is not None
    assert window.inside.value == pytest.approx(10, rel=0.05)
    assert window.passing.value == pytest.approx(200 * 54 / 540, rel=0.1)


def test_a_number_under_five_does_not_leave_nor_what_it_follows_from() -> None:
    (window,) = run([heard(minute * 60, 1, randomised=False) for minute in range(10)])
    assert (window.inside, window.withheld, window.frames, window.bursts) == (None, "below_five", 0, 0)


def test_a_window_without_reports_or_with_few_is_silent_not_empty() -> None:
    assert [window.withheld for window in run([], every=600)] == ["radio_silent"]
    some = [heard(second, second, randomised=False) for second in range(0, 120, 10)]
    assert [window.withheld for window in run(some, every=600)] == ["radio_silent"]


def test_a_lost_source_is_not_observed_until_its_next_report() -> None:
    processor = ClientsProcessor("ap", ClientsConfig(silent_seconds=3600))
    processor.process(Attention(START, None))
    processor.process(heard(1, 1))
    processor.lost(START + 2)
    processor.process(Attention(START + 500, None))
    (event,) = processor.flush(START + 600)
    assert isinstance(event.data, DevicesWindow)
    assert event.data.withheld == "radio_silent"


def test_late_reports_count_in_the_window_in_which_they_come() -> None:
    late = [ClientHeard(START + 590, device.to_bytes(8, "big"), False, False, -50) for device in range(50)]
    processor = ClientsProcessor("ap", ClientsConfig())
    events = list(processor.process(Attention(START, None)))
    for minute in range(1, 11):
        events += processor.process(Attention(START + minute * 60, None))
        if minute == 10:
            for reading in late:
                events += processor.process(reading)
    for minute in range(11, 20):
        events += processor.process(Attention(START + minute * 60, None))
    events += processor.flush(START + 1200)
    first, second = (event.data for event in events)
    assert isinstance(first, DevicesWindow)
    assert isinstance(second, DevicesWindow)
    assert first.withheld == "radio_silent"
    assert second.inside is not None


def test_longer_windows_add_up_over_the_salts_without_counting_anybody_twice() -> None:
    config = ClientsConfig(window_seconds=1200)
    processor = ClientsProcessor("ap", config)
    start = 1_700_000_400.0 // 1200 * 1200
    events: list[Event] = []
    for minute in range(20):
        events += processor.process(Attention(start + minute * 60, None))
        for device in range(10):
            name = (device + (1000 if minute >= 10 else 0)).to_bytes(8, "big")
            events += processor.process(ClientHeard(start + minute * 60, name, False, False, -50))
    events += processor.flush(start + 1200)
    (event,) = events
    assert isinstance(event.data, DevicesWindow)
    assert event.data.inside is not None
    assert event.data.inside.value == pytest.approx(10, rel=0.1)


def test_a_hundred_thousand_addresses_are_shed_and_nothing_is_claimed() -> None:
    flood = [heard(index / 1000, index) for index in range(MOST_DEVICES + 1000)]
    (window,) = run(flood)
    assert (window.inside, window.withheld) == (None, "drifted")
