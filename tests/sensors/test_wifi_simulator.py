import math
import os
import statistics
import threading
from itertools import islice
from pathlib import Path

import pytest
from scapy.layers.dot11 import Dot11Elt, Dot11ProbeReq, RadioTap

from sensors.readings import ProbeRequest
from sensors.wifi.capture import RADIOTAP
from sensors.wifi.dot11 import ProbeParser
from sensors.wifi.simulator import (
    MODELS,
    crowd,
    frames,
    load,
    model,
    pcap_head,
    pcap_record,
    people_inside,
    write_capture,
)
from sensors.wifi.source import PipeSource

START = 1_764_000_000.0


def test_the_same_seed_gives_the_same_frames_and_another_seed_others() -> None:
    first, again, other = (frames(crowd(START, [20], seed), START) for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_scapy_reads_every_frame_as_we_meant_it() -> None:
    heard = frames(crowd(START, [30], 3), START)
    assert len(heard) > 300
    for _, data in heard[:300]:
        packet = RadioTap(data)
        assert bytes(packet) == data
        assert packet.ChannelFrequency == 2437
        assert -95 <= packet.dBm_AntSignal <= -20
        assert packet.haslayer(Dot11ProbeReq)
        elements, layer = [], packet.getlayer(Dot11Elt)
        while layer is not None:
            elements.append(layer.ID)
            layer = layer.payload.getlayer(Dot11Elt)
        assert elements == [0, 1, 50, 3, 45, 127, 221]


def test_our_parser_finds_strength_channel_and_kinds_of_phones() -> None:
    parser = ProbeParser()
    heard = frames(crowd(0.0, [60], 3), 0.0)
    probes = [parser.parse(0.0, RADIOTAP, data, False) for _, data in heard]
    assert all(probe is not None and probe.channel == 6 and probe.rssi_dbm is not None for probe in probes)
    kinds = {probe.fingerprint for probe in probes if probe is not None}
    assert 3 < len(kinds) <= MODELS


def test_no_frame_holds_an_address_that_somebody_could_own() -> None:
    for _, data in frames(crowd(START, [60], 5), START):
        address = data[26:32]
        assert address[0] & 3 == 2 or address[:5] == b"\x00\x00\x5e\x00\x53"


def test_the_burst_intervals_are_those_that_were_measured() -> None:
    intervals = sorted(phone.burst_s for seed in range(20) for phone in crowd(START, [100], seed))
    ten, middle, ninety = (intervals[int(len(intervals) * share)] for share in (0.1, 0.5, 0.9))
    assert 35 < middle < 80
    assert 15 < ten < 40
    assert 80 < ninety < 180


def test_the_phones_arrive_at_the_rate_asked_for_and_stay_as_long() -> None:
    phones = crowd(START, [30] * 200, 1)
    inside = [phone for phone in phones if phone.inside]
    assert len(inside) == pytest.approx(6000, abs=4 * math.sqrt(6000))
    # The last who came are cut off by the end, which is far.
    assert statistics.mean(phone.end - phone.start for phone in inside) == pytest.approx(1300, rel=0.05)
    assert len(phones) - len(inside) == pytest.approx(18_000, rel=0.05)


def test_the_truth_is_the_number_of_phones_inside_at_each_moment() -> None:
    phones = crowd(START, [40, 40], 9, already=True)
    end = START + 5000.0
    people = people_inside(phones, START, end)
    assert [people[0][0], people[-1][0]] == [START, end]
    assert people[0][1] > 3
    for index in range(0, len(people) - 1, 5):
        time, number = people[index]
        assert number == sum(phone.inside and max(phone.start, START) <= time < phone.end for phone in phones)


def test_passers_are_weaker_than_people_inside() -> None:
    phones = crowd(START, [100], 2)
    assert min(phone.rssi_dbm for phone in phones if phone.inside) > -65
    assert max(phone.rssi_dbm for phone in phones if not phone.inside) < -65


def test_every_model_is_always_the_same_and_has_elements_of_its_own() -> None:
    assert model(3) == model(3 + MODELS)
    assert len({model(number).elements for number in range(MODELS)}) == MODELS
    assert {model(number).policy for number in range(MODELS)} == {"burst", "network", "fixed"}


def test_a_busy_air_of_twenty_thousand_frames_a_second_comes_through_a_pipe_without_loss(tmp_path: Path) -> None:
    pipe = tmp_path / "probes"
    os.mkfifo(pipe)
    heard = list(islice(load(20_000, 500, 1, START), 60_000))
    assert heard[-1][0] - heard[0][0] == pytest.approx(3.0, abs=0.001)

    def write() -> None:
        with pipe.open("wb") as file:
            file.write(pcap_head())
            file.writelines(pcap_record(time, data) for time, data in heard)

    got = 0
    with PipeSource(pipe) as source:
        writer = threading.Thread(target=write)
        writer.start()
        for reading in source:
            got += isinstance(reading, ProbeRequest)
            if got == len(heard):
                break
        writer.join()
    assert (got, source.malformed) == (60_000, 0)


def test_a_capture_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    from sensors.errors import SourceError

    with pytest.raises(SourceError, match="No such file"):
        write_capture(tmp_path / "none" / "a.pcap", [])
