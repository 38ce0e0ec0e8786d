from edge.processors.devices import DevicesConfig, DevicesProcessor
from edge.runtime import SensorStatus
from sensors.readings import Attention, ProbeRequest
from sync.events import DevicesWindow

T0 = 1_700_000_400.0


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


def test_health_says_that_the_radio_is_silent() -> None:
    status = SensorStatus("wifi")
    status.state, status.reason = "degraded", "radio_silent"
    assert status.health(30, 0, T0).reason == "radio_silent"
