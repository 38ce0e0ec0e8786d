"""Simulated phones that look for networks, with the truth about them: for the demonstration, tests and load tests.

The model, in the order in which it draws (every figure is a choice unless a source stands beside it):

- People enter as a Poisson process and stay a log-normal time; three walk past for each who enters. One phone each.
- A phone is of one of ``MODELS`` models, popular ones more often. A model has its own information elements, burst
  sizes, channels and way of changing its address: a new one per burst, one per network name asked for, or never.
- Bursts come every T seconds on average. T is log-normal over phones with a median of 54 s and a tenth and ninetieth
  percentile of about 24 and 120 s (labelled phones: 54, 27 and 138 s); most of that spread is between models.
- A burst is one to four frames on each channel of the scan; sequence numbers count on, and jump between bursts.
- Strength follows log-distance path loss, exponent 2.2 from -40 dBm at 1 m, with 3 dB of fading per frame: inside at 2
  to 12 m, outside at 8 to 30 m behind a wall of 10 dB. The radio hears one channel, and misses one frame in ten.

Nobody's address is used: random ones are locally administered, fixed ones from the range for documentation (RFC 7042,
2.1.2). The same seed gives the same bytes. Frames are built here, since Scapy (GPL) is for tests alone.
"""

import csv
import math
import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Literal

from sensors.errors import SourceError

MODELS = 16
MEDIAN_BURST_S = 54.0
MEAN_STAY_S = 1300.0
"""Of people inside."""
STAY_SIGMA = 0.6
PASSERS = 3
HEARD_MHZ = 2437
_CHANNELS = ((6,), (1, 6, 11), tuple(range(1, 14)))
_MISSED = 0.1
_BROADCAST = b"\xff" * 6
_RADIOTAP = struct.Struct("<BBHIBBHHbx")
"""Version, pad, length 16, present (flags, rate, channel, signal), flags, rate (500 kb/s), MHz, channel flags, dBm.
One byte of padding, so that the header's length is even."""
_PRESENT = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 5
_CCK_2GHZ = 0x00A0
_HEADER = struct.Struct("<IHHiIII")
_RECORD = struct.Struct("<IIII")

Policy = Literal["burst", "network", "fixed"]


@dataclass(frozen=True, slots=True)
class PhoneModel:
    """What phones of one model have in common; ``elements`` are theirs from the supported rates on."""

    burst_s: float
    policy: Policy
    frames: int
    channels: int
    elements: bytes


@dataclass(frozen=True, slots=True)
class Phone:
    """One person's phone: there from ``start`` to ``end`` (epoch seconds), heard at about ``rssi_dbm``."""

    start: float
    end: float
    inside: bool
    rssi_dbm: float
    model: int
    burst_s: float
    seed: int


def model(number: int) -> PhoneModel:
    """The phone model of that number: always the same."""
    return _model(number % MODELS)


@cache
def _model(number: int) -> PhoneModel:
    rng = random.Random(f"phone model {number}")  # noqa: S311  # a simulation
    high_throughput = rng.randrange(1 << 16).to_bytes(2, "little") + bytes((0x17, 0xFF, rng.randrange(256))) + bytes(21)
    vendor = b"\x00\x10\x18" + rng.randbytes(rng.choice((3, 5)))
    parts = [
        _element(1, b"\x02\x04\x0b\x16"),
        _element(50, b"\x0c\x12\x18\x24\x30\x48\x60\x6c"),
        _element(3, b"\x06"),
        _element(45, high_throughput),
        _element(127, rng.randbytes(rng.choice((4, 8, 10)))),
        _element(221, vendor),
    ]
    return PhoneModel(
        burst_s=MEDIAN_BURST_S * math.exp(rng.gauss(0, 0.55)),
        policy=rng.choices(("burst", "network", "fixed"), (7, 2, 1))[0],
        frames=rng.choice((1, 2, 2, 4)),
        channels=rng.randrange(len(_CHANNELS)),
        elements=b"".join(parts),
    )


def _element(kind: int, body: bytes) -> bytes:
    return bytes((kind, len(body))) + body


def crowd(start: float, arrivals_per_hour: Sequence[float], seed: int, *, already: bool = False) -> list[Phone]:
    """Everybody of so many hours from ``start`` on, by the mean number that enters in each hour.

    ``already``: the room is as full at ``start`` as at the end of an hour with the first rate, not empty.
    """
    rng = random.Random(seed)  # noqa: S311  # a repeatable simulation
    end = start + 3600 * len(arrivals_per_hour)
    hours = [(start + 3600 * index, start + 3600 * (index + 1), rate) for index, rate in enumerate(arrivals_per_hour)]
    if already:
        hours.insert(0, (start - 4 * MEAN_STAY_S, start, arrivals_per_hour[0]))
    phones = []
    for first, last, rate in hours:
        for inside, share in ((True, 1.0), (False, float(PASSERS))):
            moment = first
            while rate > 0 and (moment := moment + rng.expovariate(rate * share / 3600)) < last:
                phone = _phone(rng, moment, end, inside)
                if phone.end > start:
                    phones.append(phone)
    return phones


