"""A machine of the tests: answers what it is told to, through the same Protocol as the real one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge.doctor.findings import ClockState, Disk, Frames, Output
from sensors.camera_config import CameraConfig
from sensors.wifi.hopping import Ran
from sync.config import MqttConfig

# Written by hand after iw's source (interface.c, info.c, reg.c) and outputs that others published; addresses are of
# the range for documentation.
IW_DEV = """phy#1
\tInterface mon0
\t\tifindex 6
\t\twdev 0x100000002
\t\taddr 00:00:5e:00:53:01
\t\ttype monitor
\t\tchannel {channel} ({mhz} MHz), width: 20 MHz (no HT), center1: {mhz} MHz
\t\ttxpower 20.00 dBm
phy#0
\tUnnamed/non-netdev interface
\t\twdev 0x2
\t\taddr 00:00:5e:00:53:02
\t\ttype P2P-device
\tInterface wlan0
\t\tifindex 3
\t\twdev 0x1
\t\taddr 00:00:5e:00:53:03
\t\tssid Shop type monitor
\t\ttype managed
\t\tchannel 36 (5180 MHz), width: 80 MHz, center1: 5210 MHz
\t\tmulticast TXQ:
\t\t\tqsz-byt\tqsz-pkt\tflows\tdrops\tmarks\toverlmt\thashcol\ttx-bytes\ttx-packets
\t\t\t0\t0\t0\t0\t0\t0\t0\t0\t\t0
"""
IW_PHY = """Wiphy phy1
\twiphy index: 1
\tmax # scan SSIDs: 4
\tSupported Ciphers:
\t\t* WEP40 (00-0f-ac:1)
\t\t* CCMP-128 (00-0f-ac:4)
\tAvailable Antennas: TX 0x3 RX 0x3
\tSupported interface modes:
\t\t * IBSS
\t\t * managed
\t\t * AP
\t\t * monitor
\tBand 1:
\t\tCapabilities: 0x186e
Wiphy phy0
\twiphy index: 0
\tSupported interface modes:
\t\t * managed
\t\t * AP
\tBand 1:
\t\tFrequencies:
\t\t\t* 2412 MHz [1] (20.0 dBm)
\tsoftware interface modes (can always be added):
\t\t * monitor
"""
IW_REG = """global
country CN: DFS-FCC
\t(2400 - 2483 @ 40), (N/A, 20), (N/A)
\t(5150 - 5350 @ 80), (N/A, 20), (0 ms), DFS, AUTO-BW

phy#1 (self-managed)
country US: DFS-UNSET
"""
NMCLI = "lo:unmanaged\nmon0:unmanaged\nwlan0:connected\n"


@dataclass
class PretendMachine:
    outputs: dict[str, str | OSError] = field(
        default_factory=lambda: {"iw phy": IW_PHY, "iw reg get": IW_REG, "nmcli": NMCLI}
    )
    channels: Sequence[int] = (1, 6, 11)
    heard: Frames | OSError = Frames(803, 100, 3)  # noqa: RUF009  # frozen
    free: int = 50_000_000_000
    unwritable: OSError | None = None
    kept: ClockState | None = ClockState(True, 0.02)  # noqa: RUF009  # frozen
    unreachable: OSError | None = None
    refused: Exception | None = None
    dark: Exception | None = None
    looks: int = 0

    def command(self, command: Sequence[str]) -> Output:
        line = " ".join(command)
        if line == "iw dev" and "iw dev" not in self.outputs:
            channel = self.channels[self.looks % len(self.channels)]
            self.looks += 1
            return Output(IW_DEV.format(channel=channel, mhz=2407 + 5 * channel), Ran(0, ""))
        answer = next(answer for name, answer in self.outputs.items() if line.startswith(name))
        if isinstance(answer, OSError):
            raise answer
        return Output(answer, Ran(0, ""))

    def frames(self, interface: str, seconds: float) -> Frames:
        if isinstance(self.heard, OSError):
            raise self.heard
        return self.heard

    def disk(self, path: Path) -> Disk:
        return Disk(self.free, 100_000_000_000)

    def write(self, path: Path) -> None:
        if self.unwritable:
            raise self.unwritable

    def clock(self) -> ClockState | None:
        return self.kept

    def reach(self, host: str, port: int, seconds: float) -> None:
        if self.unreachable:
            raise self.unreachable

    def broker(self, config: MqttConfig) -> None:
        if self.refused:
            raise self.refused

    def picture(self, config: CameraConfig) -> tuple[int, int]:
        if self.dark:
            raise self.dark
        return 1280, 720
