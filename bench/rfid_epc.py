"""EPCs: random round trips of every scheme, and the rate beside epcpy and pyepc. Run through ``bench.rfid epc``."""

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable

from sensors.rfid.epc import Identity, encode, identify
from sensors.rfid.epc.identity import check_digit
from sensors.rfid.epc.tables import PARTITIONED, PLUS, SERIAL_CHARACTERS

_CHARACTERS = "".join(sorted(SERIAL_CHARACTERS))
_KINDS = ("0123456789", "0123456789ABCDEF", "0123456789abcdef", "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_", _CHARACTERS)


def random_identity(rng: random.Random) -> Identity:
    """A valid identity of any scheme that is written here. ``uri`` is left out: ``identify`` makes it."""
    company = rng.randint(6, 12)
    prefix = _digits(rng, company)
    name, keys = rng.choice([*(one.name for one in PARTITIONED.values()), *(one.name for one in PLUS.values())]), ()
    number, text = str(rng.getrandbits(rng.randint(1, 38))), _serial(rng)
    found: tuple[tuple[str, str], ...] = keys
    match name:
        case "SSCC-96":
            found = (("00", _checked(_digits(rng, 1) + prefix + _digits(rng, 16 - company))),)
        case "SGLN-96":
            found = (("414", _checked(prefix + _digits(rng, 12 - company))),)
            found = found if number == "0" else (*found, ("254", number))
        case "GRAI-96":
            found = (("8003", "0" + _checked(prefix + _digits(rng, 12 - company)) + number),)
        case "GIAI-96":
            found = (("8004", prefix + str(rng.getrandbits(rng.randint(1, 42)))),)
        case _:
            serial = number if name == "SGTIN-96" else text
            found = (("01", _checked(_digits(rng, 1) + prefix + _digits(rng, 12 - company))), ("21", serial))
            if name.startswith("DSGTIN"):
                date = f"{rng.randrange(100):02d}{rng.randint(1, 12):02d}{rng.randrange(32):02d}"
                found = (*found, (rng.choice(("11", "13", "15", "16", "17", "7006", "7007")), date))
    return Identity(name, found, "", rng.randrange(8), 0 if "+" in name else company)


def _digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choices("0123456789", k=count))


def _checked(digits: str) -> str:
    return digits + check_digit(digits)


def _serial(rng: random.Random) -> str:
    return "".join(rng.choices(rng.choice(_KINDS), k=rng.randint(1, 20)))


def round_trips(count: int, seed: int = 1) -> Counter[str]:
    """Identity to EPC and back, ``count`` times; how many of each scheme. Raises ``AssertionError`` at a difference."""
    rng, schemes = random.Random(seed), Counter[str]()
    for _ in range(count):
        one = random_identity(rng)
        epc = encode(one)
        back = identify.__wrapped__(epc)
        assert isinstance(back, Identity), (one, epc, back)
        assert (back.scheme, back.keys, back.filter, back.company_digits) == (
            one.scheme,
            one.keys,
            one.filter,
            one.company_digits,
        ), (one, epc, back)
        schemes[one.scheme] += 1
    return schemes


_PEERS = """
import sys, time
epcs = sys.stdin.read().split()
def rate(decode):
    began = time.process_time()
    for epc in epcs: decode(epc)
    return len(epcs) / (time.process_time() - began)
try:
    from epcpy import hex_to_tag_encodable
    print("epcpy", rate(lambda epc: hex_to_tag_encodable(epc).epc_uri))
except ImportError: pass
try:
    from pyepc import SGTIN
    print("pyepc", rate(lambda epc: SGTIN.decode(epc).pure_identity_uri))
except ImportError: pass
"""


def rates(python: str, count: int = 20_000) -> str:
    """EPCs a second to their URI, uncached, ours and the peers' that the interpreter ``python`` has."""
    rng, epcs = random.Random(2), []
    while len(epcs) < count:
        one = random_identity(rng)
        if one.scheme == "SGTIN-96":
            epcs.append(encode(one))

    def ours(decode: Callable[[str], object]) -> float:
        began = time.process_time()
        for epc in epcs:
            decode(epc)
        return count / (time.process_time() - began)

    mine = max(ours(identify.__wrapped__) for _ in range(5))
    for epc in epcs:
        identify(epc)
    text = f"SGTIN-96 to its URI: {mine:,.0f}/s, cached {ours(identify):,.0f}/s"
    told = subprocess.run([python, "-c", _PEERS], input=" ".join(epcs), capture_output=True, text=True, check=False)
    for line in told.stdout.splitlines():
        name, rate = line.split()
        text += f"; {name} {float(rate):,.0f}/s, ours {mine / float(rate):.1f} times that"
    return text if told.stdout else f"{text}; no epcpy or pyepc in {python}"


def main(python: str = sys.executable, trips: int = 1_000_000) -> None:
    """Print both."""
    print(rates(python), flush=True)
    schemes = round_trips(trips)
    each = ", ".join(f"{name} {count}" for name, count in sorted(schemes.items()))
    print(f"{schemes.total():,} random round trips, all equal: {each}", flush=True)