def _phone(rng: random.Random, moment: float, end: float, inside: bool) -> Phone:
    # The mean of a log-normal is exp(sigma² / 2) above its median.
    middle = math.log(MEAN_STAY_S) - STAY_SIGMA**2 / 2
    stay = rng.lognormvariate(middle, STAY_SIGMA) if inside else rng.uniform(30, 150)
    metres, wall = (rng.uniform(2, 12), 0.0) if inside else (rng.uniform(8, 30), 10.0)
    number = min(int(rng.expovariate(0.25)), MODELS - 1)
    return Phone(
        start=moment,
        end=min(moment + stay, end),
        inside=inside,
        rssi_dbm=-40 - 22 * math.log10(metres) - wall,
        model=number,
        burst_s=model(number).burst_s * math.exp(rng.gauss(0, 0.3)),
        seed=rng.getrandbits(63),
    )


def people_inside(phones: Sequence[Phone], start: float, end: float) -> list[tuple[float, int]]:
    """When the number of people inside changed, and to what; first and last entry are at ``start`` and ``end``."""
    told, people = {start: 0}, 0
    for moment, step in sorted(
        (moment, step)
        for phone in phones
        if phone.inside
        for moment, step in ((max(phone.start, start), 1), (phone.end, -1))
        if moment < end
    ):
        people += step
        told[moment] = people
    told[end] = people
    return sorted(told.items())


def frames(phones: Sequence[Phone], start: float) -> list[tuple[float, bytes]]:
    """All frames that the radio hears from ``start`` on, ``(epoch seconds, radiotap and 802.11)``, by time."""
    return sorted(each for phone in phones for each in _of_phone(phone) if each[0] >= start)


def _of_phone(phone: Phone) -> Iterator[tuple[float, bytes]]:
    rng = random.Random(phone.seed)  # noqa: S311  # a repeatable simulation
    kind = model(phone.model)
    networks = [f"sim-net-{rng.randrange(1000)}".encode() for _ in range(rng.randint(1, 3))]
    own = {name: _random_address(rng) for name in networks}
    fixed = bytes((0, 0, 0x5E, 0, 0x53, rng.randrange(256)))
    moment = phone.start + rng.uniform(0, phone.burst_s)
    sequence = rng.randrange(4096)
    while moment < phone.end:
        fresh = fixed if kind.policy == "fixed" else _random_address(rng)
        at = moment
        for channel in _CHANNELS[kind.channels]:
            asked = rng.choice(networks) if kind.policy == "network" and rng.random() < 0.5 else b""
            address = own[asked] if asked else fresh
            for _ in range(rng.randint(1, kind.frames)):
                # The radio stands on channel 6, and hears the two beside it too.
                if abs(channel - 6) <= 1 and rng.random() >= _MISSED:
                    rssi = round(max(-95, min(-20, rng.gauss(phone.rssi_dbm, 3))))
                    yield at, frame(kind, address, sequence % 4096, rssi, asked)
                sequence += 1
                at += rng.uniform(0.005, 0.03)
        sequence += rng.randrange(200)
        moment += max(at - moment, phone.burst_s * rng.uniform(0.5, 1.5))


def _random_address(rng: random.Random) -> bytes:
    return bytes((rng.randrange(256) & 0xFC | 2, *rng.randbytes(5)))


def frame(kind: PhoneModel, address: bytes, sequence: int, rssi_dbm: int, network: bytes = b"") -> bytes:
    """One probe request behind its radiotap header; ``network`` is the name asked for, empty for any."""
    head = _RADIOTAP.pack(0, 0, _RADIOTAP.size, _PRESENT, 0, 2, HEARD_MHZ, _CCK_2GHZ, rssi_dbm)
    start = b"\x40\x00\x00\x00" + _BROADCAST + address + _BROADCAST + (sequence << 4).to_bytes(2, "little")
    return head + start + bytes((0, len(network))) + network + kind.elements


def load(per_second: float, devices: int, seed: int, start: float = 0.0) -> Iterator[tuple[float, bytes]]:
    """Frames without end at exactly that rate, of so many addresses in turn: what a busy or hostile air looks like."""
    rng = random.Random(seed)  # noqa: S311  # a repeatable simulation
    senders = [(model(rng.randrange(MODELS)), _random_address(rng), rng.randint(-80, -45)) for _ in range(devices)]
    number = 0
    while True:
        kind, address, rssi = senders[number % devices]
        yield start + number / per_second, frame(kind, address, number // devices % 4096, rssi)
        number += 1


def pcap_head() -> bytes:
    """The header of a pcap file of radiotap frames (draft-ietf-opsawg-pcap)."""
    return _HEADER.pack(0xA1B2C3D4, 2, 4, 0, 0, 65535, 127)


def pcap_record(time: float, data: bytes) -> bytes:
    """One record of such a file."""
    microseconds = round(time * 1_000_000)
    return _RECORD.pack(microseconds // 1_000_000, microseconds % 1_000_000, len(data), len(data)) + data


def write_capture(path: Path, heard: Sequence[tuple[float, bytes]]) -> None:
    """Write a pcap file. Raises ``SourceError``."""
    try:
        with path.open("wb") as file:
            file.write(pcap_head())
            file.writelines(pcap_record(time, data) for time, data in heard)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}", "choose a file that can be written") from error


def write_truth(path: Path, people: Sequence[tuple[float, int]]) -> None:
    """Write people inside as CSV ``datetime,people``, UTC, one line a change. Raises ``SourceError``."""
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(("datetime", "people"))
            rows.writerows((datetime.fromtimestamp(time, UTC).isoformat(sep=" "), number) for time, number in people)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}", "choose a file that can be written") from error
