"""Probe requests from a network interface in monitor mode: AF_PACKET, a filter in the kernel, a ring of mapped blocks.

Linux only. Structures and constants: linux/if_packet.h (TPACKET_V3), linux/filter.h, and the kernel's
Documentation/networking/packet_mmap.rst. Nothing but probe requests is copied out of the kernel.
"""

import ctypes
import fcntl
import mmap
import os
import select
import socket
import struct
import time as clocks
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from sensors.errors import SourceError
from sensors.readings import Attention, ProbeRequest, Silence
from sensors.wifi.capture import RADIOTAP
from sensors.wifi.hashing import Pseudonyms
from sensors.wifi.probes import WAIT, Hearing, Probes

_AF_PACKET = 17
_ETH_P_ALL = 3
_SIOCGIFHWADDR = 0x8927
_ARPHRD_RADIOTAP = 803
_KINDS = {1: "Ethernet or Wi-Fi that is not in monitor mode", 772: "the loopback", 801: "bare 802.11", 802: "Prism"}

_SO_ATTACH_FILTER = 26
_SOL_PACKET = 263
_RX_RING, _STATISTICS, _VERSION, _IGNORE_OUTGOING = 5, 6, 10, 23
_TPACKET_V3 = 2
_FOR_US = 1
"""TP_STATUS_USER: the kernel has given the block to us; writing 0 gives it back."""

_SNAP = 4096
"""Bytes kept of a frame: the longest probe requests of 32 labelled phones have under 400."""
PROBE_REQUESTS = (
    (0x30, 0, 0, 3),  # A = high byte of the radiotap header's length, which is little-endian
    (0x64, 0, 0, 8),
    (0x07, 0, 0, 0),
    (0x30, 0, 0, 2),
    (0x4C, 0, 0, 0),
    (0x07, 0, 0, 0),  # X = the length
    (0x50, 0, 0, 0),  # A = first byte of the 802.11 frame; a frame that has none is left out
    (0x15, 0, 1, 0x40),  # version 0, management, probe request?
    (0x06, 0, 0, _SNAP),
    (0x06, 0, 0, 0),
)
"""Classic BPF, ``(code, jt, jf, k)`` each: what libpcap compiles for ``wlan type mgt subtype probe-req``."""

_BLOCK = 1 << 17
"""Bytes of a block of the ring: some 400 probe requests."""
_RETIRE_MS = 200
"""A block is handed over when it is full or after so long: a reading is that late at most."""
_FILL = struct.Struct("=II")
_FRAME = struct.Struct("=IIIIIIH")


