"""Captures and frames made byte by byte, for the tests of Wi-Fi."""

import struct

from sensors.wifi.capture import Packet

PHONE = bytes.fromhex("dead0c0ffee5")
"""Locally administered: a random address."""
FIXED = bytes.fromhex("00005e005301")
ELEMENTS = bytes.fromhex("010402040b1632080c1218243048606c0301062d1a6e4103ff" + "00" * 22 + "7f0400000a02")


def element(kind: int, body: bytes) -> bytes:
    return bytes((kind, len(body))) + body


def probe(address: bytes = PHONE, *, ssid: bytes = b"", sequence: int = 7, elements: bytes = ELEMENTS) -> bytes:
    """A bare probe request without checksum."""
    broadcast = b"\xff" * 6
    header = b"\x40\x00\x00\x00" + broadcast + address + broadcast + struct.pack("<H", sequence << 4)
    return header + element(0, ssid) + elements


def radiotap(frame: bytes, *, rssi: int = -50, mhz: int = 2437, flags: int = 0) -> bytes:
    """With flags, rate, channel and signal."""
    return struct.pack("<BBHIBBHHb", 0, 0, 15, 0b101110, flags, 2, mhz, 0xA0, rssi) + frame


def pcap(packets: list[tuple[float, bytes]], *, order: str = "<", nano: bool = False, link: int = 127) -> bytes:
    """A classic capture file."""
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    out = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)]
    for time, data in packets:
        fraction = round(time % 1 * (1e9 if nano else 1e6))
        out += [struct.pack(order + "IIII", int(time), fraction, len(data), len(data)), data]
    return b"".join(out)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """One pcapng block."""
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int = 127, order: str = "<", *, options: bytes = b"", snap: int = 0) -> bytes:
    return block(1, struct.pack(order + "HHI", link, 0, snap) + options, order)


def enhanced(number: int, ticks: int, data: bytes, order: str = "<") -> bytes:
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
    return block(6, head + data, order)


def as_packet(data: bytes, time: float = 1000.0, link: int = 127) -> Packet:
    return time, link, data, False
