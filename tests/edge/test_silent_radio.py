import threading
from collections.abc import Iterator, Sequence

from edge.processors.devices import DevicesConfig, DevicesProcessor
from edge.runtime import SensorLoop
from sensors.readings import Attention, ProbeRequest, Silence
from sync.events import DevicesWindow, Event
from tests.fakes import FakeSource

T0 = 1_700_000_400.0


class Nothing:
    def put(self, events: Sequence[Event]) -> None:
        pass


def heard(at: float) -> ProbeRequest:
    return ProbeRequest(T0 + at, b"device", b"kind", 7, True, -50, 6)


def test_a_radio_that_hears_nothing_is_a_condition_that_ends_with_the_first_frame() -> None:
    processor = DevicesProcessor("wifi", DevicesConfig())

    def after(reading: ProbeRequest | Attention) -> str | None:
        processor.process(reading)
        return processor.condition

    assert after(heard(0)) is None
    assert after(Attention(T0 + 100, "radio_silent")) == "radio_silent"
    assert after(Attention(T0 + 200, None)) is None
    assert after(Attention(T0 + 300, "radio_silent")) == "radio_silent"
    assert after(heard(310)) is None


def test_what_a_silent_radio_did_not_hear_is_withheld_and_not_zero() -> None:
    processor = DevicesProcessor("wifi", DevicesConfig())
    processor.process(heard(0))
    processor.process(Attention(T0 + 100, "radio_silent"))
    (event,) = processor.process(Attention(T0 + 650, None))
    assert isinstance(event.data, DevicesWindow)
    assert (event.data.withheld, event.data.inside) == ("radio_silent", None)


def test_the_box_says_in_its_health_that_the_radio_is_silent_and_what_the_kernel_dropped() -> None:
    told: list[tuple[str, str | None, int]] = []

    def readings() -> Iterator[ProbeRequest | Attention | Silence]:
        for reading in (heard(0), Attention(T0 + 60, "radio_silent"), Attention(T0 + 90, None)):
            yield reading
            radio.dropped += 3
            yield Silence(reading.time)
            health = loop.status.health(1, 1, reading.time)
            told.append((health.state, health.reason, health.dropped))

    radio: FakeSource[ProbeRequest | Attention] = FakeSource(readings)
    loop = SensorLoop("wifi", lambda: radio, DevicesProcessor("wifi", DevicesConfig()), Nothing(), lambda: T0)
    loop.run(threading.Event())
    assert told == [("ok", None, 3), ("degraded", "radio_silent", 6), ("ok", None, 9)]
