"""The ``wifi`` section of the configuration: where probe requests come from."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sensors.wifi.hopping import HoppingConfig

Name = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]


class _Wifi(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Name = Field(description="the sensor's name in events and topics")


class PcapConfig(_Wifi):
    """Recorded captures (pcap or pcapng) of one place, merged by time: one per channel, or one after another."""

    type: Literal["pcap"]
    paths: Annotated[tuple[Path, ...], Field(min_length=1, description="the capture files")]
    start: float = Field(default=0.0, description="seconds added to every time, to replay a capture at another moment")
    speed: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="seconds of the capture per second; as fast as possible when left out"
    )


class FifoConfig(_Wifi):
    """A live capture through a named pipe (``mkfifo``; ``tcpdump -U -w PIPE``), or standard input as ``-``."""

    type: Literal["fifo"]
    path: Path
    hopping: HoppingConfig | None = Field(
        default=None, description="the radio whose channels the box sets; left out: somebody else does"
    )


class LiveConfig(_Wifi):
    """A network interface in monitor mode, read directly (Linux; needs CAP_NET_RAW)."""

    type: Literal["live"]
    interface: Annotated[str, Field(pattern=r"^[^\s/:]{1,15}$", description="such as wlan0mon")]
    ring_mib: Annotated[int, Field(ge=1, le=32)] = Field(
        default=8, description="MiB of memory for what comes while the box is busy; 8 hold over a second of 20,000/s"
    )
    hopping: HoppingConfig | None = Field(
        default=None, description="the channels that the box sets on this interface; left out: somebody else does"
    )

    @model_validator(mode="after")
    def _one_radio(self) -> Self:
        if self.hopping is not None and self.hopping.interface != self.interface:
            raise ValueError(f"hopping.interface must be {self.interface}, the interface that is read")
        return self


class KismetConfig(_Wifi):
    """The live stream of packets of a Kismet server on this machine, or at the end of an SSH tunnel."""

    type: Literal["kismet"]
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 2501
    source: Annotated[str, Field(pattern=r"^[0-9A-Fa-f-]{36}$")] | None = Field(
        default=None, description="UUID of one of Kismet's data sources; all of them when left out"
    )
    token_file: Path = Field(description="file that holds an API key of Kismet with the role readonly, for us only")


WifiConfig = Annotated[PcapConfig | FifoConfig | LiveConfig | KismetConfig, Field(discriminator="type")]
