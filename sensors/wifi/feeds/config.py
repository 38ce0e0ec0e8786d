"""Section ``sensors.access_points``: who tells the box which devices are heard."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$")]
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class _Feed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Name = Field(description="the sensor's name in events and topics")


class MerakiConfig(_Feed):
    """Receives what Cisco Meraki's cloud posts (Scanning API, versions 2 and 3)."""

    type: Literal["meraki"]
    validator: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")] = Field(
        description="the text that Meraki's page shows; it is what GET answers"
    )
    secret_file: Path = Field(description="one line: the secret typed into Meraki's page; mode 0600")
    host: str = Field(default="127.0.0.1", description="where to listen; behind a proxy that speaks TLS, this machine")
    port: Annotated[int, Field(ge=0, le=65535)] = 8086
    certificate: Path | None = Field(default=None, description="PEM; needed beyond this machine")
    key: Path | None = Field(default=None, description="PEM, mode 0600")

    @model_validator(mode="after")
    def _encrypted_beyond_loopback(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        if self.host not in LOOPBACK and self.certificate is None:
            raise ValueError(
                f"{self.host} is not this machine alone: give certificate and key, since posts hold addresses"
            )
        return self


class OpenWrtConfig(_Feed):
    """Reads the lines of ``ubus subscribe`` or ``hostapd_cli`` from a child process or a named pipe."""

    type: Literal["openwrt"]
    command: Annotated[tuple[str, ...], Field(min_length=1)] | None = Field(
        default=None, description="for example [ssh, ap1, ubus, subscribe, hostapd.wlan0, hostapd.wlan1]"
    )
    path: Path | None = Field(default=None, description="a named pipe, or - for standard input")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.command is None) == (self.path is None):
            raise ValueError("give command or path, one of the two")
        return self


class SnifferConfig(_Feed):
    """One ESP32 sniffer, which publishes hashes of what it hears over MQTT; docs/wifi.md has its messages."""

    type: Literal["sniffer"]
    topic: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^#+\x00]+$")] | None = Field(
        default=None, description="yingke/sniffers/NAME when left out"
    )

    @property
    def subscribed(self) -> str:
        """The topic that this sniffer publishes on."""
        return self.topic or f"yingke/sniffers/{self.name}"


FeedConfig = Annotated[MerakiConfig | OpenWrtConfig | SnifferConfig, Field(discriminator="type")]
