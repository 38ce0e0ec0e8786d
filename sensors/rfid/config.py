"""Configuration of RFID sources, and the one place that opens them."""

import time
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from sensors.readings import Source, TagRead
from sensors.rfid.adapter_config import (
    AdapterConfig,
    ImpinjConfig,
    PublishedConfig,
    PushedConfig,
    WedgeConfig,
    open_adapter,
)
from sensors.rfid.client import LlrpSource
from sensors.rfid.replay import ReplaySource
from sensors.subscription import Connect

Name = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]
"""Of a sensor, as in the event contract."""


class LlrpConfig(BaseModel):
    """A reader on the store's network that speaks LLRP (Impinj, Zebra and most others)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    type: Literal["llrp"]
    name: Name
    host: Annotated[str, Field(min_length=1, max_length=253)]
    port: Annotated[int, Field(ge=1, le=65535)] = 5084
    antennas: Annotated[
        tuple[Annotated[int, Field(ge=1, le=65535)], ...], Field(max_length=64, description="none given: all")
    ] = ()
    session: Annotated[
        Literal[0, 1, 2, 3] | None,
        Field(description="Gen2 inventory session; 0 or 1 keep tags answering, none given: the reader's own"),
    ] = None
    clock: Annotated[
        Literal["auto", "reader", "host"],
        Field(description="auto: the reader's timestamps, shifted when they are over 5 s off this machine's clock"),
    ] = "auto"
    keepalive_seconds: Annotated[
        float, Field(ge=1, le=60, description="a reader silent for four of these is taken as lost")
    ] = 5.0
    answer_seconds: Annotated[float, Field(gt=0, le=60, description="for a connection and for each answer")] = 5.0


class ReplayConfig(BaseModel):
    """A recording: LLRP bytes, or JSON lines of reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    type: Literal["replay"]
    name: Name
    path: Annotated[str, Field(min_length=1)]


RfidConfig = Annotated[
    LlrpConfig | ReplayConfig | ImpinjConfig | PublishedConfig | PushedConfig | WedgeConfig,
    Field(discriminator="type"),
]


def open_rfid(
    config: LlrpConfig | ReplayConfig | AdapterConfig,
    clock: Callable[[], float] = time.time,
    connect: Connect | None = None,
) -> Source[TagRead]:
    """The source that ``config`` describes, not yet entered. ``clock`` gives UTC epoch seconds, ``connect`` MQTT."""
    if isinstance(config, AdapterConfig):
        return open_adapter(config, connect, clock)
    if isinstance(config, ReplayConfig):
        return ReplaySource(config.path)
    return LlrpSource(
        config.host,
        config.port,
        antennas=config.antennas,
        session=config.session,
        timestamps=config.clock,
        keepalive=config.keepalive_seconds,
        patience=config.answer_seconds,
        clock=clock,
    )
