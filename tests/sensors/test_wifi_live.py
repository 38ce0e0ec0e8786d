import struct
import threading
import time
from collections.abc import Iterator
from itertools import islice

import pytest

from sensors.errors import SourceError
from sensors.readings import Attention, ProbeRequest, Silence
from sensors.wifi.live import LiveSource
from sensors.wifi.probes import SILENT_AFTER_S, Hearing
from tests.sensors.tap import ETHERNET, Tap, tap
from tests.sensors.wifi_frames import probe, radiotap

BEACON = radiotap(b"\x80" + probe()[1:])


def until_silence(readings: Iterator[ProbeRequest | Attention | Silence]) -> list[ProbeRequest]:
    found: list[ProbeRequest] = []
    patience = time.monotonic() + 10
    for reading in readings:
        if isinstance(reading, ProbeRequest):
            found.append(reading)
        elif found or time.monotonic() > patience:
            break
    return found


def test_probe_requests_come_live_out_of_the_kernel_and_nothing_else_does() -> None:
    with tap("yk-live0") as radio, LiveSource("yk-live0") as source:
        radio.send(BEACON)
        for number in range(3):
            radio.send(radiotap(probe(sequence=number), rssi=-40 - number))
        radio.send(radiotap(b"\x08" + probe()[1:]))
        radio.send(struct.pack("<BBHI", 0, 0, 200, 0) + bytes(20))
        radio.send(radiotap(probe(), flags=0x40))
        found = until_silence(iter(source))
        assert [(reading.sequence, reading.rssi_dbm, reading.channel) for reading in found] == [
            (0, -40, 6),
            (1, -41, 6),
            (2, -42, 6),
        ]
        assert (source.frames, source.malformed, source.dropped) == (3, 1, 0)
        assert abs(found[0].time - time.time()) < 30


def test_twenty_thousand_frames_a_second_are_received_without_a_loss() -> None:
    rate, seconds = 20_000, 2
    frames = [radiotap(probe(b"\x02" + number.to_bytes(5, "big"), sequence=number % 4096)) for number in range(500)]
    with tap("yk-live1") as radio, LiveSource("yk-live1") as source:
        writer = threading.Thread(target=_paced, args=(radio, frames, rate, seconds))
        writer.start()
        found = silences = 0
        for reading in source:
            found += isinstance(reading, ProbeRequest)
            # The second silence after the last frame: what was still in the ring has come out by then.
            silences += isinstance(reading, Silence) and not writer.is_alive()
            if found == rate * seconds or silences == 2:
                break
        writer.join()
        source._count_dropped()
        assert (found, source.dropped) == (rate * seconds, 0)


def _paced(radio: Tap, frames: list[bytes], rate: int, seconds: int) -> None:
    begun = time.monotonic()
    for number in range(rate * seconds):
        radio.send(frames[number % len(frames)])
        if number % 100 == 0:
            time.sleep(max(0.0, begun + number / rate - time.monotonic()))


def test_what_the_ring_cannot_hold_is_counted_as_dropped() -> None:
    with tap("yk-live2") as radio, LiveSource("yk-live2", ring_mib=1) as source:
        for number in range(12_000):
            radio.send(radiotap(probe(sequence=number % 4096)))
        received = len(until_silence(iter(source)))
        source._count_dropped()
        assert received > 1000
        assert source.dropped > 0
        assert received + source.dropped == 12_000


def test_a_radio_that_goes_down_is_an_error_with_a_fix() -> None:
    with tap("yk-live3") as radio, LiveSource("yk-live3") as source:
        readings = iter(source)
        radio.send(radiotap(probe()))
        next(readings)
        radio.up(False)
        with pytest.raises(SourceError, match=r"yk-live3: .*down") as lost:
            list(islice(readings, 5))
        assert "ip link set" in lost.value.fix


def test_an_interface_that_is_no_radio_in_monitor_mode_is_refused_by_name() -> None:
    with tap("yk-live4", ETHERNET), pytest.raises(SourceError, match=r"not in monitor mode \(1\)") as refused:
        LiveSource("yk-live4").__enter__()
    assert "type monitor" in refused.value.fix


def test_an_interface_that_does_not_exist_is_one_line_with_a_fix() -> None:
    with pytest.raises(SourceError, match="no-such-radio0: ") as refused, LiveSource("no-such-radio0"):
        pass
    assert refused.value.fix


def test_a_radio_that_hears_beacons_is_not_silent_and_one_that_hears_nothing_is() -> None:
    now = [1000.0]

    def clock() -> float:
        now[0] += 0.6 * SILENT_AFTER_S
        return now[0]

    with tap("yk-live5") as radio, LiveSource("yk-live5", clock=clock) as source:
        readings = iter(source)
        signs = []
        for hears in (True, True, False, False, True):
            if hears:
                radio.send(BEACON)
            for reading in readings:
                if isinstance(reading, Silence):
                    break
                signs.append(reading)
        assert [sign.reason for sign in signs if isinstance(sign, Attention)] == ["radio_silent", None]


def test_silence_is_told_once_and_a_clock_that_is_set_back_begins_anew() -> None:
    hearing = Hearing(0.0)
    assert hearing.sign(False, SILENT_AFTER_S - 1) is None
    assert hearing.sign(False, SILENT_AFTER_S) == Attention(SILENT_AFTER_S, "radio_silent")
    assert hearing.sign(False, 2 * SILENT_AFTER_S) is None
    assert hearing.sign(True, 200.0) == Attention(200.0, None)
    assert hearing.sign(False, 50.0) is None
    assert hearing.sign(False, 50.0 + SILENT_AFTER_S) == Attention(50.0 + SILENT_AFTER_S, "radio_silent")