class LiveSource(Probes):
    """An interface in monitor mode with radiotap headers, such as ``wlan0mon``.

    Entering raises ``SourceError`` when it is missing, of another kind, or not allowed to us. Iterating yields probe
    requests, a ``Silence`` each second, and an ``Attention`` when no frame of any kind has come for a minute; it raises
    ``SourceError`` when the interface goes down. What the kernel had to throw away since nobody took it is in
    ``dropped``. ``ring_mib`` of memory hold what comes while the box is busy: some 3,000 probe requests each.
    """

    def __init__(
        self,
        interface: str,
        *,
        ring_mib: int = 8,
        pseudonyms: Pseudonyms | None = None,
        clock: Callable[[], float] = clocks.time,
    ) -> None:
        super().__init__(pseudonyms)
        self._interface = interface
        self._blocks = ring_mib * (1 << 20) // _BLOCK
        self._clock = clock
        self._resources = ExitStack()
        self._socket: socket.socket
        self._ring: mmap.mmap

    def __enter__(self) -> Self:
        if not hasattr(socket, "AF_PACKET"):
            fix = "use a pipe instead: tcpdump -I -i en0 -y IEEE802_11_RADIO -U -w PIPE, and type: fifo"
            raise SourceError(f"{self._interface}: live capture needs Linux", fix)
        try:
            self._open()
        except OSError as error:
            self._resources.close()
            raise SourceError(f"{self._interface}: {error.strerror}", self._fix(error)) from error
        except BaseException:
            self._resources.close()
            raise
        return self

    def _fix(self, error: OSError) -> str:
        if isinstance(error, PermissionError):
            return "give the service the right to capture: AmbientCapabilities=CAP_NET_RAW"
        return "see the interfaces with: ip link; make one with: iw dev wlan0 interface add wlan0mon type monitor"

    def _open(self) -> None:
        # Protocol 0: nothing is received before the filter is in place and the socket is bound.
        self._socket = sock = self._resources.enter_context(socket.socket(_AF_PACKET, socket.SOCK_RAW, 0))
        asked = fcntl.ioctl(sock.fileno(), _SIOCGIFHWADDR, struct.pack("16s24x", self._interface.encode()[:15]))
        (kind,) = struct.unpack_from("=H", asked, 16)
        if kind != _ARPHRD_RADIOTAP:
            raise SourceError(
                f"{self._interface}: this is {_KINDS.get(kind, 'another kind of interface')} ({kind}), "
                f"not 802.11 with radiotap ({_ARPHRD_RADIOTAP})",
                f"put it into monitor mode: ip link set {self._interface} down; "
                f"iw dev {self._interface} set type monitor; ip link set {self._interface} up",
            )
        code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in PROBE_REQUESTS))
        program = struct.pack("HP", len(PROBE_REQUESTS), ctypes.addressof(code))
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
        sock.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
        sock.setsockopt(_SOL_PACKET, _VERSION, _TPACKET_V3)
        frame = 2048  # only has to divide the block: in version 3, frames lie packed
        ring = (_BLOCK, self._blocks, frame, _BLOCK // frame * self._blocks, _RETIRE_MS, 0, 0)
        sock.setsockopt(_SOL_PACKET, _RX_RING, struct.pack("=7I", *ring))
        self._ring = self._resources.enter_context(mmap.mmap(sock.fileno(), _BLOCK * self._blocks))
        sock.bind((self._interface, _ETH_P_ALL))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.close()

    def __iter__(self) -> Iterator[ProbeRequest | Attention | Silence]:
        told = self._clock()
        hearing, before = Hearing(told), self._received()
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | select.POLLERR)
        number = 0
        while True:
            start = number * _BLOCK
            idle = False
            status, frames = _FILL.unpack_from(self._ring, start + 8)
            if status & _FOR_US:
                yield from self._of_block(start, frames)
                self._ring[start + 8 : start + 12] = bytes(4)
                number = (number + 1) % self._blocks
            else:
                events = poll.poll(WAIT * 1000)
                if any(event & select.POLLERR for _, event in events):
                    raise self._gone()
                idle = not events
            now = self._clock()
            if idle or not 0 <= now - told < WAIT:
                told = now
                self._names.rotate_at(now)  # a salt ends in time, whether anything is heard or not
                self._count_dropped()
                received = self._received()
                sign = hearing.sign(received != before, now)
                before = received
                if sign is not None:
                    yield sign
                yield Silence(now)

    def _of_block(self, start: int, frames: int) -> Iterator[ProbeRequest]:
        ring = self._ring
        (first,) = struct.unpack_from("=I", ring, start + 16)
        at = start + first
        for _ in range(frames):
            further, seconds, nanoseconds, kept, original, _status, mac = _FRAME.unpack_from(ring, at)
            begin = at + mac
            probe = self._probe((seconds + nanoseconds * 1e-9, RADIOTAP, ring[begin : begin + kept], kept < original))
            if probe is not None:
                yield probe
            at += further

    def _count_dropped(self) -> None:
        """Reading the kernel's counters sets them to 0."""
        counters = self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 12)
        self.dropped += int(struct.unpack("=III", counters)[1])

    def _received(self) -> int:
        """Frames of all kinds that the interface has received: the filter hides them from the socket's own count."""
        for line in Path("/proc/net/dev").read_text(encoding="ascii", errors="replace").splitlines():
            name, colon, numbers = line.partition(":")
            if colon and name.strip() == self._interface:
                return int(numbers.split()[1])
        raise self._gone()

    def _gone(self) -> SourceError:
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        why = os.strerror(code) if code else "the interface is gone"
        return SourceError(f"{self._interface}: {why}", f"plug it in again, then: ip link set {self._interface} up")
