"""The ``wifi`` section of the configuration: where probe requests come from."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

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


WifiConfig = Annotated[PcapConfig | FifoConfig, Field(discriminator="type")]
