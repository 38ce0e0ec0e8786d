"""Configuration of the readers that do not speak LLRP, or of what stands between them and the box, and its opening."""

import ipaddress
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sensors.errors import SourceError
from sensors.readings import Source, TagRead
from sensors.rfid.fields import FieldPaths, parse_fields
from sensors.rfid.heard import Mode, Parse, Timing
from sensors.rfid.impinj import ImpinjSource, parse_impinj, reader_tls
from sensors.rfid.keonn import parse_keonn
from sensors.rfid.published import PublishedSource
from sensors.rfid.pushed import PushedSource
from sensors.rfid.wedge import WedgeSource
from sensors.rfid.zebra import parse_zebra
from sensors.secret import read_secret
from sensors.subscription import Connect

Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,253}$")]
Port = Annotated[int, Field(ge=1, le=65535)]
Antenna = Annotated[int, Field(ge=1, le=65535)]
Format = Literal["impinj", "zebra", "keonn", "fields"]
_CLOCK = "auto: the reader's times, but the time of arrival where they are over 5 s off; reader and host: always that"


class _Adapter(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]
    clock: Annotated[Mode, Field(description=_CLOCK)] = "auto"
    antenna: Annotated[Antenna | None, Field(description="of reads that name none: a reader with one")] = None


class _Formatted(_Adapter):
    format: Annotated[Format, Field(description="whose messages they are; fields: by the paths in fields")]
    fields: Annotated[FieldPaths | None, Field(description="where in the JSON each value stands")] = None

    @model_validator(mode="after")
    def _paths(self) -> Self:
        if (self.format == "fields") != (self.fields is not None):
            raise ValueError("format: fields and the section fields go together: give both or neither")
        return self

    def parse(self) -> Parse:
        """What takes its messages apart."""
        antenna = self.antenna or 0
        if self.fields is not None:
            return partial(parse_fields, paths=self.fields, antenna=antenna)
        by_format = {"impinj": parse_impinj, "zebra": parse_zebra, "keonn": parse_keonn}
        return partial(by_format[self.format], antenna=antenna)


class ImpinjConfig(_Adapter):
    """An Impinj R700 or its like, by the HTTP stream of its IoT device interface."""

    type: Literal["impinj"]
    host: Host
    port: Annotated[Port | None, Field(description="443, or 80 without tls")] = None
    tls: bool = True
    certificate: Annotated[
        Path | None, Field(description="the reader's own certificate (PEM), trusted alone; the system's when absent")
    ] = None
    user: Annotated[str, Field(pattern=r"^[!-9;-~]{1,64}$")] = "root"
    password_file: Annotated[Path | None, Field(description="absent: impinj, as readers are delivered")] = None
    preset: Annotated[
        str | None, Field(pattern=r"^[\w.-]{1,64}$", description="inventory to start at every connect, such as default")
    ] = None

    @model_validator(mode="after")
    def _certificate_is_for_tls(self) -> Self:
        if self.certificate is not None and not self.tls:
            raise ValueError("certificate is for TLS: set tls: true, or remove it")
        return self


class PublishedConfig(_Formatted):
    """Reads published over MQTT: to the broker of edge.rfid_broker, else that of sync.mqtt."""

    type: Literal["mqtt"]
    topics: Annotated[tuple[Annotated[str, Field(pattern=r"^[^\s]{1,200}$")], ...], Field(min_length=1, max_length=16)]

    @model_validator(mode="after")
    def _topics(self) -> Self:
        for topic in self.topics:
            levels = topic.split("/")
            if any(("+" in level and level != "+") or "#" in level for level in levels[:-1]) or (
                len(levels[-1]) > 1 and ("+" in levels[-1] or "#" in levels[-1])
            ):
                raise ValueError(
                    f"topics: {topic} is no MQTT filter: + and # stand alone between slashes, # at the end"
                )
        return self


class PushedConfig(_Formatted):
    """Reads that a reader sends by HTTP POST: the box listens."""

    type: Literal["http"]
    host: Annotated[
        Host, Field(description="the box's address in the store's network, from where readers reach it")
    ] = "127.0.0.1"
    port: Port = 8082
    path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9._/-]{0,100}$")] = "/tags"
    secret_file: Annotated[
        Path | None, Field(description="first line: what readers send as Bearer, or as the password of Basic")
    ] = None

    @model_validator(mode="after")
    def _secret_in_networks(self) -> Self:
        try:
            local = ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            local = self.host == "localhost"
        if not local and self.secret_file is None:
            raise ValueError(f"host {self.host} can be reached by others: add secret_file, or use 127.0.0.1")
        return self


class WedgeConfig(_Adapter):
    """A scanner that types a line for each tag or bar code."""

    type: Literal["wedge"]
    path: Annotated[str, Field(min_length=1, description="a pipe, a serial device, a file, or - for standard input")]
    antenna: Antenna = 1
    baud: Annotated[
        Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200] | None, Field(description="of a serial device")
    ] = None
    company_digits: Annotated[
        int | None, Field(ge=6, le=12, description="of the company prefix in the GTINs: gives the EPC of the tag")
    ] = None
    filter: Annotated[int, Field(ge=0, le=7, description="filter value on the tags; 1: an item for sale")] = 1


AdapterConfig = ImpinjConfig | PublishedConfig | PushedConfig | WedgeConfig


def open_adapter(
    config: AdapterConfig, connect: Connect | None = None, clock: Callable[[], float] = time.time
) -> Source[TagRead]:
    """The source that ``config`` describes, not yet entered; ``connect`` subscribes to its topics.

    Raises ``SourceError`` where a secret or a certificate cannot be read.
    """
    timing = Timing(config.name, config.clock, clock)
    if isinstance(config, PublishedConfig):
        if connect is None:
            raise SourceError(f"{config.name} needs a broker", "run it in the edge, which has one")
        return PublishedSource(config.topics, config.parse(), connect, timing)
    if isinstance(config, PushedConfig):
        fix = f"correct secret_file of sensor {config.name}"
        secret = read_secret(config.secret_file, fix) if config.secret_file is not None else None
        return PushedSource(config.host, config.port, config.path, config.parse(), timing, secret=secret)
    if isinstance(config, WedgeConfig):
        return WedgeSource(
            config.path,
            timing,
            antenna=config.antenna,
            baud=config.baud,
            company_digits=config.company_digits,
            filter_value=config.filter,
        )
    return ImpinjSource(
        config.host,
        config.port or (443 if config.tls else 80),
        timing=timing,
        user=config.user,
        password_file=config.password_file,
        tls=reader_tls(config.certificate) if config.tls else None,
        preset=config.preset,
        antenna=config.antenna or 0,
    )
